// flowrun output: the result of a run or of one of its steps, as JSON.
#include <fmt/format.h>

#include "cli/render.h"
#include "cli/runs.h"
#include "engine/journal/typed_command.h"
#include "engine/jq/jq.h"
#include "engine/machine/frame.h"
#include "engine/run/replay.h"

namespace flowrun::cli {
namespace {

struct OutputOptions {
  std::string run, step;
  bool json = false;
};

Value step_output(const Journal& journal, const RunRecord& run, const std::string& typed) {
  const std::string path = known_step(journal, run, typed);
  History history = history_of(journal, run);
  // Groups keep no output in the journal, it follows from their children: the machine knows it.
  Loaded loaded = load_own_copy(journal, run);
  std::unique_ptr<Evaluator> evaluator = make_jq(loaded.programs);
  // Of what is inside a group that has succeeded it knows only what it is asked to keep.
  ReplayOptions options;
  options.foresight.paths.insert(path);
  Replayed replayed = replay(journal, run, loaded.workflow, *evaluator, options);
  if (auto settled = replayed.machine->look(path); settled && settled->state == State::Succeeded)
    return settled->output;
  const StepHistory* step = history.find(path);
  if (!step)
    throw Error(Problem::Impossible, fmt::format("step {} of run {} has not run; {} says why", path, run.id,
                                                 typed_command({"show", run.id}, journal.path())));
  if (step->state != State::Succeeded)
    throw Error(Problem::Impossible, fmt::format("step {} has no output: it is {}", path, to_string(step->state)));
  return step->output;
}

int output(const Context& context, const OutputOptions& options) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  RunRecord run = looked_at(journal, options.run);
  Value value;
  if (!options.step.empty()) {
    value = step_output(journal, run, options.step);
  } else {
    if (!run.ended_at)
      throw Error(Problem::Impossible, fmt::format("run {} has not ended; --step PATH shows a step's output", run.id));
    check_result(journal, run);
    value = run.output;
  }
  print_result(value.json().dump(options.json ? -1 : 2, ' ', false, Json::error_handler_t::replace) + "\n");
  return 0;
}

}  // namespace

void add_output(Command& app, Context& context) {
  auto options = std::make_shared<OutputOptions>();
  Command* command = app.add_subcommand("output", "The output of a run or a step, as JSON");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("--step", options->step, "Of this step")->type_name("PATH");
  command->add_flag("--json", options->json, "On one line");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return output(context, *options); }; });
}

}  // namespace flowrun::cli
