// The rows of the live view under random runs: each step that ends has one, which says how it ended.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "cli/progress/live_tree.h"
#include "cli/render.h"
#include "tests/machine/random_play.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::live_tree_test {
namespace {

using Mark = cli::LiveRow::Mark;

/// What is wrong with the rows that |log| makes; empty: nothing.
std::string wrong_rows(const Loaded& loaded, const std::vector<Entry>& log, bool every) {
  cli::LiveTree tree("journal.db", every);
  tree.plan(outline(loaded.workflow), {});
  History history;
  std::set<std::string> once;        // names of rows since it may not come again
  std::map<std::string, Mark> rows;  // the newest of each name
  std::string wrong;
  const auto take = [&] {
    for (const cli::LiveRow& row : tree.ended()) {
      if (!once.insert(row.name).second) wrong += "two rows of " + row.name + "\n";
      rows[row.name] = row.mark;
    }
  };
  bool anew = false;
  for (const Entry& entry : log) {
    if (is_fact(entry.kind)) take();
    if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested) {
      once.clear();
      anew = true;
    }
    // A new try of a sub-workflow: what is in it ends again.
    if (entry.kind == EntryKind::ChildStarted) {
      take();
      std::erase_if(once, [below = entry.path + "/"](const std::string& name) { return name.starts_with(below); });
    }
    // And each of these tries is undone for itself.
    if (entry.kind == EntryKind::StartTask && entry.path.find(".undo") != std::string::npos) {
      take();
      once.erase(entry.path);
    }
    history.add(entry);
    tree.entry(entry);
  }
  take();
  // After a reopening the entries do not tell what has ended in which part.
  if (anew) return wrong;
  for (const StepHistory& step : history.steps()) {
    if (!is_terminal(step.state) || step.path.find('[') != std::string::npos || step.kind == "for_each") continue;
    if (cli::only_holds_others(step)) continue;
    const auto row = rows.find(step.path);
    if (row == rows.end()) {
      wrong += fmt::format("no row of {}, which is {}\n", step.path, to_string(step.state));
    } else if (row->second != (step.state == State::Succeeded ? Mark::Ok
                               : step.state == State::Failed  ? Mark::Failed
                                                              : Mark::Other)) {
      wrong += fmt::format("another mark at {}, which is {}\n", step.path, to_string(step.state));
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("each step that ends has one row of the live view, in random runs", "[live]") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  for (unsigned round = 0; round < 150; ++round) {
    Random random(seed + round);
    const RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    const std::optional<Loaded> loaded =
        load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, false, &workflow.files);
    REQUIRE(loaded);
    for (int again = 0; again < 10; ++again) {
      Play play(*loaded, random);
      play.to_the_end();
      std::string wrong = wrong_rows(*loaded, play.log, percent(random, 50));
      if (!wrong.empty())
        for (const Entry& entry : play.log)
          wrong += fmt::format("\n  {} {} {} {}", to_string(entry.kind), entry.path, entry.attempt, entry.data);
      INFO(wrong);
      REQUIRE(wrong.empty());
    }
  }
}

}  // namespace flowrun::test::live_tree_test
