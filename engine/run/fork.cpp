#include "engine/run/fork.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/fork_input.h"
#include "engine/run/replay.h"
#include "engine/steps/outline.h"

namespace flowrun {
namespace {

constexpr std::string_view kUndo = ".undo";

/// What was asked for, and in which form the result was kept.
std::string asked_by(const Entry& start) {
  return comparable_input(input_of(start)) + (as<StartTask>(start).task.keep_raw ? "r" : "");
}

/// What belongs to how a run ended, and not to what it was for: undos and handlers.
bool of_the_end(const std::string& step) {
  return step.ends_with(".undo") || step.find(".undo/") != std::string::npos || is_below(step, "on_failure") ||
         is_below(step, "finally");
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
    if (!row.many || !path.starts_with(row.path + "/")) continue;
    std::size_t behind = path.find('/', row.path.size() + 1);
    std::string step = row.path + (behind == std::string::npos ? "" : path.substr(behind));
    if (known(step)) return step;
  }
  return "";
}

}  // namespace

Reuse::Reuse(const Journal& journal, const RunRecord& old, const Workflow& before, const Workflow& fresh,
             const std::string& from)
    : of_(old.id), before_(definitions_of(outline(before))), rows_(outline(fresh)), acts_(rows_.size(), false) {
  const std::vector<OutlineRow>& rows = rows_;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows_at_.emplace(rows[i].path, i);
    if (rows[i].definition.empty()) continue;
    for (std::optional<std::size_t> up = i; up; up = rows[*up].parent) acts_[*up] = true;
  }
  fresh_ = definitions_of(rows);
  if (!from.empty()) {
    std::vector<std::string> paths;
    for (const OutlineRow& row : rows) paths.push_back(row.path);
    from_ = depending_on(rows, without_keys(from));
    if (std::string step = without_key(rows, from); without_keys(from) != from ? !from_.empty() : !step.empty())
      throw Error(Problem::Impossible,
                  fmt::format("--from {}: single items can not be named; for all of them: --from {}", from,
                              step.empty() ? without_keys(from) : step));
    if (from_.empty()) {
      std::string near = nearest(from, paths);
      throw Error(Problem::Impossible, fmt::format("--from {}: the workflow has no such step{}", from,
                                                   near.empty() ? "; flowrun plan FILE shows those it has"
                                                                : "; did you mean `" + near + "`?"));
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
  auto is_for = [](const SignalReceived& signal, const std::string& path, const std::string& name) {
    return signal.name == name && (signal.path.empty() || signal.path == path);
  };
  auto forget = [&](const std::string& path) {
    for (auto result = results_.lower_bound({path, ""});
         result != results_.end() && result->first.first.starts_with(path);)
      result = is_below(result->first.first, path) ? results_.erase(result) : std::next(result);
    std::erase_if(signals_, [&](const auto& one) { return is_below(one.first, path); });
  };
  for (const Entry& entry : entries(journal, old)) {
    switch (entry.kind) {
      case EntryKind::RunStarted:
        if (!(as<RunStarted>(entry).inputs == old.input))
          throw Corruption(fmt::format("run {}: its inputs are not those it was started with", old.id));
        break;
      case EntryKind::StartTask:
        inputs[entry.path] = asked_by(entry);
        break;
      case EntryKind::TaskEnded: {
        Result result = as<TaskEnded>(entry).result;
        if (!result.ok()) break;
        // What has been undone has no result any more.
        if (entry.path.ends_with(kUndo)) forget(entry.path.substr(0, entry.path.size() - kUndo.size()));
        finished_.insert(entry.path);
        results_[{entry.path, inputs[entry.path]}] = std::move(result);
        break;
      }
      case EntryKind::StepSettled:
        // A result that was not good enough: `expect.if`, `output`, `returns`.
        if (as<StepSettled>(entry).outcome.state == State::Failed && results_.count({entry.path, inputs[entry.path]}))
          forget(entry.path);
        break;
      case EntryKind::TimerFired: {
        const TimerKind timer = as<TimerFired>(entry).timer;
        if (timer == TimerKind::Wait) waiting.remove_if([&](const auto& one) { return one.first == entry.path; });
        if (timer == TimerKind::Sleep) finished_.insert(entry.path);
        break;
      }
      case EntryKind::ItemsChosen:
        items_.add_old(entry.path, entry.value);
        break;
      case EntryKind::ArmTimer:
        slept_[entry.path] = as<ArmTimer>(entry).span;
        break;
      case EntryKind::SignalAwaited: {
        const std::string name = as<SignalAwaited>(entry).name;
        auto sent =
            std::find_if(early.begin(), early.end(), [&](const auto& one) { return is_for(one, entry.path, name); });
        if (sent == early.end()) {
          waiting.emplace_back(entry.path, name);
        } else {
          deliver(entry.path, *sent);
          early.erase(sent);
        }
        break;
      }
      case EntryKind::SignalReceived: {
        auto signal = as<SignalReceived>(entry);
        auto wanted = std::find_if(waiting.begin(), waiting.end(),
                                   [&](const auto& one) { return is_for(signal, one.first, one.second); });
        if (wanted == waiting.end()) {
          early.push_back(std::move(signal));
        } else {
          deliver(wanted->first, signal);
          waiting.erase(wanted);
        }
        break;
      }
      default:
        break;  // it brings no result
    }
  }
}

void Reuse::skip_done(const Journal& journal, const RunRecord& own) {
  std::map<std::string, std::string> inputs;
  std::set<std::string> fresh;  // had not run before the attempt that is under way
  for (const Entry& entry : entries(journal, own)) {
    if (entry.kind == EntryKind::ItemsChosen) chosen({entry.path, 0, entry.value});
    const std::string old = items_.old_path(entry.path);
    if (entry.kind == EntryKind::StartTask) {
      inputs[entry.path] = asked_by(entry);
      if (!of_the_end(without_keys(entry.path)) && ran_.insert(entry.path).second) fresh.insert(entry.path);
    }
    if (entry.kind == EntryKind::TaskEnded) {
      answered_.insert({old, inputs[entry.path]});
      if (std::get<TaskEnded>(to_event(entry).fact).result.taken && fresh.count(entry.path)) ran_.erase(entry.path);
      fresh.erase(entry.path);
    }
    if (entry.kind == EntryKind::SignalAwaited || entry.kind == EntryKind::TimerFired) {
      signals_.erase(old);
      slept_.erase(old);
    }
  }
}

void Reuse::tell(const std::string& path, std::string why) {
  if (told_.insert(path).second) anew_.emplace_back(path, std::move(why));
}

void Reuse::chosen(const ItemsChosen& items) {
  auto rows = rows_at_.equal_range(without_keys(items.path));
  const bool named_by_value = std::any_of(rows.first, rows.second, [&](const auto& row) {
    return rows_[row.second].kind == "for_each" && !rows_[row.second].keyed && rows_[row.second].batch.empty();
  });
  if (named_by_value) items_.match(items.path, items.items);
}

bool Reuse::is_of_the_end(const std::string& path) { return of_the_end(without_keys(path)); }

std::optional<Result> Reuse::former(const std::string& path) const {
  const std::string old = items_.old_path(path);
  auto found = results_.lower_bound({old, ""});
  if (old.empty() || found == results_.end() || found->first.first != old) return std::nullopt;
  return found->second;
}

bool Reuse::asked_anew(const std::string& path) const { return from_.count(without_keys(path)) > 0; }

std::vector<std::string> Reuse::finished() const {
  std::vector<std::string> paths;
  for (const std::string& path : finished_)
    if (!of_the_end(without_keys(path))) paths.push_back(path);
  return paths;
}

bool Reuse::knows(const std::string& path) const { return rows_at_.count(without_keys(path)) > 0; }

bool Reuse::ran_within(const std::string& path, std::size_t row) const {
  for (auto found = ran_.lower_bound(path); found != ran_.end() && found->starts_with(path); ++found)
    if (is_below(*found, path)) return true;
  if (acts_[row]) return false;
  // It does nothing itself, so it stands for what it waits for.
  const std::string above = path.substr(0, path.size() - std::min(path.size(), rows_[row].name.size()));
  return std::any_of(rows_[row].edges.begin(), rows_[row].edges.end(),
                     [&](const OutlineEdge& edge) { return ran_within(above + rows_[edge.from].name, edge.from); });
}

std::string Reuse::ran_before(const std::string& path) const {
  if (ran_.empty()) return "";
  constexpr std::string_view kFallback = ".fallback";
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    std::string step = without_keys(path.substr(0, end));
    for (std::size_t first_end = end; step.ends_with(kFallback);) {
      step.resize(step.size() - kFallback.size());
      first_end -= kFallback.size();
      const std::string first = path.substr(0, first_end);
      if (ran_.count(first)) return first;
    }
    auto rows = rows_at_.equal_range(step);
    for (auto row = rows.first; row != rows.second; ++row)
      for (const OutlineEdge& edge : rows_[row->second].edges) {
        const std::string other = path.substr(0, from) + rows_[edge.from].name;
        if (!edge.by_value && ran_within(other, edge.from)) return other;
      }
    from = end + 1;
  }
  return "";
}

