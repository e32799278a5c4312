#include "engine/fork.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "engine/model/entry.h"
#include "engine/model/json_text.h"
#include "engine/model/path.h"
#include "engine/replay.h"
#include "engine/steps/outline.h"

namespace flowrun {
namespace {

/// What `input` and `keep_raw` of a start entry say: what was asked for, and in which form the result was kept.
std::string input_of(const Entry& start) {
  std::string input;
  bool raw = false;
  for (ObjectReader data(start.data); data.next();) {
    if (data.key() == "input") input = data.raw();
    if (data.key() == "keep_raw") raw = data.boolean();
  }
  return input + (raw ? "r" : "");
}

/// Keys of items taken off.
std::string bare(const std::string& path) {
  std::string text;
  bool in_key = false;
  for (char c : path) {
    in_key = in_key || c == '[';
    if (!in_key) text += c;
    in_key = in_key && c != ']';
  }
  return text;
}

/// What belongs to how a run ended, and not to what it was for: undos and handlers.
bool of_the_end(const std::string& bare_path) {
  return bare_path.ends_with(".undo") || bare_path.find(".undo/") != std::string::npos ||
         is_below(bare_path, "on_failure") || is_below(bare_path, "finally");
}

/// Only of steps that act; a group has no result of its own.
std::map<std::string, std::string> definitions_of(const std::vector<OutlineRow>& rows) {
  std::map<std::string, std::string> definitions;
  for (const OutlineRow& row : rows)
    if (!row.definition.empty()) definitions[row.path] = row.definition;
  return definitions;
}

/// The rows of |path|, of all that is inside it, and of all that waits for any of these.
std::set<std::string> depending_on(const std::vector<OutlineRow>& rows, const std::string& path) {
  std::vector<bool> in(rows.size(), false);
  for (std::size_t i = 0; i < rows.size(); ++i) in[i] = rows[i].path == path;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (in[i]) continue;
      bool depends = rows[i].parent && in[*rows[i].parent];
      for (const OutlineEdge& edge : rows[i].edges) depends = depends || in[edge.from];
      if (depends) in[i] = changed = true;
    }
  }
  std::set<std::string> paths;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (in[i]) paths.insert(rows[i].path);
  return paths;
}

/// The step that is meant when |path| has a key behind a for_each, as in `each/2/pay`; else nothing.
std::string without_key(const std::vector<OutlineRow>& rows, const std::string& path) {
  auto known = [&](const std::string& step) {
    return std::any_of(rows.begin(), rows.end(), [&](const OutlineRow& row) { return row.path == step; });
  };
  if (known(path)) return "";
  for (const OutlineRow& row : rows) {
    if (row.kind != "for_each" || !path.starts_with(row.path + "/")) continue;
    std::size_t behind = path.find('/', row.path.size() + 1);
    std::string step = row.path + (behind == std::string::npos ? "" : path.substr(behind));
    if (known(step)) return step;
  }
  return "";
}

}  // namespace

Reuse::Reuse(const Journal& journal, const RunRecord& old, const Workflow& before, const Workflow& fresh,
             const std::string& from)
    : of_(old.id), before_(definitions_of(outline(before))) {
  const std::vector<OutlineRow> rows = outline(fresh);
  fresh_ = definitions_of(rows);
  if (!from.empty()) {
    std::vector<std::string> paths;
    for (const OutlineRow& row : rows) paths.push_back(row.path);
    from_ = depending_on(rows, bare(from));
    if (std::string step = without_key(rows, from); bare(from) != from ? !from_.empty() : !step.empty())
      throw Error(Problem::Impossible,
                  fmt::format("--from {}: single items can not be named; for all of them: --from {}", from,
                              step.empty() ? bare(from) : step));
    if (from_.empty()) {
      std::string near = nearest(from, paths);
      throw Error(Problem::Impossible, fmt::format("--from {}: there is no such step{}", from,
                                                   near.empty() ? "" : "; did you mean `" + near + "`?"));
    }
  }
  read(journal, old);
}

