// flowrun run: validate, start, drive, print the output.
#include <fmt/format.h>

#include "cli/drive.h"
#include "cli/inputs.h"
#include "cli/plan.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/start.h"
#include "engine/journal/typed_command.h"
#include "engine/jq/jq.h"
#include "engine/run/replay.h"

namespace flowrun::cli {
namespace {

struct RunOptions {
  std::string file;
  InputOptions inputs;
  StartFlags start;
  bool dry_run = false;
  std::string on_crash;
  DriveOptions drive;
};

/// What goes on with a run in this state, or shows what it came to.
const char* command_for(const std::string& state) {
  if (state == "failed" || state == "cancelled") return "retry";
  return state == "succeeded" ? "output" : "resume";
}

/// --id: one line for CI that starts, resumes or prints again.
std::optional<int> same_id(Journal& journal, const RunOptions& options, const Context& context, const Loaded& loaded,
                           const ResolvedInputs& inputs) {
  if (options.start.id.empty()) return std::nullopt;
  auto record = journal.find_exact(options.start.id);
  if (!record) return std::nullopt;
  const bool same_text = journal.source(record->source_hash) == loaded.text;
  if (!same_text || (record->last_seq > 0 && frozen_texts(journal, *record) != loaded.sources))
    throw Error(Problem::Impossible,
                fmt::format("run {} was started from another text of the workflow; choose another "
                            "--id, or go on with the run's own text: {}",
                            record->id, typed_command({command_for(record->state), record->id}, journal.path())));
  if (!(record->input == inputs.inputs))
    throw Error(Problem::Impossible,
                fmt::format("run {} was started with other inputs; choose another --id", record->id));
  if (record->last_seq == 0) return std::nullopt;  // cut off before anything was started
  if (record->ended_at) check_result(journal, *record);
  if (record->state == "succeeded") return print_ended(*record, options.drive.json);
  ResumeOptions resume;
  resume.on_crash = on_crash_option(options.on_crash);
  return go_on(journal, *record, resume, context, options.drive,
               record->state == "failed" || record->state == "cancelled" ? Next::Retry : Next::Resume);
}

int run_workflow(const Context& context, const RunOptions& options) {
  check_id(options.start.id);
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = load_or_throw(options.file, *evaluator, context.quiet);
  ResolvedInputs inputs = resolved_inputs(loaded, given_inputs(options.inputs), *evaluator);
  if (options.dry_run) {
    print_view(fmt::format("{} would run with {}\n{}nothing was started\n", loaded.workflow.name, inputs.inputs.text(),
                           plan_as_tree(loaded.workflow)));
    return 0;
  }
  Journal journal(journal_path(context.journal), Journal::Mode::Create);
  if (auto code = same_id(journal, options, context, loaded, inputs)) return *code;

  Drive drive(context, options.drive, journal, loaded);
  auto run = Run::start(journal, std::move(loaded), std::move(inputs), start_options(options.start),
                        std::move(evaluator), drive.observer(), &Drive::stop_asked);
  print_notes(*run, context);
  return drive.finish(*run);
}

}  // namespace

void add_run(Command& app, Context& context) {
  auto options = std::make_shared<RunOptions>();
  Command* command = app.add_subcommand("run", "Run a workflow in the foreground and print its output");
  command->add_option("FILE", options->file, "The workflow")->required();
  add_input_options(*command, options->inputs);
  add_start_options(*command, options->start);
  command->add_flag("--dry-run", options->dry_run, "Validate, resolve the inputs, print the plan; start nothing");
  command->add_option("--on-crash", options->on_crash, "Answer for `on_crash: ask`")->one_of({"rerun", "fail"});
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_workflow(context, *options); }; });
}

}  // namespace flowrun::cli
