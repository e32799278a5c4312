// flowrun cancel, undo: end a run, whoever drives it; undo what it has done.
#include <chrono>
#include <thread>

#include "cli/commands.h"
#include "cli/drive.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "cli/stop_signals.h"
#include "engine/run/control.h"
#include "engine/run/detached_start.h"

namespace flowrun::cli {
namespace {

constexpr std::chrono::milliseconds kLookAgain{300};  // at a run on a server

/// 0 when the run has come to be cancelled, and nothing was left undone that should be.
int exit_code(const RunRecord& run) { return run.state == RunState::Cancelled && fully_undone(run) ? 0 : 1; }

int run_cancel(const Context& context, const std::string& id, const CancelRequested& request, const DriveFlags& flags) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  Drive drive(context, flags, journal);
  Opened opened = cancel(journal, id, request, workdir_option(flags.workdir), drive);
  if (!opened.run) {
    const RunRecord& ended = opened.record;
    if (!context.quiet) std::fprintf(stderr, "run %s has %s\n", ended.id.c_str(), ended_as(ended.state).c_str());
    return drive.write_reports(ended.id, exit_code(ended));
  }
  const int stopped = drive.finish(*opened.run);
  const RunRecord run = journal.find(opened.record.id);
  return has_ended(run.state) ? drive.exit_code(exit_code(run)) : stopped;
}

/// The same of a run on a server.
int cancel_on_server(const Context& context, const std::string& on, const std::string& id, CancelRequested request) {
  const RunSource source(context, on, id);
  const Journal journal(source.path(), Journal::Mode::ReadOnly);
  const bool asked = cancel_detached(*source.copy(), std::move(request));
  if (!context.quiet && asked) std::fprintf(stderr, "run %s is asked to end\n", source.run().c_str());
  hear_signals();
  std::string trouble = source.copy()->trouble();
  while (asked && !has_ended(journal.find(source.run()).state) && source.copy()->goes_on()) {
    if (stop_asked()) return code_of_signal();
    std::this_thread::sleep_for(kLookAgain);
    look_again(context, *source.copy(), trouble);
  }
  const RunRecord run = journal.find(source.run());
  if (!has_ended(run.state)) tell_trouble(context, *source.copy());
  if (!context.quiet && has_ended(run.state))
    std::fprintf(stderr, "run %s has %s\n", run.id.c_str(), ended_as(run.state).c_str());
  return exit_code(run);
}

int run_undo(const Context& context, const std::string& id, const DriveFlags& flags) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  Drive drive(context, flags, journal);
  Opened opened = undo(journal, id, workdir_option(flags.workdir), drive);
  if (!opened.run) {
    std::fprintf(stderr, "nothing to undo: run %s has no step with an `undo` that is done and not yet undone\n",
                 opened.record.id.c_str());
    return drive.write_reports(opened.record.id, 0);
  }
  const int stopped = drive.finish(*opened.run, false);
  const RunRecord run = journal.find(opened.record.id);
  if (!has_ended(run.state)) return stopped;
  return drive.exit_code(fully_undone(run) ? 0 : 1);
}

}  // namespace

void add_cancel(Command& app, Context& context) {
  struct Options {
    std::string run, on;
    CancelRequested cancel;
    DriveFlags drive;
  };
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("cancel", "End a run, also one that another process drives");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last:NAME")->required();
  auto* with_undo = command->add_flag("--undo", options->cancel.undo, "Undo first what it has done");
  command->add_flag("--now", options->cancel.now, "Run nothing more, not even `finally`")->excludes(with_undo);
  add_workdir_option(*command, options->drive.workdir);
  add_server_option(*command, options->on);
  add_drive_options(*command, options->drive);
  command->callback([&context, options] {
    context.chosen = [&context, options] {
      if (!options->on.empty()) {
        refuse_drive_options(options->drive, "--on");
        return cancel_on_server(context, options->on, options->run, options->cancel);
      }
      return run_cancel(context, options->run, options->cancel, options->drive);
    };
  });

  auto undone = std::make_shared<Options>();
  command = app.add_subcommand("undo", "Undo what a finished run has done");
  command->add_option("RUN", undone->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  add_workdir_option(*command, undone->drive.workdir);
  add_drive_options(*command, undone->drive);
  command->callback([&context, undone] {
    context.chosen = [&context, undone] { return run_undo(context, undone->run, undone->drive); };
  });
}

}  // namespace flowrun::cli