void Reuse::read(const Journal& journal, const RunRecord& old) {
  std::map<std::string, std::string> inputs;               // of attempts that have not ended
  std::list<std::pair<std::string, std::string>> waiting;  // path, name
  std::list<SignalReceived> early;
  auto deliver = [&](const std::string& path, const SignalReceived& signal) {
    if (!signal.rejected) signals_[path] = signal;
    finished_.insert(path);
  };
  auto meant = [](const SignalReceived& signal, const std::string& path, const std::string& name) {
    return signal.name == name && (signal.path.empty() || signal.path == path);
  };
  auto forget = [&](const std::string& path) {
    for (auto result = results_.lower_bound({path, ""});
         result != results_.end() && result->first.first.starts_with(path);)
      result = is_below(result->first.first, path) ? results_.erase(result) : std::next(result);
    std::erase_if(signals_, [&](const auto& one) { return is_below(one.first, path); });
  };
  for (std::int64_t next = 1;;) {
    std::vector<Entry> slice = journal.read(old.number, next);
    if (slice.empty()) return;
    next = slice.back().seq + 1;
    for (const Entry& entry : slice) {
      if (entry.kind == "start") {
        inputs[entry.path] = input_of(entry);
      } else if (entry.kind == "ended") {
        Result result = std::get<TaskEnded>(to_event(entry).fact).result;
        constexpr std::string_view kUndo = ".undo";
        // What has been undone has no result any more.
        if (result.ok() && entry.path.ends_with(kUndo)) forget(entry.path.substr(0, entry.path.size() - kUndo.size()));
        if (!result.ok()) continue;
        finished_.insert(entry.path);
        results_[{entry.path, inputs[entry.path]}] = std::move(result);
      } else if (entry.kind == "settled") {
        // A result that was not good enough: `expect.if`, `output`, `returns`.
        if (entry.data.find(R"("state":"failed")") != std::string::npos &&
            results_.count({entry.path, inputs[entry.path]}))
          forget(entry.path);
      } else if (entry.kind == "fired") {
        auto fired = std::get<TimerFired>(to_event(entry).fact);
        if (fired.timer == TimerKind::Wait) waiting.remove_if([&](const auto& one) { return one.first == entry.path; });
        if (fired.timer == TimerKind::Sleep) finished_.insert(entry.path);
      } else if (entry.kind == "timer") {
        for (ObjectReader data(entry.data); data.next();)
          if (data.key() == "for_ms") slept_[entry.path] = Duration(data.number());
      } else if (entry.kind == "waiting") {
        std::string name;
        for (ObjectReader data(entry.data); data.next();)
          if (data.key() == "name") name = data.text();
        auto sent =
            std::find_if(early.begin(), early.end(), [&](const auto& one) { return meant(one, entry.path, name); });
        if (sent == early.end()) {
          waiting.emplace_back(entry.path, name);
        } else {
          deliver(entry.path, *sent);
          early.erase(sent);
        }
      } else if (entry.kind == "signal") {
        auto signal = std::get<SignalReceived>(to_event(entry).fact);
        auto wanted = std::find_if(waiting.begin(), waiting.end(),
                                   [&](const auto& one) { return meant(signal, one.first, one.second); });
        if (wanted == waiting.end()) {
          early.push_back(std::move(signal));
        } else {
          deliver(wanted->first, signal);
          waiting.erase(wanted);
        }
      }
    }
  }
}

void Reuse::skip_done(const Journal& journal, const RunRecord& own) {
  std::map<std::string, std::string> inputs;
  for (std::int64_t next = 1;;) {
    std::vector<Entry> slice = journal.read(own.number, next);
    if (slice.empty()) return;
    next = slice.back().seq + 1;
    for (const Entry& entry : slice) {
      if (entry.kind == "start") inputs[entry.path] = input_of(entry);
      if (entry.kind == "ended") answered_.insert({entry.path, inputs[entry.path]});
      if (entry.kind == "waiting" || entry.kind == "fired") {
        signals_.erase(entry.path);
        slept_.erase(entry.path);
      }
    }
  }
}

void Reuse::tell(const std::string& path, std::string why) {
  if (told_.insert(path).second) anew_.emplace_back(path, std::move(why));
}

bool Reuse::same_step(const std::string& path) {
  if (finished_.count(path) == 0) return false;  // nothing is done twice
  const std::string step = bare(path);
  if (of_the_end(step)) return false;
  if (from_.count(step)) return tell(path, "--from"), false;
  auto before = before_.find(step), fresh = fresh_.find(step);
  if (before != before_.end() && fresh != fresh_.end() && before->second == fresh->second) return true;
  return tell(path, "its definition has changed"), false;
}

std::optional<Result> Reuse::result_of(const Task& task) {
  if (!same_step(task.path)) return std::nullopt;
  // Files belong to the run that made them.
  const auto* request = std::get_if<HttpRequest>(&*task.work);
  if (request && (request->response == HttpRequest::Response::File || !request->body_file.empty()))
    return tell(task.path, "it is about a file"), std::nullopt;
  Decision start;
  start.what = StartTask{task};
  const Asked asked{task.path, input_of(to_entry(start, {}))};
  if (answered_.count(asked)) return std::nullopt;
  auto found = results_.find(asked);
  if (found == results_.end()) {
    bool gone = results_.lower_bound({task.path, ""}) == results_.end() ||
                results_.lower_bound({task.path, ""})->first.first != task.path;
    return tell(task.path, gone ? "it was undone, or not good enough" : "its input has changed"), std::nullopt;
  }
  ++taken_;
  answered_.insert(asked);
  Result result = found->second;
  result.taken = true;
  return result;
}

std::optional<SignalReceived> Reuse::signal_for(const SignalAwaited& awaited) {
  if (!same_step(awaited.path)) return std::nullopt;
  auto found = signals_.find(awaited.path);
  if (found == signals_.end()) return tell(awaited.path, "it was rejected, or undone"), std::nullopt;
  ++taken_;
  SignalReceived signal = found->second;
  signal.path = awaited.path;
  signals_.erase(found);
  finished_.erase(awaited.path);
  return signal;
}

bool Reuse::slept(const ArmTimer& timer) {
  if (timer.timer != TimerKind::Sleep || !same_step(timer.path)) return false;
  auto found = slept_.find(timer.path);
  if (found == slept_.end() || found->second != timer.span) return false;
  ++taken_;
  slept_.erase(found);
  return true;
}

std::unique_ptr<Reuse> reuse_for(const Journal& journal, const RunStarted& started, const Workflow& fresh) {
  if (started.forked_of.empty()) return nullptr;
  auto old = journal.find_exact(started.forked_of);
  if (!old) return nullptr;
  Loaded before = own_copy(journal, *old);
  return std::make_unique<Reuse>(journal, *old, before.workflow, fresh, started.forked_from);
}

}  // namespace flowrun
