// flowrun record: a run becomes a scenario, a file for flowrun test.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/render.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "engine/scenario/record.h"

namespace flowrun::cli {
namespace {

struct RecordOptions {
  std::string run, file;
  bool force = false;
};

int record(const Context& context, const RecordOptions& options) {
  const bool to_file = !options.file.empty() && options.file != "-";
  if (to_file && !options.force && access(options.file.c_str(), F_OK) == 0)
    throw Error(Problem::Usage, fmt::format("{} is there already; --force writes over it", options.file));
  const Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  const RecordedScenario recorded =
      flowrun::record(journal, find_or_newest(journal, options.run), to_file ? options.file : "recorded.test.yaml");
  if (to_file)
    write_report(options.file, recorded.text);
  else
    print_result(recorded.text);
  if (context.quiet) return 0;
  for (const std::string& note : recorded.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  if (to_file)
    std::fprintf(stderr, "wrote %s\nplay it:  %s\n", options.file.c_str(),
                 typed_command({"test", options.file}).c_str());
  return 0;
}

}  // namespace

void add_record(Command& app, Context& context) {
  auto options = std::make_shared<RecordOptions>();
  Command* command = app.add_subcommand("record", "Make a scenario of a run");
  command->add_option("RUN", options->run, "The run; the newest when left out");
  command->add_option("-o,--output", options->file, "Where to; standard output when left out")->type_name("FILE");
  command->add_flag("--force", options->force, "Write over a file that is there");
  command->callback(
      [&context, options] { context.chosen = [&context, options] { return record(context, *options); }; });
}

}  // namespace flowrun::cli
