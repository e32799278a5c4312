// flowrun logs: what processes and steps `log` have said.
#include <fmt/format.h>

#include <cerrno>
#include <deque>

#include "cli/pager.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/run/run_log.h"

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

std::string printed(const LogLine& line, const LogsOptions& options) {
  if (!options.json) return log_text(line, options.step.empty());
  Json json{{"at", timestamp(line.at)}, {"step", line.step}};
  if (line.level.empty()) {
    json["attempt"] = line.attempt;
    json["stream"] = line.is_stderr ? "stderr" : "stdout";
  } else {
    json["stream"] = "log";
    json["level"] = line.level;
  }
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
  /// Nothing was said.
  bool idle() const { return idle_; }

  void add(const LogLine& line) {
    idle_ = false;
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
  bool enough_ = false, idle_ = true;
  bool all_ = false;
};

int logs(const Context& context, const LogsOptions& options) {
  if (options.follow && options.failed)
    throw Error(Problem::Usage, "--failed --follow: a step has failed only when it has nothing more to say");
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, options.run);
  const std::string only = options.step.empty() ? "" : known_step(journal, run, options.step);
  RunLog log(journal, run);
  auto wanted = [&](const std::string& path, bool is_stderr) {
    if ((!only.empty() && path != only) || (options.only_stderr && !is_stderr)) return false;
    const StepHistory* step = options.failed ? log.history().find(path) : nullptr;
    return !options.failed || (step && step->state == State::Failed);
  };
  if (!options.follow && !options.json) page_output();
  Printer printer(options);
  auto print = [&](const LogLine& line) {
    printer.add(line);
    return !printer.enough();
  };
  const bool follows = options.follow && log.goes_on();
  log.lines(wanted, print, !follows);
  printer.finish();
  if (follows && !printer.enough())
    log.follow(wanted, print, [&] {
      printer.flush();
      return !printer.enough();
    });
  if (printer.idle() && !log.history().on().empty() && !context.quiet)
    std::fprintf(stderr, "note: steps were carried out on %s; what they said has stayed with their workers\n",
                 log.history().on().c_str());
  if (const std::string damage = log.damage(); !damage.empty()) std::fprintf(stderr, "warning: %s\n", damage.c_str());
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
  command->add_option("--tail", options->tail, "Only the last lines")->at_least(1)->type_name("N");
  command->add_flag("-f,--follow", options->follow, "Go on with what is said, until the run is over");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([&context, options] { context.chosen = [&context, options] { return logs(context, *options); }; });
}

}  // namespace flowrun::cli
