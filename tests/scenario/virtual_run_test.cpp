// Random workflows in virtual time: each run comes to its end, is the same when it is run again, and when it is cut off
// anywhere a fresh machine decides what was written. The seed is printed; FLOWRUN_SEED repeats it.
#include "engine/scenario/virtual_run.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <random>

#include "engine/model/hash.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/catch.h"

namespace flowrun::test::virtual_run_test {
namespace {

const Instant kBegin = from_millis(1'800'000'000'000);

/// How an attempt ends follows from its name, so that it ends alike in each run.
Result answer(const Task& task, int nth, unsigned seed) {
  const auto dice = static_cast<unsigned>(hash64(fmt::format("{} {} {}", task.path, nth, seed)));
  Result result = random_result(task, dice % 1000);
  result.took = Duration(dice / 1000 % 3000);
  return result;
}

World world_of(unsigned seed) {
  World world;
  world.answer = [seed](const Task& task, int nth, Instant) { return answer(task, nth, seed); };
  for (const char* name : kSignals)
    for (int i = 0; i < 30; ++i) world.signals.push_back({{name, "", Value(), "tester", std::nullopt}, {}, {}});
  world.signals.push_back({{kSignals[0], "", Value(), "tester", "no"}, Duration(700), {}});
  for (int i = 0; i < 7; ++i) world.items.push_back(i % 5);
  return world;
}

RunStarted started_of(unsigned seed) {
  RunStarted started = random_start(seed);
  if (seed % 3 == 0) started.jobs = 1 + static_cast<int>(seed % 2);
  return started;
}

std::string text_of(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries)
    text += fmt::format("{} {} {} {} {} {}\n", entry.seq, to_millis(entry.at), to_string(entry.kind), entry.path,
                        entry.attempt, entry.value.text());
  return text;
}

/// How it ended. A poll may never, as its answers do not change; all else does.
std::string to_the_end(VirtualRun& run) {
  try {
    run.to_the_end();
  } catch (const NoEnd& none) {
    INFO(none.what());
    const std::string why = none.what();
    CHECK((why.find("more than a century") != why.npos || why.find("entries, and goes on") != why.npos));
    return "never";
  } catch (const std::exception& error) {
    FAIL(error.what() << "\n" << text_of(run.entries()));
  }
  return std::string(to_string(run.machine().outcome().state));
}

}  // namespace

TEST_CASE("random runs in virtual time end, are the same again, and survive crashes anywhere", "[scenario]") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned first = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::map<std::string, int> seen;
  for (unsigned round = 0; round < 60; ++round) {
    const unsigned seed = first + round;
    Random random(seed);
    RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    const auto loaded = load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, false, &workflow.files);
    REQUIRE(loaded);
    NoJq no_jq;
    std::string whole;
    std::size_t count = 0;
    for (int again = 0; again < 2; ++again) {
      VirtualRun run(loaded->workflow, no_jq, started_of(seed), world_of(seed), kBegin);
      seen[to_the_end(run)] += 1;
      if (again > 0) CHECK(text_of(run.entries()) == whole);
      whole = text_of(run.entries());
      count = run.entries().size();
    }
    if (count > 3000) continue;  // a poll that never ends
    const std::size_t step = std::max<std::size_t>(1, count / 40);
    for (std::size_t after = 1; after <= count; after += step) {
      INFO("cut off after " << after << " of " << count << " entries");
      World world = world_of(seed);
      world.crashes.push_back({after, Duration(after * 100), OnCrash::Rerun});
      if (after % 3 == 0) world.crashes.push_back({after + 1 + after % 5, Duration(10), OnCrash::Fail});
      VirtualRun run(loaded->workflow, no_jq, started_of(seed), std::move(world), kBegin);
      to_the_end(run);
      CHECK(run.crashed() >= 1);
      ++seen["crashed"];
    }
  }
  for (const char* sort : {"succeeded", "failed", "crashed"}) CHECK(seen[sort] >= 1);
}

}  // namespace flowrun::test::virtual_run_test