bool Reuse::same_step(const std::string& path, const std::string& old) {
  if (old.empty() || finished_.count(old) == 0) return false;  // nothing is done twice
  const std::string step = without_keys(path);
  if (of_the_end(step)) return false;
  if (from_.count(step)) return tell(path, "--from asks for it"), false;
  auto before = before_.find(step), fresh = fresh_.find(step);
  if (before == before_.end() || fresh == fresh_.end() || before->second != fresh->second)
    return tell(path, "its definition has changed"), false;
  if (std::string first = ran_before(path); !first.empty())
    return tell(path, fmt::format("{}, which it follows, ran anew", first)), false;
  return true;
}

std::optional<Result> Reuse::result_of(const Task& task) {
  std::optional<Result> result = find(task);
  if (!result && !of_the_end(without_keys(task.path))) ran_.insert(task.path);
  return result;
}

std::optional<Result> Reuse::find(const Task& task) {
  Decision start;
  start.what = StartTask{task};
  const std::string input = asked_by(to_entry(start, {}));
  const std::string old = items_.old_path(task.path, input, results_);
  if (!same_step(task.path, old)) return std::nullopt;
  for (const TaskPlaceholder& one : placeholders_of(task))
    if (const auto path = path_of_secret(one.placeholder.secret); path && ran_.count(std::string(*path)) > 0)
      return tell(task.path, fmt::format("it uses the secret output of {}, which ran anew", *path)), std::nullopt;
  // Files belong to the run that made them.
  const auto* request = std::get_if<HttpRequest>(&*task.work);
  const auto sends_file = [](const HttpRequest& sent) {
    return !sent.body_file.empty() ||
           std::any_of(sent.parts.begin(), sent.parts.end(), [](const FormPart& part) { return !part.file.empty(); });
  };
  if (request && (request->response == HttpRequest::Response::File || sends_file(*request)))
    return tell(task.path, "it is about a file, and that belongs to the old run"), std::nullopt;
  const Asked asked{old, input};
  if (answered_.count(asked)) return std::nullopt;
  auto found = results_.find(asked);
  if (found == results_.end()) {
    auto other = results_.lower_bound({old, ""});
    if (other == results_.end() || other->first.first != old)
      return tell(task.path, "it was undone, or its result was refused by `expect`, `output` or `returns`"),
             std::nullopt;
    const auto text = [](const std::string& said) { return std::string_view(said).substr(0, said.rfind('}') + 1); };
    const std::string what = input_difference(text(other->first.second), text(asked.second));
    return tell(task.path, "its input has changed" + (what.empty() ? "" : ": " + what)), std::nullopt;
  }
  const auto* process = std::get_if<Process>(&*task.work);
  if (found->second.cut > 0 && process && !process->unread)
    return tell(task.path, "its output was cut, and now it is read"), std::nullopt;
  ++taken_;
  answered_.insert(asked);
  Result result = found->second;
  result.taken = true;
  result.memo.reset();
  return result;
}

