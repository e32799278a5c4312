// flowrun logs: what processes have said, from the log beside the journal; of runs of older versions also what the
// journal keeps of it.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

#include "cli/render.h"
#include "cli/runs.h"
#include "engine/executor/output_frame.h"
#include "engine/executor/output_reader.h"
#include "engine/model/entry_reading.h"

namespace flowrun::cli {
namespace {

struct LogsOptions {
  std::string run, step;
  bool failed = false;
  bool only_stderr = false;
  std::size_t tail = 0;
  bool follow = false;
  bool json = false;
};

/// A line of the logs, or a place where something is missing.
struct LogLine {
  Instant at{};
  std::string step;
  int attempt = 0;
  bool is_stderr = false;
  std::string text;
  std::uint64_t left_out = 0, lost = 0;
  std::string why;
};

constexpr std::chrono::milliseconds kLook{200};  // between two looks for more

using Stream = std::tuple<std::string, int, bool>;  // step, attempt, whether it is standard error

/// What is not in the log: of steps that were taken over, and of all in runs of older versions, which logged only what
/// was long.
class Unlogged {
 public:
  explicit Unlogged(const OutputReader& reader) {
    for (const OutputReader::Source& source : reader.sources())
      logged_[{source.path, source.attempt, source.is_stderr}] += source.lost;
  }

  void add(const Entry& entry) {
    if (entry.kind == EntryKind::RunStarted) all_logged_ = as<RunStarted>(entry).output_log > 0;
    if (entry.kind == EntryKind::StartTask) is_process_[entry.path] = input_of(entry).starts_with(R"({"argv":)");
    if ((entry.kind != EntryKind::TaskEnded && entry.kind != EntryKind::LateEnd) || !is_process_[entry.path]) return;
    const Result result = as<TaskEnded>(entry).result;
    if (!all_logged_ || result.taken) from_entry(entry, result);
    std::uint64_t told = logged(entry, false).second + logged(entry, true).second;
    if (const auto lost = static_cast<std::uint64_t>(result.unlogged); lost > told)
      lines.push_back({entry.at, entry.path, entry.attempt, false, "", 0, lost - told, ""});
  }

  std::vector<LogLine> lines;  ///< in order of time

 private:
  std::pair<bool, std::uint64_t> logged(const Entry& entry, bool is_stderr) const {
    auto found = logged_.find({entry.path, entry.attempt, is_stderr});
    return found == logged_.end() ? std::pair(false, std::uint64_t{0}) : std::pair(true, found->second);
  }

