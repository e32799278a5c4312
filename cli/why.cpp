// flowrun why: how a step came to stand as it does, and what would change that.
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

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
  bool json = false;
};

void print_json(const RunRecord& run, const std::string& path, const Explained& explained,
                const std::vector<Entry>& entries) {
  Json because = Json::array(), listed = Json::array();
  std::istringstream lines(explained.because);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t text = std::min(line.find_first_not_of(' '), line.size());
    because.push_back({{"depth", text / 2}, {"text", line.substr(text)}});
  }
  for (const Entry& entry : entries) listed.push_back(entry_json(entry));
  const Json json{{"run", run.id},
                  {"run_state", standing_of(run)},
                  {"step", path},
                  {"state", explained.state},
                  {"in_line", explained.in_line},
                  {"place", explained.place.empty() ? Json() : Json(explained.place)},
                  {"because", because},
                  {"changes", explained.changes},
                  {"entries", listed}};
  print_result(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string text_of(const std::string& path, const Explained& explained, const std::vector<Entry>& entries) {
  std::string text = fmt::format("{}  {}{}\n", path, explained.in_line ? "in line" : explained.state,
                                 explained.place.empty() ? "" : "  " + explained.place) +
                     explained.because;
  for (const std::string& change : explained.changes) text += "change: " + change + "\n";
  if (!entries.empty()) text += "entries:\n";
  const std::size_t hidden = entries.size() > kMostEntries ? entries.size() - kMostEntries : 0;
  if (hidden > 0) text += fmt::format("        {} before; journal show --step has all\n", hidden);
  for (std::size_t i = hidden; i < entries.size(); ++i) {
    const EntryLine line = describe(entries[i], false);
    text += fmt::format("{:>6}  {}  {:<10} {}\n", entries[i].seq, clock_text(entries[i].at), line.what, line.detail);
  }
  return text;
}

int why(const Context& context, const WhyOptions& options) {
  if (options.run.empty()) throw Error(Problem::Usage, "why needs a step: flowrun why STEP, or flowrun why RUN STEP");
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  // `why STEP` is of the newest run, `why RUN STEP` of that one.
  const bool one = options.step.empty();
  const RunRecord run = find_or_newest(journal, one ? "" : options.run);
  const std::string path = known_step(journal, run, one ? options.run : options.step);
  Explanation explanation(journal, past_run(journal, run));
  std::vector<Entry> of_step;
  for (const Entry& entry : entries(journal, run)) {
    explanation.note(entry);
    if (entry.path == path) of_step.push_back(entry);
  }
  const Explained explained = explanation.of(path);
  if (options.json) {
    print_json(run, path, explained, of_step);
  } else {
    print_view(fmt::format("{}  {}\n", run.id, standing_of(run)) + text_of(path, explained, of_step));
  }
  return 0;
}

}  // namespace

void add_why(Command& app, Context& context) {
  auto options = std::make_shared<WhyOptions>();
  Command* command = app.add_subcommand("why", "Why a step stands as it does, and what would change that");
  command->add_option("RUN", options->run, "The run; the newest when only a step is named");
  command->add_option("STEP", options->step, "Path of the step");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([&context, options] { context.chosen = [&context, options] { return why(context, *options); }; });
}

}  // namespace flowrun::cli
