// flowrun fork: a new run that takes over what an old one has done and what is still the same.
#include <fmt/format.h>

#include <cstdlib>

#include "cli/inputs.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/start.h"
#include "engine/run/control.h"
#include "engine/run/fork_preview.h"
#include "engine/run/replay.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostTold = 10;  // steps that run anew, with the reason

struct ForkOptions {
  std::string run, from, file;
  bool dry_run = false;
  InputOptions inputs;
  StartFlags start;
  DriveFlags drive;
};

Loaded workflow_of(const Journal& journal, const RunRecord& old, const ForkOptions& options, Jq& jq, bool quiet) {
  const std::string file = fork_file(old, options.file);
  if (!file.empty()) return load_or_throw(file, jq, quiet);
  if (!quiet && !old.file.empty())
    std::fprintf(stderr, "note: %s is gone; the fork runs the text of run %s\n", old.file.c_str(), old.id.c_str());
  Loaded loaded = own_copy(journal, old);
  jq.check(loaded.programs);
  return loaded;
}

GivenInputs inputs_of(const RunRecord& old, const Loaded& loaded, const InputOptions& options, bool quiet) {
  std::vector<std::string> dropped;
  GivenInputs given = fork_inputs(old, loaded, given_inputs(options), dropped);
  if (!quiet)
    for (const std::string& name : dropped)
      std::fprintf(stderr, "note: the workflow has no input %s any more\n", name.c_str());
  return given;
}

void tell(const Reuse& reuse) {
  std::fprintf(stderr, "%zu %s taken over from run %s\n", reuse.taken(), reuse.taken() == 1 ? "step was" : "steps were",
               reuse.of().c_str());
  std::size_t told = 0;
  for (const auto& [path, why] : reuse.anew()) {
    if (++told > kMostTold) break;
    std::fprintf(stderr, "   run anew: %s: %s\n", path.c_str(), why.c_str());
  }
  if (reuse.anew().size() > kMostTold) std::fprintf(stderr, "   and %zu more\n", reuse.anew().size() - kMostTold);
}

/// All of it, a line for each step.
void tell(const ForkPreview& preview, const RunRecord& old) {
  std::string text = fmt::format("of run {} {} {} would be taken over\n", old.id, preview.taken.size(),
                                 preview.taken.size() == 1 ? "step" : "steps");
  for (const std::string& path : preview.taken) text += fmt::format("   taken over: {}\n", path);
  for (const auto& [path, why] : preview.anew) text += fmt::format("   run anew: {}: {}\n", path, why);
  for (const std::string& path : preview.fresh) text += fmt::format("   run: {}: the old run has not done it\n", path);
  for (const std::string& path : preview.waiting)
    text += fmt::format("   not known: {}: it waits for what would run\n", path);
  for (const std::string& path : preview.gone) text += fmt::format("   gone: {}\n", path);
  print_result(text + "nothing was started\n");
}

int run_fork(const Context& context, const ForkOptions& options) {
  check_id(options.start.options.id);
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  const RunRecord old = find_forkable(journal, options.run);
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = workflow_of(journal, old, options, *evaluator, context.quiet);
  ResolvedInputs inputs = resolved_inputs(loaded, inputs_of(old, loaded, options.inputs, context.quiet), *evaluator);
  StartOptions start = start_options(options.start, options.drive);
  if (const auto origin = beginning_of(journal, old)) {
    if (!std::getenv("FLOWRUN_VIA")) start.via = origin->via;
    if (start.on.empty()) start.on = origin->on;
  }
  start.forked_of = old.id;
  start.forked_from = options.from;
  if (options.dry_run) {
    tell(preview_fork(journal, loaded, inputs, start, *evaluator), old);
    return 0;
  }
  Drive drive(context, options.drive, journal);
  Opened opened =
      flowrun::fork(journal, {std::move(loaded), std::move(inputs), std::move(start), std::move(evaluator)}, drive);
  if (opened.skipped) return drive.finish_skipped(*opened.skipped);
  int code = drive.finish(*opened.run);
  if (!context.quiet && opened.run->reuse()) tell(*opened.run->reuse());
  return code;
}

}  // namespace

void add_fork(Command& app, Context& context) {
  auto options = std::make_shared<ForkOptions>();
  Command* command = app.add_subcommand("fork", "Start a new run that takes over what is still the same in an old one");
  command->add_option("RUN", options->run, "An id, a prefix, its last part, @last, @last-failed, @last:NAME")
      ->required();
  command->add_option("--from", options->from, "Run this step and what depends on it anew")->type_name("STEP");
  command->add_option("--file", options->file, "The workflow; the file of the run when left out")->type_name("FILE");
  command->add_flag("--dry-run", options->dry_run, "Say what would be taken over and what would run; start nothing");
  add_input_options(*command, options->inputs);
  add_start_options(*command, options->start, options->drive);
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_fork(context, *options); }; });
}

}  // namespace flowrun::cli
