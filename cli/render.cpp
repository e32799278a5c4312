#include "cli/render.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include "cli/last_words.h"
#include "cli/memo_text.h"
#include "cli/terminal.h"
#include "engine/journal/typed_command.h"
#include "engine/model/error.h"
#include "engine/run/clocks.h"

namespace flowrun::cli {
namespace {

std::string local(Instant at, const char* format) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm time{};
  localtime_r(&seconds, &time);
  char text[64];
  std::strftime(text, sizeof text, format, &time);
  return text;
}

std::function<std::string(std::string_view)>& result_filter() {
  static std::function<std::string(std::string_view)> filter;
  return filter;
}

/// The first five.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kMost) text += fmt::format(" and {} more", names.size() - kMost);
  return text;
}

}  // namespace

OutputLost::OutputLost(const std::string& where)
    : std::runtime_error(fmt::format("{} can not be written: {}", where, std::strerror(errno ? errno : EIO))) {}

void print_view(std::string_view text) { print_result(shown(text)); }

void filter_results(std::function<std::string(std::string_view)> filter) { result_filter() = std::move(filter); }

void print_result(std::string_view text) {
  std::string filtered;
  if (const auto& filter = result_filter()) {
    try {
      text = filtered = filter(text);
    } catch (const Error& error) {
      errno = 0;  // nobody has gone away
      throw OutputLost(error);
    }
  }
  const bool at_terminal = stdout_is_terminal();
  const std::string safe = at_terminal ? shown(text) : "";
  if (at_terminal) text = safe;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw OutputLost("standard output");
}

