// flowrun run: validate, start, drive, print the output.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/drive.h"
#include "cli/inputs.h"
#include "cli/plan.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "cli/span_export.h"
#include "cli/start.h"
#include "engine/journal/typed_command.h"
#include "engine/run/control.h"
#include "engine/run/detached_start.h"

namespace flowrun::cli {
namespace {

struct RunOptions {
  std::string file;
  InputOptions inputs;
  StartFlags start;
  bool dry_run = false, detach = false;
  std::string on_crash;
  DriveFlags drive;
};

/// Starts the run on the server, prints its id, and leaves it alone.
int detach(const Context& context, const RunOptions& options, const Loaded& loaded, ResolvedInputs inputs) {
  refuse_drive_options(options.drive, "--detach", !options.on_crash.empty());
  StartOptions start = start_options(options.start, options.drive);
  start.tracing = otlp_settings_here().tracing;
  if (start.on.empty() || start.on == "here")
    throw Error(Problem::Usage, "--detach: a run goes on without this process on a server; --on restate=URL names it");
  if (!start.workdir.empty())
    throw Error(Problem::Usage, "--workdir: steps of a run on a server run where its workers say");
  if (loaded.memo && !context.quiet)
    std::fprintf(stderr, "note: a run on a server takes no results of earlier runs, and checks no files of `writes`\n");
  const DetachedStarted started =
      start_detached(DetachedServer::at(start.on, "--on"), loaded, std::move(inputs), start);
  print_result(started.id + "\n");
  if (!context.quiet)
    std::fprintf(stderr, "%s on the server\nwatch it:  %s\n", started.before ? "it is there already," : "started",
                 typed_command({"watch", started.id, "--on", start.on}).c_str());
  return 0;
}

int run_workflow(const Context& context, const RunOptions& options) {
  check_id(options.start.options.id);
  if (options.file == "-" && reads_stdin(options.inputs))
    throw Error(Problem::Usage, "the workflow comes from standard input; give inputs in another way");
  std::unique_ptr<Jq> evaluator = make_jq();
  Loaded loaded = load_or_throw(options.file, *evaluator, context.quiet);
  ResolvedInputs inputs = resolved_inputs(loaded, given_inputs(options.inputs), *evaluator);
  if (options.dry_run) {
    print_view(fmt::format("{} would run with {}\n{}nothing was started\n", loaded.workflow.name, inputs.inputs.text(),
                           plan_as_tree(loaded)));
    return 0;
  }
  if (options.detach) return detach(context, options, loaded, std::move(inputs));
  std::unique_ptr<ItemFeed> items;
  if (loaded.workflow.stream) {
    if (options.file == "-")
      throw Error(Problem::Usage,
                  "the workflow reads its items from standard input, so that it can not come from there itself");
    if (reads_stdin(options.inputs))
      throw Error(Problem::Usage, "the workflow reads its items from standard input; give inputs in another way");
    items = read_items(STDIN_FILENO, loaded.workflow.stream->format);
  }
  Journal journal(journal_path(context.journal), Journal::Mode::Create);
  Drive drive(context, options.drive, journal);
  StartRequest request{std::move(loaded), std::move(inputs), start_options(options.start, options.drive),
                       std::move(evaluator), std::move(items)};
  Opened opened = start_or_resume(journal, std::move(request), on_crash_option(options.on_crash), drive);
  if (opened.skipped) return drive.finish_skipped(*opened.skipped);
  return opened.run ? drive.finish(*opened.run) : drive.finish_ended(opened.record);
}

}  // namespace

void add_run(Command& app, Context& context) {
  auto options = std::make_shared<RunOptions>();
  Command* command = app.add_subcommand("run", "Run a workflow in the foreground and print its output");
  command->add_option("FILE", options->file, "The workflow; - reads it from standard input")->required();
  add_input_options(*command, options->inputs);
  add_start_options(*command, options->start, options->drive);
  command->add_flag("--dry-run", options->dry_run, "Validate, resolve the inputs, print the plan; start nothing");
  command->add_flag("--detach", options->detach, "The run goes on by itself on the server of --on; prints its id");
  command->add_option("--on-crash", options->on_crash, "Answer for `on_crash: ask`")->one_of({"rerun", "fail"});
  add_drive_options(*command, options->drive);
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return run_workflow(context, *options); }; });
}

}  // namespace flowrun::cli
