// flowrun resume: go on with a run that was cut off, suspended, or killed.
#include <fmt/format.h>

#include "cli/drive.h"
#include "cli/runs.h"
#include "cli/start.h"
#include "engine/journal/typed_command.h"
#include "engine/run/control.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kFailedNamed = 5;  // of steps in one message

struct ResumeCommand {
  std::string run;
  std::string on_crash;
  std::vector<std::string> marks;
  DriveFlags drive;
};

constexpr const char* kMarkForm = "STEP=done[:JSON]|failed|rerun";

/// `STEP=done[:JSON]`, `STEP=failed` or `STEP=rerun`.
Mark parse_mark(const std::string& text) {
  // A key of an item may hold `=`; what is said stands behind the last one that makes sense.
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    std::string said = text.substr(at + 1);
    Mark mark;
    mark.path = text.substr(0, at);
    if (mark.path.empty()) break;
    mark.rerun = said == "rerun";
    if (mark.rerun || said == "failed") return mark;
    mark.done = said == "done" || said.rfind("done:", 0) == 0;
    if (!mark.done) continue;
    if (said.size() > 5) {
      Json json = Json::parse(said.substr(5), nullptr, false);
      if (json.is_discarded())
        throw Error(Problem::Usage, fmt::format("--mark {}: `{}` is no JSON", text, said.substr(5)));
      mark.output = Value(std::move(json));
    }
    return mark;
  }
  throw Error(Problem::Usage,
              fmt::format("--mark {}: write STEP=done, STEP=done:JSON, STEP=failed or STEP=rerun", text));
}

int run_resume(const Context& context, const ResumeCommand& command) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  ResumeOptions options;
  options.on_crash = on_crash_option(command.on_crash);
  options.jobs = command.drive.jobs;
  for (const std::string& text : command.marks) options.marks.push_back(parse_mark(text));
  options.workdir = workdir_option(command.drive.workdir);
  options.on = on_option(command.drive, false);
  Drive drive(context, command.drive, journal);
  Opened opened = resume(journal, command.run, options, drive);
  if (opened.run) return drive.finish(*opened.run);
  const RunRecord& record = opened.record;
  if (record.state != RunState::Succeeded)
    std::fprintf(stderr, "run %s has %s; to try again: %s\n", record.id.c_str(), ended_as(record.state).c_str(),
                 typed_command({"retry", record.id}, journal.path()).c_str());
  return drive.finish_ended(record);
}

struct RetryCommand {
  std::string run, step;
  bool failed = false;
  std::vector<std::string> marks;
  DriveFlags drive;
};

/// Says what has failed in a run that has succeeded all the same.
void offer_failed(const Journal& journal, const RunRecord& record) {
  std::size_t failed = 0;
  std::string names;
  const History history = history_of(journal, record);
  for (const StepHistory& step : history.steps())
    if (step.state == State::Failed && ++failed <= kFailedNamed) names += " " + step.path;
  std::fprintf(stderr, "run %s has succeeded; there is nothing to retry\n", record.id.c_str());
  if (failed > 0)
    std::fprintf(stderr, "%zu %s failed and %s tolerated:%s%s; to run %s again: %s\n", failed,
                 failed == 1 ? "step" : "steps", failed == 1 ? "was" : "were", names.c_str(),
                 failed > kFailedNamed ? " ..." : "", failed == 1 ? "it" : "them",
                 typed_command({"retry", record.id, "--failed"}, journal.path()).c_str());
}

int run_retry(const Context& context, const RetryCommand& command) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RetryOptions options;
  options.path = command.step;
  options.failed = command.failed;
  options.jobs = command.drive.jobs;
  options.workdir = workdir_option(command.drive.workdir);
  options.on = on_option(command.drive, false);
  for (const std::string& text : command.marks) options.marks.push_back(parse_mark(text));
  Drive drive(context, command.drive, journal);
  Opened opened = retry(journal, command.run, options, drive);
  if (opened.run) return drive.finish(*opened.run);
  offer_failed(journal, opened.record);
  return drive.finish_ended(opened.record);
}

}  // namespace

void add_resume(Command& app, Context& context) {
  auto options = std::make_shared<ResumeCommand>();
  Command* command = app.add_subcommand("resume", "Go on with a run that was cut off or suspended");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  command->add_option("--on-crash", options->on_crash, "Answer for `on_crash: ask`")->one_of({"rerun", "fail"});
  command->add_option("--mark", options->marks, "What became of a step that was in flight")
      ->type_name(kMarkForm)
      ->repeatable();
  add_workdir_option(*command, options->drive.workdir);
  add_jobs_option(*command, options->drive.jobs);
  add_on_option(*command, options->drive);
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_resume(context, *options); }; });
}

void add_retry(Command& app, Context& context) {
  auto options = std::make_shared<RetryCommand>();
  Command* command = app.add_subcommand("retry", "Reopen what failed in a finished run and go on");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  auto* step = command->add_option("STEP", options->step, "Only this step and what depends on it");
  command->add_flag("--failed", options->failed, "Also what has failed and was tolerated")->excludes(step);
  command->add_option("--mark", options->marks, "What became of a step")->type_name(kMarkForm)->repeatable();
  add_workdir_option(*command, options->drive.workdir);
  add_jobs_option(*command, options->drive.jobs);
  add_on_option(*command, options->drive);
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_retry(context, *options); }; });
}

}  // namespace flowrun::cli
