// flowrun output: the result of a run or of one of its steps, as JSON.
#include <fmt/format.h>

#include "cli/render.h"
#include "cli/runs.h"
#include "cli/source.h"
#include "engine/run/replay.h"
#include "engine/run/view.h"

namespace flowrun::cli {
namespace {

struct OutputOptions {
  std::string run, step, on;
  bool json = false;
};

int output(const Context& context, const OutputOptions& options) {
  const RunSource source(context, options.on, options.run);
  Journal journal(source.path(), Journal::Mode::ReadOnly);
  RunRecord run = find_or_newest(journal, source.run());
  Value value;
  if (!options.step.empty()) {
    value = step_output(journal, run, options.step);
  } else {
    if (!run.ended_at)
      throw Error(Problem::Impossible, fmt::format("run {} has not ended; --step PATH shows a step's output", run.id));
    check_result(journal, run);
    value = run.output;
  }
  print_json(value, !options.json);
  return 0;
}

}  // namespace

void add_output(Command& app, Context& context) {
  auto options = std::make_shared<OutputOptions>();
  Command* command = app.add_subcommand("output", "The output of a run or a step, as JSON");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("--step", options->step, "Of this step")->type_name("PATH");
  add_server_option(*command, options->on);
  command->add_flag("--json", options->json, "On one line");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return output(context, *options); }; });
}

}  // namespace flowrun::cli
