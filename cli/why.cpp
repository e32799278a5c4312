// flowrun why: how a step came to stand as it does, and what would change that.
#include <fmt/format.h>

#include "cli/entry_text.h"
#include "cli/explanation.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/run/replay.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kMostEntries = 20;

struct WhyOptions {
  std::string run, step;
};

int why(const Context& context, const WhyOptions& options) {
  if (options.run.empty()) throw Error(Problem::Usage, "why needs a step: flowrun why STEP, or flowrun why RUN STEP");
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  // `why STEP` is of the newest run, `why RUN STEP` of that one.
  const bool one = options.step.empty();
  const RunRecord run = find_or_newest(journal, one ? "" : options.run);
  const std::string path = known_step(journal, run, one ? options.run : options.step);
  Explanation explanation(journal, past_run(journal, run));
  std::vector<std::string> rows;
  for (const Entry& entry : entries(journal, run)) {
    explanation.note(entry);
    if (entry.path != path) continue;
    const EntryLine line = describe(entry, false);
    rows.push_back(fmt::format("{:>6}  {}  {:<10} {}", entry.seq, clock_text(entry.at), line.what, line.detail));
  }
  std::string text = fmt::format("{}  {}\n", run.id, standing_of(run)) + explanation.of(path);
  if (!rows.empty()) text += "entries:\n";
  const std::size_t hidden = rows.size() > kMostEntries ? rows.size() - kMostEntries : 0;
  if (hidden > 0) text += fmt::format("        {} before; journal show --step has all\n", hidden);
  for (std::size_t i = hidden; i < rows.size(); ++i) text += rows[i] + "\n";
  print_view(text);
  return 0;
}

}  // namespace

void add_why(Command& app, Context& context) {
  auto options = std::make_shared<WhyOptions>();
  Command* command = app.add_subcommand("why", "Why a step stands as it does, and what would change that");
  command->add_option("RUN", options->run, "The run; the newest when only a step is named");
  command->add_option("STEP", options->step, "Path of the step");
  command->callback([&context, options] { context.chosen = [&context, options] { return why(context, *options); }; });
}

}  // namespace flowrun::cli
