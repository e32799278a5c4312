// flowrun prune: takes old runs out of the journal.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "cli/drive.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/run/clocks.h"
#include "engine/run/prune.h"

namespace flowrun::cli {
namespace {

constexpr int kNotAll = 8;  // as for Impossible

struct PruneFlags {
  PruneOptions options;
  std::string older_than, keep, state;
  bool dry_run = false, yes = false, json = false;
};

/// Asked at a terminal only: a script has said what it wants.
bool agreed(const Context& context, const PruneFlags& flags, std::size_t runs, std::int64_t bytes) {
  if (flags.yes || context.no_input || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return true;
  std::fprintf(stderr, "remove %zu %s, %s? [y/N] ", runs, runs == 1 ? "run" : "runs", bytes_text(bytes).c_str());
  char answer[16] = "";
  return std::fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

int prune_runs(const Context& context, PruneFlags& flags) {
  PruneOptions& options = flags.options;
  if (!flags.older_than.empty()) options.older_than = duration_option(flags.older_than, "--older-than");
  if (!flags.keep.empty()) {
    if (flags.keep.find_first_not_of("0123456789") != std::string::npos || flags.keep.size() > 9)
      throw Error(Problem::Usage, fmt::format("--keep {} is no number of runs", flags.keep));
    options.keep = std::stoul(flags.keep);
  }
  if (!flags.state.empty()) options.state = run_state_from(flags.state);
  const bool chosen = options.older_than || options.keep || options.state;
  if (!chosen && options.runs.empty())
    throw Error(Problem::Usage, "which runs? name them, or say --older-than 30d, --keep 50 or --state succeeded");
  if (chosen && !options.runs.empty())
    throw Error(Problem::Usage, "runs that are named are removed whatever their age and state; leave the options out");

  Journal journal(journal_path(context.journal), flags.dry_run ? Journal::Mode::ReadOnly : Journal::Mode::ReadWrite);
  const Instant now = wall_clock();
  const PrunePlan plan = plan_prune(journal, options, now);
  std::int64_t bytes = 0;
  for (const PrunedRun& one : plan.remove) bytes += one.bytes;
  const auto tell_kept = [&](const std::vector<KeptRun>& kept) {
    for (const KeptRun& one : kept)
      if (!context.quiet) std::fprintf(stderr, "note: run %s stays: %s\n", one.run.id.c_str(), one.why.c_str());
  };
  tell_kept(plan.kept);

  std::string text;
  const auto tell = [&](const PrunedRun& one) {
    if (flags.json) {
      Json json = run_json(one.run);
      json["bytes"] = one.bytes;
      text += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    } else {
      text += one.run.id + "\n";
    }
  };
  Pruned done;
  if (flags.dry_run) {
    for (const PrunedRun& one : plan.remove) tell(one);
    print_result(text);
    if (!context.quiet)
      std::fprintf(stderr, "%zu %s would be removed, about %s; nothing was\n", plan.remove.size(),
                   plan.remove.size() == 1 ? "run" : "runs", bytes_text(bytes).c_str());
  } else if (!plan.remove.empty() && !agreed(context, flags, plan.remove.size(), bytes)) {
    std::fprintf(stderr, "nothing was removed\n");
    return 1;
  } else {
    done = prune(journal, plan, now, tell);
    tell_kept(done.kept);
    print_result(text);
    if (!context.quiet)
      std::fprintf(stderr, "%s\n",
                   done.runs == 0
                       ? "no run was removed"
                       : fmt::format("{} {} removed, about {}; the journal is {} smaller", done.runs,
                                     done.runs == 1 ? "run" : "runs", bytes_text(bytes), bytes_text(done.file_bytes))
                             .c_str());
  }
  if (done.memo.results > 0 && !context.quiet)
    std::fprintf(stderr, "%zu %s of `memo` %s too old, and %s removed\n", done.memo.results,
                 done.memo.results == 1 ? "result" : "results", done.memo.results == 1 ? "was" : "were",
                 done.memo.results == 1 ? "was" : "were");
  // Of those that were named none may stay unsaid.
  return !options.runs.empty() && (!plan.kept.empty() || !done.kept.empty()) ? kNotAll : 0;
}

}  // namespace

void add_prune(Command& app, Context& context) {
  auto flags = std::make_shared<PruneFlags>();
  Command* command = app.add_subcommand("prune", "Remove runs that have ended, with their files");
  command->add_option("RUN", flags->options.runs, "Just these runs, also when they have not ended");
  command->add_option("--older-than", flags->older_than, "That ended longer ago")->type_name("D");
  command->add_option("--keep", flags->keep, "All but the newest of those that have ended")->type_name("N");
  command->add_option("--state", flags->state, "Only runs that ended so")->one_of({"succeeded", "failed", "cancelled"});
  command->add_flag("--dry-run", flags->dry_run, "Say what would be removed, and remove nothing");
  command->add_flag("--yes", flags->yes, "Do not ask");
  command->add_flag("--json", flags->json, "One JSON object a run");
  command->callback([&context, flags] { context.chosen = [&context, flags] { return prune_runs(context, *flags); }; });
}

}  // namespace flowrun::cli
