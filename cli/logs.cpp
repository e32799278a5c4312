// flowrun logs: the output of processes: what the journal keeps of it, and the log file beside it.
#include <fmt/format.h>

#include <algorithm>

#include "cli/open.h"
#include "cli/render.h"
#include "engine/executor/output_log.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

struct LogsOptions {
  std::string run, step;
  bool failed = false;
  bool only_stderr = false;
  std::size_t tail = 0;
  bool json = false;
};

struct LogLine {
  Instant at;
  std::string step;
  int attempt;
  std::string stream;
  std::string text;
};

void add_lines(std::vector<LogLine>& lines, Instant at, const std::string& step, int attempt, const std::string& stream,
               std::string_view text) {
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back({at, step, attempt, stream, std::string(text.substr(0, end))});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// What the entry of an ended process holds: its value, and the tail of its standard error when it failed.
void add_entry(std::vector<LogLine>& lines, const Entry& entry) {
  const Json data = data_of(entry);
  const Json detail = data.contains("failure") ? data["failure"].value("detail", data["failure"]) : Json::object();
  if (!entry.value.is_null()) {
    const Json& value = entry.value.json();
    bool raw = value.is_object() && value.contains("stdout") && value.contains("exit_code");
    const Json& shown = raw ? value["stdout"] : value;
    add_lines(
        lines, entry.at, entry.path, entry.attempt, "stdout",
        shown.is_string() ? shown.get<std::string>() : shown.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  if (detail.is_object() && detail.contains("stderr_tail") && detail["stderr_tail"].is_string())
    add_lines(lines, entry.at, entry.path, entry.attempt, "stderr", detail["stderr_tail"].get<std::string>());
}

int logs(const Context& context, const LogsOptions& options) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  RunRecord run = looked_at(journal, options.run);
  const std::string wanted = options.step.empty() ? "" : known_step(journal, run, options.step);
  std::vector<LogLine> lines;
  std::vector<LogFrame> frames = read_output_log(journal.run_dir(run.id) + "/output.log");
  auto logged = [&](const Entry& entry) {
    return std::any_of(frames.begin(), frames.end(), [&](const LogFrame& frame) {
      return frame.path == entry.path && frame.attempt == entry.attempt;
    });
  };
  History history;
  std::map<std::string, bool> is_process;
  for (std::int64_t from = 1;;) {
    std::vector<Entry> slice = journal.read(run.number, from);
    if (slice.empty()) break;
    for (const Entry& entry : slice) {
      history.add(entry);
      if (entry.kind == "start") is_process[entry.path] = history.find(entry.path)->kind != "http";
      if ((entry.kind == "ended" || entry.kind == "late") && is_process[entry.path] && !logged(entry))
        reading(entry, [&] { add_entry(lines, entry); });
    }
    from = slice.back().seq + 1;
  }
  for (const LogFrame& frame : frames)
    add_lines(lines, frame.at, frame.path, frame.attempt, frame.is_stderr ? "stderr" : "stdout", frame.bytes);
  std::stable_sort(lines.begin(), lines.end(), [](const LogLine& a, const LogLine& b) { return a.at < b.at; });
  std::erase_if(lines, [&](const LogLine& line) {
    const StepHistory* step = history.find(line.step);
    return (!wanted.empty() && line.step != wanted) || (options.only_stderr && line.stream != "stderr") ||
           (options.failed && !(step && step->state == State::Failed));
  });
  if (options.tail > 0 && lines.size() > options.tail)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(options.tail));
  std::string text;
  for (const LogLine& line : lines) {
    if (options.json) {
      text += Json{{"at", timestamp(line.at)},
                   {"step", line.step},
                   {"attempt", line.attempt},
                   {"stream", line.stream},
                   {"line", line.text}}
                  .dump(-1, ' ', false, Json::error_handler_t::replace) +
              "\n";
    } else {
      text += options.step.empty() ? fmt::format("[{}] {}\n", line.step, line.text) : line.text + "\n";
    }
  }
  print_result(text);
  return 0;
}

}  // namespace

void add_logs(Command& app, Context& context) {
  auto options = std::make_shared<LogsOptions>();
  Command* command = app.add_subcommand("logs", "The output of processes");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("--step", options->step, "Of this step")->type_name("PATH");
  command->add_flag("--failed", options->failed, "Only of failed steps");
  command->add_flag("--stderr", options->only_stderr, "Only standard error");
  command->add_option("--tail", options->tail, "Only the last lines")->type_name("N");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([&context, options] { context.chosen = [&context, options] { return logs(context, *options); }; });
}

}  // namespace flowrun::cli
