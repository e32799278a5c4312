// flowrun cancel, undo: end a run, whoever drives it; undo what it has done.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "cli/runs.h"
#include "engine/journal/typed_command.h"
#include "engine/run/mailbox.h"
#include "engine/run/replay.h"

namespace flowrun::cli {
namespace {

constexpr std::chrono::milliseconds kRound{50};  // how often a run that another process drives is looked at

/// 0 when the run has come to be cancelled, and nothing was left undone that should be.
int told(const RunRecord& run) {
  const Json& error = run.error.json();
  bool undone = !error.is_object() || !error.contains("undo_failed");
  return run.state == "cancelled" && undone ? 0 : 1;
}

/// Leaves word for the process that drives |run|, and waits until it is done. Nothing: that process is gone.
std::optional<RunRecord> ask(Journal& journal, const RunRecord& run, const CancelRequested& cancel) {
  const Instant now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  std::int64_t id = journal.post(run, to_mail(cancel, now));
  for (;;) {
    auto then = journal.find_exact(run.id);
    if (then && has_ended(*then)) {
      journal.withdraw(run, id);
      return then;
    }
    if (!then || then->driver_pid == 0) {
      journal.withdraw(run, id);
      return std::nullopt;
    }
    std::this_thread::sleep_for(kRound);
  }
}

int cancel(const Context& context, const std::string& id, CancelRequested cancel, const DriveOptions& drive) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RunRecord run = journal.find(id);
  if (has_ended(run))
    throw Error(Problem::Impossible, fmt::format("run {} has {} already{}", run.id, ended_as(run.state),
                                                 cancel.undo ? "; to undo what it has done: " +
                                                                   typed_command({"undo", run.id}, journal.path())
                                                             : ""));
  cancel.by = sender();
  if (run.driver_pid > 0) {
    if (!context.quiet) std::fprintf(stderr, "run %s is asked to end\n", run.id.c_str());
    if (auto ended = ask(journal, run, cancel)) {
      if (!context.quiet) std::fprintf(stderr, "run %s has %s\n", run.id.c_str(), ended_as(ended->state).c_str());
      return told(*ended);
    }
    run = journal.find(run.id);
  }
  ResumeOptions options;
  options.cancel = cancel;
  int stopped = go_on(journal, run, options, context, drive, Next::Resume);
  run = journal.find(run.id);
  return has_ended(run) ? told(run) : stopped;
}

/// Whether an undo of |run| was begun and has not come to its end.
bool is_being_undone(const Journal& journal, const RunRecord& run) {
  bool undoing = false;
  for (std::int64_t from = 1;;) {
    std::vector<Entry> slice = journal.read(run.number, from);
    if (slice.empty()) return undoing;
    for (const Entry& entry : slice) {
      if (entry.kind == "run_undone") undoing = true;
      if (entry.kind == "run_ended") undoing = false;
    }
    from = slice.back().seq + 1;
  }
}

int undo(const Context& context, const std::string& id, const DriveOptions& drive) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RunRecord run = journal.find(id);
  if (!has_ended(run))
    throw Error(Problem::Impossible,
                is_being_undone(journal, run)
                    ? fmt::format("run {} is being undone already; {} goes on with it", run.id,
                                  typed_command({"resume", run.id}, journal.path()))
                    : fmt::format("run {} has not ended; {} ends it and undoes what it has done", run.id,
                                  typed_command({"cancel", run.id, "--undo"}, journal.path())));
  int stopped = go_on(journal, run, {}, context, drive, Next::Undo);
  run = journal.find(run.id);
  if (!has_ended(run)) return stopped;
  const Json error = run.error.json();
  return error.is_object() && error.contains("undo_failed") ? 1 : 0;
}

}  // namespace

void add_cancel(Command& app, Context& context) {
  struct Options {
    std::string run;
    CancelRequested cancel;
    DriveOptions drive;
  };
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand("cancel", "End a run, also one that another process drives");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last:NAME")->required();
  auto* with_undo = command->add_flag("--undo", options->cancel.undo, "Undo first what it has done");
  command->add_flag("--now", options->cancel.now, "Run nothing more, not even `finally`")->excludes(with_undo);
  add_drive_options(*command, options->drive);
  command->callback([&context, options] {
    context.chosen = [&context, options] { return cancel(context, options->run, options->cancel, options->drive); };
  });

  auto undone = std::make_shared<Options>();
  command = app.add_subcommand("undo", "Undo what a finished run has done");
  command->add_option("RUN", undone->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  add_drive_options(*command, undone->drive);
  command->callback([&context, undone] {
    context.chosen = [&context, undone] { return undo(context, undone->run, undone->drive); };
  });
}

}  // namespace flowrun::cli