namespace {

/// A longer list is written element by element: as a tree it is many times as large.
constexpr std::size_t kLongList = 1 << 20;
constexpr std::size_t kFlushedAt = 256 << 10;  // bytes that are written at once

std::string dumped(const Value& value, bool indented) {
  return value.json().dump(indented ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

char first_of(const Value& value) {
  char first = 0;
  value.pieces([&](std::string_view piece) {
    first = piece.front();
    return false;
  });
  return first;
}

bool is_long_list(const Value& value) { return value.size() > kLongList && first_of(value) == '['; }

/// Adds a list, which is told piece by piece, to a text, element by element.
class ListText {
 public:
  ListText(std::string& out, bool indented) : out_(out), indented_(indented) {}

  void add(std::string_view piece) {
    std::size_t from = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const char c = piece[i];
      if (in_text_) {
        if (!std::exchange(escaped_, false)) {
          escaped_ = c == '\\';
          in_text_ = c != '"';
        }
        continue;
      }
      if ((closed_ || (depth_ == 0 && c != '[')) && !is_blank(c)) malformed();
      if (c == '"') in_text_ = true;
      if ((c == '[' || c == '{') && ++depth_ == 1) from = i + 1;
      const bool closes = c == ']' || c == '}';
      if (depth_ == 1 && c == '}') malformed();
      if (depth_ == 1 && (closes || c == ',')) {
        element_ += piece.substr(from, i - from);
        from = i + 1;
        end_element(closes);
      }
      if (closes) --depth_;
    }
    if (depth_ > 0) element_ += piece.substr(from);
  }
  /// All pieces have been told.
  void end() const {
    if (!closed_) malformed();
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  [[noreturn]] static void malformed() { throw Corruption("a value of the journal is not JSON: its list has no end"); }

  void end_element(bool last) {
    const bool blank = std::all_of(element_.begin(), element_.end(), is_blank);
    if (blank && !(last && first_)) malformed();
    if (!blank) {
      out_ += first_ ? '[' : ',';
      if (indented_) out_ += "\n  ";
      for (const char c : dumped(Value::from_text(std::exchange(element_, {})), indented_)) {
        out_ += c;
        if (indented_ && c == '\n') out_ += "  ";
      }
      first_ = false;
    }
    if (last) out_ += first_ ? "[]" : indented_ ? "\n]" : "]";
    closed_ = last;
  }

  std::string& out_;
  const bool indented_;
  std::string element_;
  std::size_t depth_ = 0;
  bool in_text_ = false, escaped_ = false, first_ = true, closed_ = false;
};

void put(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw OutputLost("standard output");
}

}  // namespace

std::string json_text(const Value& value, bool indented) {
  if (!is_long_list(value)) return dumped(value, indented);
  std::string text;
  text.reserve(value.size() + 1);
  ListText list(text, indented);
  value.pieces([&](std::string_view piece) {
    list.add(piece);
    return true;
  });
  list.end();
  return text;
}

void print_json(const Value& value, bool indented) {
  if (result_filter() || stdout_is_terminal() || !is_long_list(value))
    return print_result(json_text(value, indented) + "\n");
  std::string text;
  ListText list(text, indented);
  value.pieces([&](std::string_view piece) {
    list.add(piece);
    if (text.size() < kFlushedAt) return true;
    put(text);
    text.clear();
    return true;
  });
  list.end();
  print_result(text + "\n");
}

void print_value(const Value& value) {
  if (first_of(value) == '"') return print_result(value.json().get<std::string>() + "\n");
  print_json(value, stdout_is_terminal());
}

std::string clock_text(Instant at, Instant now) {
  if (now == Instant{}) now = wall_clock();
  const bool today = local(at, "%F") == local(now, "%F");
  return fmt::format("{}.{:03}", local(at, today ? "%H:%M:%S" : "%F %H:%M:%S"), to_millis(at) % 1000);
}

std::string bytes_text(std::int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  if (bytes < 10'000'000) return fmt::format("{} kB", bytes / 1000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string date_text(Instant at) { return local(at, "%Y-%m-%d %H:%M:%S"); }

std::string what_binds(const Pools::Line& line, std::size_t concurrency) {
  std::string name = line.limit && !line.limit->name.empty() ? "limit " + line.limit->name : "the limit of their step";
  if (line.full) return fmt::format("{} (max {})", name, line.limit->max);
  if (line.opens && line.held) return fmt::format("{} (the server said: not before {})", name, clock_text(*line.opens));
  if (line.opens) return fmt::format("{} (rate {})", name, line.limit->rate_text);
  return fmt::format("concurrency ({})", concurrency);
}

std::string who_waits(const Machine& machine, std::size_t in_line, const std::map<std::string, std::size_t>& shared,
                      std::size_t looked_for) {
  std::string text;
  if (machine.suspending()) return text;  // nobody is to begin
  for (const Pools::Line& waits : machine.pools().lines())
    text += fmt::format("; {} {} for {}", waits.waiting, waits.waiting == 1 ? "waits" : "wait",
                        what_binds(waits, machine.concurrency()));
  const auto add = [&](std::size_t waiting, const std::string& what) {
    if (waiting > 0) text += fmt::format("; {} {} for {}", waiting, waiting == 1 ? "waits" : "wait", what);
  };
  const int jobs = machine.run().jobs;
  add(in_line, jobs > 0 ? fmt::format("-j {}", jobs) : "a CPU");
  for (const auto& [name, waiting] : shared) add(waiting, "shared limit " + name);
  add(looked_for, "a look at the results of earlier runs");
  return text;
}

std::string log_text(const LogLine& line, bool named) {
  std::string missing;
  if (line.left_out > 0) missing = fmt::format("{} bytes left out", line.left_out);
  if (line.lost > 0)
    missing += fmt::format("{}{} bytes could not be written{}{}", missing.empty() ? "" : ", ", line.lost,
                           line.why.empty() ? "" : ": ", line.why);
  const bool told = !line.level.empty() && line.level != "info";
  const std::string text = !missing.empty() ? "... " + missing + " ..." : (told ? line.level + ": " : "") + line.text;
  return named ? fmt::format("[{}] {}\n", line.step, text) : text + "\n";
}

std::string_view standing_of(const RunRecord& run) { return is_cut_off(run) ? "cut off" : to_string(run.state); }

bool waits_for_resume(const RunRecord& run) { return run.state == RunState::Suspended || is_cut_off(run); }

Instant until_of(const RunRecord& run) {
  if (run.ended_at) return *run.ended_at;
  // Who suspends a run may not have left it yet.
  return run.state == RunState::Running && run.driver_pid != 0 ? wall_clock() : run.alive_at;
}

Json run_json(const RunRecord& run) {
  Json json{{"run", run.id},
            {"name", run.name},
            {"state", to_string(run.state)},
            {"file", run.file},
            {"started_at", timestamp(run.started_at)},
            {"ended_at", run.ended_at ? Json(timestamp(*run.ended_at)) : Json()},
            {"entries", run.last_seq},
            {"input", run.input.json()},
            {"output", run.output.json()},
            {"error", run.error.json()}};
  if (run.driver_pid > 0) json["pid"] = run.driver_pid;
  return json;
}

Json step_json(const StepHistory& step) {
  Json json{{"path", step.path}, {"kind", step.kind}, {"state", to_string(step.state)}, {"attempts", step.attempts}};
  if (step.started_at != Instant{}) json["started_at"] = timestamp(step.started_at);
  if (step.ended_at != Instant{} && is_terminal(step.state)) {
    json["finished_at"] = timestamp(step.ended_at);
    json["duration_ms"] = step.took.count();
  }
  if (step.queued.count() > 0) json["queued_ms"] = step.queued.count();
  if (!step.what.empty()) json["what"] = step.what;
  if (!step.reason.empty()) json["reason"] = step.reason;
  if (step.undone) json["undone"] = true;
  if (step.memo) json["memo"] = memo_json(*step.memo);
  if (step.page > 0) json["page"] = step.page;
  if (step.due) json["due"] = timestamp(*step.due);
  if (step.failure) json["error"] = to_json(*step.failure);
  if (!step.output.is_null()) json["output"] = step.output.json();
  return json;
}

std::string file_of(const OutlineRow& row, const std::string& main, const std::string& folder) {
  const std::filesystem::path whole(main);
  const std::filesystem::path file = (row.file.empty() ? whole : whole.parent_path() / row.file).lexically_normal();
  const std::filesystem::path near = file.lexically_relative(folder);
  const bool below = !near.empty() && *near.begin() != "..";
  return below ? near.string() : file.string();
}

std::string place_of(const OutlineRow& row, const std::string& main, const std::string& folder) {
  return main.empty() ? "" : fmt::format("{}:{}", file_of(row, main, folder), row.origin.line);
}

bool only_holds_others(const StepHistory& step) {
  if (step.state != State::Succeeded) return false;
  return step.kind == "parallel" || step.kind == "sequence" || step.kind == "switch" || step.kind == "race" ||
         step.kind == "for_each" || step.kind == "repeat" || step.kind == "workflow" || step.kind == "item";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], std::min<std::size_t>(row[i].size(), 60));
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size())
        line += std::string(widths[i] > row[i].size() ? widths[i] - row[i].size() : 0, ' ') + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

namespace {

constexpr std::size_t kLastLines = 20;  // as many as the journal keeps

/// `order.yaml:27   http: POST ${ $vars.api }/payments`, as people find it: of a sub-workflow its own file.
std::string as_written(const RunRecord& run, const OutlineRow& row) {
  std::string file = row.file.empty() ? std::filesystem::path(run.file).filename().string() : row.file;
  return fmt::format("{}:{}   {}:{}{}", file, row.origin.line, row.kind, row.what.empty() ? "" : " ",
                     one_line(row.what, 100));
}

}  // namespace

std::string failure_text(const RunRecord& run, const Failure& failure, const History& history, const OutlineRow* row,
                         const std::string& journal) {
  auto command = [&](const char* word) { return typed_command({word, run.id}, journal); };
  const StepHistory* step = history.find(failure.step);
  std::string text = "error: ";
  // What ends a run as a whole says so itself.
  const bool of_run = failure.step.empty() && failure.message.starts_with("the run ");
  if (failure.step.empty()) {
    text += failure.type == "cancelled" ? "the run was" : of_run ? "" : "the run failed";
  } else {
    text += "step " + failure.step + " failed";
  }
  if (step && step->page > 0) {
    text += fmt::format(" at page {}", step->page);
  } else if (step && step->attempts > 1) {
    text += fmt::format(" after {} tries", step->attempts);
  }
  if (step && step->attempts > 0) text += " in " + to_display(step->took);
  text += of_run ? failure.message + "\n"
          : failure.step.empty() && failure.type == "cancelled"
              ? " " + failure.message + "\n"
              : fmt::format(": {}: {}\n", failure.type, failure.message);
  if (row && !run.file.empty()) text += fmt::format("   {}\n", as_written(run, *row));
  text += last_words(failure, kLastLines, "   ");
  std::vector<std::string> blocked, undone;
  for (const StepHistory& other : history.steps()) {
    if (other.state == State::Blocked) blocked.push_back(other.path);
    if (other.undone) undone.push_back(other.path);
  }
  if (!undone.empty()) text += "   undone:  " + some_of(undone) + "\n";
  const Json& detail = failure.detail.json();
  if (detail.is_object() && detail.contains("undo_failed")) {
    std::vector<std::string> not_undone;
    for (const Json& path : detail["undo_failed"])
      if (path.is_string()) not_undone.push_back(path.get<std::string>());
    text += fmt::format("   not undone: {}; to try again: {}\n", some_of(not_undone), command("undo"));
  }
  if (!blocked.empty()) text += "   blocked: " + some_of(blocked) + "\n";
  text += fmt::format("   look:    {}\n   retry:   {}\n", command("show"), command("retry"));
  return text;
}

}  // namespace flowrun::cli
