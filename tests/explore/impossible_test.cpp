// What an exploration calls impossible never happens: random workflows, each played along random schedules with every
// sort of failure, timeout, crash and word. The seed is printed; FLOWRUN_SEED repeats it. FLOWRUN_TEST_SECONDS plays on
// for so long, up to 5,000 workflows with 200 schedules each.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>

#include "engine/explore/explored_run.h"
#include "engine/explore/written_steps.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/catch.h"

namespace flowrun::test::impossible_test {
namespace {

unsigned number_of(const char* variable, unsigned otherwise) {
  const char* given = std::getenv(variable);
  return given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : otherwise;
}

}  // namespace

TEST_CASE("what can not be never happens in random schedules of random workflows", "[explore]") {
  using Clock = std::chrono::steady_clock;
  const unsigned first = number_of("FLOWRUN_SEED", std::random_device()());
  const unsigned seconds = number_of("FLOWRUN_TEST_SECONDS", 0);
  const unsigned workflows = seconds > 0 ? 5000 : 60, schedules = seconds > 0 ? 200 : 20;
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  std::size_t impossible = 0, played = 0, ended = 0, failed = 0;
  for (unsigned round = 0; round < workflows && (seconds == 0 || Clock::now() < until); ++round) {
    const unsigned seed = first + round;
    Random random(seed);
    const RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    const auto loaded = load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, false, &workflow.files);
    REQUIRE(loaded);
    const WrittenSteps steps(*loaded, {});
    for (std::size_t row = 0; row < steps.size(); ++row)
      impossible += steps.of(row).can_start && steps.of(row).can_succeed ? 0 : 1;
    NoJq no_jq;
    const std::vector<const Scenario*> none;
    Endings endings(steps, none);
    endings.make_up(seed % 3 == 0 ? Json(1) : seed % 3 == 1 ? Json(true) : Json("x"));
    Stage stage{loaded->workflow,
                steps,
                endings,
                no_jq,
                random_start(seed),
                {1, 2, 2, 3},
                from_millis(1'800'000'000'000),
                true,
                {}};
    for (unsigned again = 0; again < schedules; ++again) {
      ExploredRun run(stage);
      run.play_at_random([&](std::size_t count) {
        // What comes by itself is the first: else hardly a run gets anywhere.
        return below(random, 100) < 60 ? 0 : static_cast<std::size_t>(below(random, static_cast<int>(count)));
      });
      ++played;
      INFO("schedule: " << run.text());
      REQUIRE(run.end() != ExploredRun::End::Stuck);
      if (run.end() == ExploredRun::End::Ended) {
        ++ended;
        failed += run.outcome().state == State::Succeeded ? 0 : 1;
      }
      for (std::size_t row = 0; row < steps.size(); ++row) {
        INFO(steps.rows()[row].path);
        if (!steps.of(row).can_start) CHECK(!run.has_begun(row));
      }
      for (const auto& [path, state] : run.states()) {
        const std::size_t row = run.row_of(path);
        if (row >= steps.size() || state != State::Succeeded) continue;
        INFO(path);
        CHECK((steps.of(row).can_start && steps.of(row).can_succeed));
      }
      // The same text leads there again.
      if (again % 10 != 0 || run.end() != ExploredRun::End::Ended) continue;
      ExploredRun same(stage);
      const auto wrong = same.replay(words_of(run.text()));
      INFO(wrong.value_or(""));
      CHECK(!wrong);
      CHECK(same.states() == run.states());
      CHECK(same.outcome().state == run.outcome().state);
    }
  }
  CHECK(played > 100);
  CHECK(ended > played / 4);
  CHECK(failed > 10);
  CHECK(failed < ended);
  CHECK(impossible > 0);
}

}  // namespace flowrun::test::impossible_test