std::optional<SignalReceived> Reuse::signal_for(const SignalAwaited& awaited) {
  std::optional<SignalReceived> signal = find(awaited);
  // Somebody decides anew, and what follows may be for something else.
  if (!signal && !of_the_end(without_keys(awaited.path))) ran_.insert(awaited.path);
  return signal;
}

std::optional<SignalReceived> Reuse::find(const SignalAwaited& awaited) {
  const std::string old = items_.old_path(awaited.path);
  if (!same_step(awaited.path, old)) return std::nullopt;
  // What was said of one item says nothing of another that is at its place now.
  if (items_.is_in_changed(awaited.path)) return tell(awaited.path, "the item has changed"), std::nullopt;
  auto found = signals_.find(old);
  if (found == signals_.end()) return tell(awaited.path, "it was rejected, or undone"), std::nullopt;
  ++taken_;
  SignalReceived signal = found->second;
  signal.path = awaited.path;
  signals_.erase(found);
  finished_.erase(old);
  return signal;
}

bool Reuse::slept(const ArmTimer& timer) {
  const std::string old = items_.old_path(timer.path);
  if (timer.timer != TimerKind::Sleep || !same_step(timer.path, old)) return false;
  auto found = slept_.find(old);
  if (found == slept_.end() || found->second != timer.span) return false;
  ++taken_;
  slept_.erase(found);
  return true;
}

std::string origin_of(const Journal& journal, const RunRecord& run) {
  const auto started = beginning_of(journal, run);
  return started ? started->forked_of : "";
}

std::unique_ptr<Reuse> reuse_for(const Journal& journal, const RunStarted& started, const Workflow& fresh) {
  if (started.forked_of.empty()) return nullptr;
  auto old = journal.find_exact(started.forked_of);
  if (!old) return nullptr;
  Loaded before = own_copy(journal, *old);
  return std::make_unique<Reuse>(journal, *old, before.workflow, fresh, started.forked_from);
}

}  // namespace flowrun