  /// Its value, and the end of its standard error when it failed.
  void from_entry(const Entry& entry, const Result& result) {
    const Json detail = result.failure ? result.failure->detail.json() : Json();
    if (!entry.value.is_null() && !logged(entry, false).first) {
      const Json& value = entry.value.json();
      bool raw = value.is_object() && value.contains("stdout") && value.contains("exit_code");
      const Json& shown = raw ? value["stdout"] : value;
      add_lines(
          entry, false,
          shown.is_string() ? shown.get<std::string>() : shown.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    if (detail.is_object() && detail.contains("stderr_tail") && detail["stderr_tail"].is_string() &&
        !logged(entry, true).first)
      add_lines(entry, true, detail["stderr_tail"].get<std::string>());
  }

  void add_lines(const Entry& entry, bool is_stderr, std::string_view text) {
    while (!text.empty()) {
      std::size_t end = std::min(text.find('\n'), text.size());
      lines.push_back({entry.at, entry.path, entry.attempt, is_stderr, std::string(text.substr(0, end)), 0, 0, ""});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::map<Stream, std::uint64_t> logged_;  ///< with the bytes of them that are lost
  std::map<std::string, bool> is_process_;
  bool all_logged_ = false;
};

/// What stands where something is missing.
std::string missing_text(const LogLine& line) {
  std::string text;
  if (line.left_out > 0) text = fmt::format("{} bytes left out", line.left_out);
  if (line.lost > 0)
    text += fmt::format("{}{} bytes could not be written{}{}", text.empty() ? "" : ", ", line.lost,
                        line.why.empty() ? "" : ": ", line.why);
  return text.empty() ? text : "... " + text + " ...";
}

std::string printed(const LogLine& line, const LogsOptions& options) {
  if (!options.json) {
    std::string missing = missing_text(line);
    const std::string& text = missing.empty() ? line.text : missing;
    return options.step.empty() ? fmt::format("[{}] {}\n", line.step, text) : text + "\n";
  }
  Json json{{"at", timestamp(line.at)},
            {"step", line.step},
            {"attempt", line.attempt},
            {"stream", line.is_stderr ? "stderr" : "stdout"}};
  if (line.left_out > 0) json["left_out"] = line.left_out;
  if (line.lost > 0) json["lost"] = line.lost;
  if (!line.why.empty()) json["why"] = line.why;
  if (line.left_out == 0 && line.lost == 0) json["line"] = line.text;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Prints as it goes, or in the end the last lines.
class Printer {
 public:
  explicit Printer(const LogsOptions& options) : options_(options) {}

  bool enough() const { return enough_; }

  void add(const LogLine& line) {
    if (enough_) return;
    if (options_.tail > 0 && !all_) {
      last_.push_back(printed(line, options_));
      if (last_.size() > options_.tail) last_.pop_front();
      return;
    }
    text_ += printed(line, options_);
    if (text_.size() > kAtOnce) print();
  }

  void finish() {
    flush();
    if (enough_ || text_.empty()) return;
    print();
  }
  /// Prints what there is; what comes from here on is printed as it comes.
  void flush() {
    if (enough_) return;
    for (const std::string& line : last_) text_ += line;
    last_.clear();
    all_ = true;
    if (!text_.empty()) print();
  }

 private:
  static constexpr std::size_t kAtOnce = 1 << 16;
  void print() {
    try {
      print_result(text_);
    } catch (const OutputLost&) {
      // Who reads has seen enough, as `head` does.
      if (errno != EPIPE) throw;
      enough_ = true;
    }
    text_.clear();
  }

  const LogsOptions& options_;
  std::deque<std::string> last_;
  std::string text_;
  bool enough_ = false;
  bool all_ = false;
};

/// Prints what is said from here on, until the run has ended or nobody drives it.
void follow(const Journal& journal, const RunRecord& run, const std::string& folder,
            std::map<Stream, std::uint64_t>& known, const std::function<bool(const std::string&, bool)>& wanted,
            Printer& printer) {
  for (bool over = false; !over && !printer.enough();) {
    // Who drives is asked before the files are read, so that what was said last is not missed.
    const auto now = journal.find_exact(run.id);
    over = !now || now->ended_at || now->driver_pid == 0;
    const OutputReader reader(folder);
    OutputReader::Known before;
    for (const OutputReader::Source& source : reader.sources())
      before.push_back(known[{source.path, source.attempt, source.is_stderr}]);
    reader.lines(
        [&](const OutputReader::Line& line) {
          const OutputReader::Source& source = reader.sources()[line.source];
          if (line.open && !over) return true;  // more of it may come
          known[{source.path, source.attempt, source.is_stderr}] = line.end;
          if (wanted(source.path, source.is_stderr))
            printer.add({line.at, source.path, source.attempt, source.is_stderr, std::string(line.text), line.left_out,
                         line.lost, line.why});
          return !printer.enough();
        },
        before);
    printer.flush();
    if (!over) std::this_thread::sleep_for(kLook);
  }
}

int logs(const Context& context, const LogsOptions& options) {
  if (options.follow && options.failed)
    throw Error(Problem::Usage, "--failed --follow: a step has failed only when it has nothing more to say");
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, options.run);
  const std::string only = options.step.empty() ? "" : known_step(journal, run, options.step);
  const std::string folder = journal.run_dir(run.id);
  OutputReader reader(folder);
  Unlogged unlogged(reader);
  History history;
  for (const Entry& entry : entries(journal, run)) {
    history.add(entry);
    reading(entry, [&] { unlogged.add(entry); });
  }
  auto wanted = [&](const std::string& path, bool is_stderr) {
    if ((!only.empty() && path != only) || (options.only_stderr && !is_stderr)) return false;
    const StepHistory* step = options.failed ? history.find(path) : nullptr;
    return !options.failed || (step && step->state == State::Failed);
  };
  std::vector<bool> shown;
  for (const OutputReader::Source& source : reader.sources()) shown.push_back(wanted(source.path, source.is_stderr));

  Printer printer(options);
  auto other = unlogged.lines.begin();
  auto others_until = [&](std::optional<Instant> at) {
    for (; other != unlogged.lines.end() && (!at || other->at <= *at); ++other)
      if (wanted(other->step, other->is_stderr)) printer.add(*other);
  };
  LogLine said;
  std::map<Stream, std::uint64_t> known;
  const bool follows = options.follow && !run.ended_at && run.driver_pid != 0;
  reader.lines([&](const OutputReader::Line& line) {
    if (follows && line.open) return true;  // more of it may come
    if (follows) {
      const OutputReader::Source& source = reader.sources()[line.source];
      known[{source.path, source.attempt, source.is_stderr}] = line.end;
    }
    if (!shown[line.source]) return true;
    others_until(line.at);
    const OutputReader::Source& source = reader.sources()[line.source];
    said = {line.at,       source.path, source.attempt, source.is_stderr, std::string(line.text),
            line.left_out, line.lost,   line.why};
    printer.add(said);
    return !printer.enough();
  });
  others_until(std::nullopt);
  printer.finish();
  if (follows) follow(journal, run, folder, known, wanted, printer);
  if (reader.damaged_at() > 0)
    std::fprintf(stderr, "warning: %s/%s is damaged from byte %llu on\n", folder.c_str(), kOutputLog,
                 static_cast<unsigned long long>(reader.damaged_at()));
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
  command->add_flag("-f,--follow", options->follow, "Go on with what is said, until the run is over");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([&context, options] { context.chosen = [&context, options] { return logs(context, *options); }; });
}

}  // namespace flowrun::cli
