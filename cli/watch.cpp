// flowrun watch: a run that another process drives, shown as if it were driven here.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "cli/progress/progress.h"
#include "cli/progress/tally.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "cli/terminal.h"
#include "engine/run/clocks.h"
#include "engine/run/replay.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

constexpr Duration kLook{100};     // between two looks into the journal
constexpr Duration kDriver{1000};  // between two looks for who drives
constexpr int kSuspended = 4;

std::atomic<int> g_signal{0};

extern "C" void on_watch_signal(int signal) { g_signal = signal; }

struct WatchOptions {
  std::string run, on;
  std::string progress = "auto";
};

int exit_code_of(const RunRecord& run) {
  if (run.state == RunState::Succeeded) return 0;
  return has_ended(run.state) ? 1 : kSuspended;
}

int watch(const Context& context, const WatchOptions& options) {
  const RunSource source(context, options.on, options.run);
  Journal journal(source.path(), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, source.run());
  std::unique_ptr<Progress> progress = make_progress(context, progress_kind(context, options.progress), journal.path());
  if (progress) {
    try {
      const Loaded loaded = own_copy(journal, run);
      progress->plan(outline(loaded.workflow), answer_data(loaded), run.file);
    } catch (const Error&) {
      // Without the plan what happens is still worth to be seen.
    }
    progress->run(run.id);
    std::fprintf(stderr, "run %s\n", run.id.c_str());
  }
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    if (::signal(signal, on_watch_signal) == SIG_IGN && signal == SIGHUP) ::signal(signal, SIG_IGN);  // nohup

  Tally tally;
  std::string trouble = source.copy() ? source.copy()->trouble() : "";
  std::int64_t next = 1;
  Instant looked{};
  while (g_signal == 0) {
    // Who drives is asked before the entries are read, so that none of a drive that is over is missed.
    const bool ask = wall_clock() - looked >= kDriver;
    if (ask) {
      if (source.copy()) look_again(context, *source.copy(), trouble);
      const auto found = journal.find_exact(run.id);
      if (!found) throw Error(Problem::Impossible, fmt::format("run {} has been deleted", run.id));
      run = *found;
      looked = wall_clock();
    }
    const bool over = run.ended_at || run.driver_pid == 0;
    bool more = false;
    for (const Entry& entry : journal.read(run.number, next)) {
      more = true;
      next = entry.seq + 1;
      tally.add(entry);
      if (progress) progress->entry(entry);
      if (entry.kind == EntryKind::RunEnded || entry.kind == EntryKind::RunSuspended) looked = {};
    }
    if (progress) progress->turned(wall_clock(), {tally.ok(), tally.failed(), nullptr});
    if (stderr_is_unread()) return kOutputLost;
    if (more) continue;
    if (over && ask) break;
    if (!over || !ask) std::this_thread::sleep_for(kLook);
  }
  if (progress) progress->over();
  if (g_signal != 0) return 128 + g_signal;
  if (run.ended_at) {
    if (progress)
      progress->closed(*run.ended_at, {run.id, run.state, *run.ended_at - run.started_at, tally.ok(), tally.failed()});
  } else if (source.copy()) {
    tell_trouble(context, *source.copy());
  } else if (!context.quiet) {
    std::fprintf(stderr, "%s: nobody drives run %s; %s goes on\n",
                 run.state == RunState::Suspended ? "suspended" : "cut off", run.id.c_str(),
                 typed_command({"resume", run.id}, journal.path()).c_str());
  }
  return exit_code_of(run);
}

}  // namespace

void add_watch(Command& app, Context& context) {
  auto options = std::make_shared<WatchOptions>();
  Command* command = app.add_subcommand("watch", "Show a run that another process drives; exit as it does");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  add_server_option(*command, options->on);
  add_progress_option(*command, options->progress);
  command->callback([&context, options] { context.chosen = [&context, options] { return watch(context, *options); }; });
}

}  // namespace flowrun::cli
