// flowrun resume: go on with a run that was cut off, suspended, or killed.
#include <fmt/format.h>

#include <filesystem>

#include "cli/open.h"
#include "cli/render.h"

namespace flowrun::cli {
namespace {

struct ResumeCommand {
  std::string run;
  std::string on_crash;
  std::vector<std::string> marks;
  std::string workdir;
  DriveOptions drive;
};

/// `STEP=done[:JSON]` or `STEP=failed`.
Mark parse_mark(const std::string& text) {
  // A key of an item may hold `=`; what is said stands behind the last one that makes sense.
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    std::string said = text.substr(at + 1);
    Mark mark;
    mark.path = text.substr(0, at);
    if (said == "failed") return mark;
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
  throw Error(Problem::Usage, fmt::format("--mark {}: write STEP=done, STEP=done:JSON or STEP=failed", text));
}

int resume(const Context& context, const ResumeCommand& command) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RunRecord record = journal.find(command.run);
  if (record.state == "succeeded") return print_ended(record, command.drive.json);
  if (record.state == "failed" || record.state == "cancelled") {
    std::fprintf(stderr, "run %s has %s; to try again: flowrun retry %s\n", record.id.c_str(),
                 ended_as(record.state).c_str(), record.id.c_str());
    return print_ended(record, command.drive.json);
  }
  ResumeOptions options;
  options.on_crash = on_crash_option(command.on_crash);
  for (const std::string& text : command.marks) options.marks.push_back(parse_mark(text));
  if (!command.workdir.empty()) {
    std::error_code error;
    options.workdir = std::filesystem::canonical(command.workdir, error).string();
    if (error) throw Error(Problem::Usage, fmt::format("--workdir {}: {}", command.workdir, error.message()));
  }
  return go_on(journal, record, options, context, command.drive, Next::Resume);
}

}  // namespace

void add_resume(Command& app, Context& context) {
  auto options = std::make_shared<ResumeCommand>();
  Command* command = app.add_subcommand("resume", "Go on with a run that was cut off or suspended");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  command->add_option("--on-crash", options->on_crash, "Answer for `on_crash: ask`")->one_of({"rerun", "fail"});
  command->add_option("--mark", options->marks, "What became of a step that was in flight")
      ->type_name("STEP=done[:JSON]|failed")
      ->repeatable();
  command->add_option("--workdir", options->workdir, "Where processes run, when the old folder is gone")
      ->type_name("DIR");
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return resume(context, *options); }; });
}

void add_retry(Command& app, Context& context) {
  struct Options {
    std::string run, step;
    DriveOptions drive;
  };
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("retry", "Reopen what failed in a finished run and go on");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  command->add_option("STEP", options->step, "Only this step and what depends on it");
  add_drive_options(*command, options->drive);
  command->callback([&context, options] {
    context.chosen = [&context, options] {
      Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
      RunRecord record = journal.find(options->run);
      bool over = record.state == "failed" || record.state == "cancelled";
      if (record.state == "succeeded" && !options->step.empty()) over = true;
      if (record.state == "succeeded" && !over) {
        std::fprintf(stderr, "run %s has succeeded; there is nothing to retry\n", record.id.c_str());
        return print_ended(record, options->drive.json);
      }
      if (!over)
        throw Error(Problem::Impossible,
                    fmt::format("run {} has not ended; go on with it: flowrun resume {}", record.id, record.id));
      return go_on(journal, record, {}, context, options->drive, Next::Retry, options->step);
    };
  });
}

}  // namespace flowrun::cli
