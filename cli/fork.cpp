// flowrun fork: a new run that takes over what an old one has done and what is still the same.
#include <fmt/format.h>

#include <filesystem>

#include "cli/inputs.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/start.h"
#include "engine/jq/jq.h"
#include "engine/run/fork_preview.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostTold = 10;  // steps that run anew, with the reason

struct ForkOptions {
  std::string run, from, file;
  bool dry_run = false;
  InputOptions inputs;
  StartFlags start;
  DriveOptions drive;
};

/// The text that the fork runs: the file that is named, else the run's file as it is now, else the run's own copy.
Loaded text_of(const Journal& journal, const RunRecord& old, const std::string& file, Jq& jq, bool quiet) {
  if (!file.empty()) return load_or_throw(file, jq, quiet);
  std::error_code error;
  if (std::filesystem::is_regular_file(old.file, error)) return load_or_throw(old.file, jq, quiet);
  if (!quiet)
    std::fprintf(stderr, "note: %s is gone; the fork runs the text of run %s\n", old.file.c_str(), old.id.c_str());
  Loaded loaded = load_own_copy(journal, old);
  jq.check(loaded.programs);
  return loaded;
}

/// Those of the old run, as far as the new text knows them, below those that are given now.
GivenInputs inputs_of(const RunRecord& old, const Loaded& loaded, const InputOptions& options, bool quiet) {
  GivenInputs given = given_inputs(options);
  if (!old.input.is_null() && !old.input.json().is_object())
    throw Corruption(fmt::format("run {}: its inputs are no object", old.id));
  for (const auto& [name, value] : old.input.json().items()) {
    bool known = std::any_of(loaded.inputs.begin(), loaded.inputs.end(),
                             [&, &name = name](const InputSpec& spec) { return spec.name == name; });
    if (!known && !quiet) std::fprintf(stderr, "note: the workflow has no input %s any more\n", name.c_str());
    if (known && !given.values.contains(name)) given.values[name] = value;
  }
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

int fork(const Context& context, const ForkOptions& options) {
  check_id(options.start.id);
  Journal journal(journal_path(context.journal), Journal::Mode::ReadWrite);
  RunRecord old = journal.find(options.run);
  if (old.driver_pid > 0)
    throw Error(Problem::Busy,
                fmt::format("run {} is driven by process {}; it can be forked when it rests", old.id, old.driver_pid));
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = text_of(journal, old, options.file, *evaluator, context.quiet);
  ResolvedInputs inputs = resolved_inputs(loaded, inputs_of(old, loaded, options.inputs, context.quiet), *evaluator);
  StartOptions start = start_options(options.start);
  start.forked_of = old.id;
  start.forked_from = options.from;
  if (options.dry_run) {
    tell(preview_fork(journal, loaded, inputs, start, *evaluator), old);
    return 0;
  }
  Drive drive(context, options.drive, journal, loaded);
  auto run = Run::start(journal, std::move(loaded), std::move(inputs), start, std::move(evaluator), drive.observer(),
                        &Drive::stop_asked);
  int code = drive.finish(*run);
  if (!context.quiet && run->reuse()) tell(*run->reuse());
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
  add_start_options(*command, options->start);
  add_drive_options(*command, options->drive);
  command->callback([&context, options] { context.chosen = [&context, options] { return fork(context, *options); }; });
}

}  // namespace flowrun::cli
