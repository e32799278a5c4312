// What is told of a run in little memory is what its whole history tells, and what is read of a step's own entries is
// what a replay comes to: random runs, both ways. The seed is printed; FLOWRUN_SEED repeats it.
#include "engine/run/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "engine/run/step_paths.h"
#include "engine/run/view.h"
#include "tests/journal/scratch.h"
#include "tests/machine/random_play.h"
#include "tests/support/catch.h"

namespace flowrun::test::summary_test {
namespace {

/// Everything that is shown of a step.
std::string told(const StepHistory& step) {
  return fmt::format("{} {} {} {} attempts from {} to {} took {} queued {} failure {} {} {} code {} due {} undone {}",
                     step.path, step.kind, to_string(step.state), step.attempts, to_millis(step.started_at),
                     to_millis(step.ended_at), step.took.count(), step.queued.count(),
                     step.failure ? step.failure->message : "", step.what, step.reason, step.code,
                     step.due ? to_millis(*step.due) : 0, step.undone);
}

/// Entry by entry in a journal of its own run.
RunRecord keep(Journal& journal, const std::string& id, const std::vector<Entry>& log) {
  RunRecord run = scratch::record(id);
  REQUIRE(journal.create(run, "text"));
  for (const Entry& entry : log) journal.append(entry);
  journal.commit({}, scratch::at());
  journal.let_go();
  return journal.find(id);
}

struct Seen {
  std::size_t counted = 0, told = 0, read = 0, groups = 0;
};

/// Up to entry |until|.
void compare(const Journal& journal, const RunRecord& run, std::int64_t until, Seen& seen) {
  const History whole = history_of(journal, run, until);
  const Summary summary = Summary::of(journal, run, until);
  CHECK(summary.counts() == whole.counts());
  std::vector<const StepHistory*> steps;
  for (const StepHistory& step : summary.history().steps()) steps.push_back(&step);
  std::sort(steps.begin(), steps.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  auto next = steps.begin();
  std::size_t counted = 0;
  for (const StepHistory& step : whole.steps()) {
    if (next != steps.end() && (*next)->path == step.path) {
      CHECK(told(**next++) == told(step));
      continue;
    }
    ++counted;
    INFO(told(step));
    CHECK(step.state == State::Succeeded);
    CHECK(step.path.find('[') != std::string::npos);
  }
  CHECK(next == steps.end());
  CHECK(counted == summary.counted());
  seen.counted += counted;
  seen.told += steps.size();
}

void compare_outputs(const Journal& journal, const RunRecord& run, const Play& play, Seen& seen) {
  const History whole = history_of(journal, run);
  for (const StepHistory& step : whole.steps()) {
    const std::optional<Value> read = written_output(journal, run, step.path);
    const auto known = play.view().look(step.path);
    const bool replayed = known && known->state == State::Succeeded;
    INFO(step.path << " " << to_string(step.state));
    if (read) {
      ++seen.read;
      CHECK((replayed || step.state == State::Succeeded));
      CHECK(*read == (replayed ? known->output : step.output));
    } else {
      seen.groups += replayed;
    }
  }
}

}  // namespace

TEST_CASE("a summary and a step's own entries tell what history and replay do, of random runs") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  const scratch::Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  Seen seen;
  for (unsigned round = 0; round < 100; ++round) {
    Random random(seed + round);
    RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    std::optional<Loaded> loaded = load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, true, &workflow.files);
    REQUIRE(loaded);
    for (int again = 0; again < 5; ++again) {
      Play play(*loaded, random);
      play.to_the_end();
      const RunRecord run = keep(journal, fmt::format("random-{}-{}", round, again), play.log);
      compare(journal, run, 0, seen);
      for (int times = 0; times < 3; ++times)
        compare(journal, run, 1 + below(random, static_cast<int>(run.last_seq)), seen);
      compare_outputs(journal, run, play, seen);
    }
  }
  // Else this would be a test of nothing.
  CHECK(seen.counted > 50);
  CHECK(seen.told > 1000);
  CHECK(seen.read > 500);
  CHECK(seen.groups > 100);
}

TEST_CASE("a run of which everything is plain is counted, up to any entry") {
  const scratch::Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  std::vector<Entry> log;
  for (int i = 0; i < 3000; ++i) log.push_back(scratch::ended(fmt::format("x[{}]", i)));
  for (int i = 0; i < 3000; ++i) {
    StepSettled settled{fmt::format("y[{}]", i), "set", {State::Succeeded, Value(Json(i)), {}}, ""};
    log.push_back(to_entry(Decision{settled, {}}, scratch::at()));
  }
  const RunRecord run = keep(journal, "plain-1", log);
  // Without a start nobody knows how the first ones began.
  CHECK(Summary::of(journal, run).counted() == 3000);
  CHECK(Summary::of(journal, run).counts() == std::map<std::string, std::size_t>{{"succeeded", 6000}});
  CHECK(Summary::of(journal, run, 4000).counted() == 1000);
  CHECK(written_output(journal, run, "y[17]")->text() == "17");
  CHECK_FALSE(written_output(journal, run, "z[17]"));
}

TEST_CASE("of items of set that have succeeded none is read, and what is not theirs alone is found") {
  const scratch::Folder folder;
  Journal journal(folder / "journal.db", Journal::Mode::Create);
  const auto settled = [](const std::string& path, const char* kind, Duration after = {}) {
    return to_entry(Decision{StepSettled{path, kind, {State::Succeeded, {}, {}}, ""}, {}}, scratch::at() + after);
  };
  std::vector<Entry> log{settled("first", "set")};
  for (int i = 0; i < 50'000; ++i) log.push_back(settled(fmt::format("y[{}]", i), "set", Duration{i}));
  log.push_back(settled("y", "for_each", Duration{50'000}));
  log.push_back(settled("last", "set"));
  const RunRecord run = keep(journal, "alike-1", log);
  const char* const set = R"({"kind":"set","state":"succeeded"})";
  const auto in_item = [](std::int64_t, std::string_view path) { return path.ends_with(']'); };
  CHECK(EntryLook(journal, run).others(0, set, 10, in_item) == std::vector<std::int64_t>{1, 50'002, 50'003});
  CHECK(EntryLook(journal, run).others(20'002, set, 10, in_item) == std::vector<std::int64_t>{1});
  CHECK_FALSE(EntryLook(journal, run).others(0, set, 2, in_item));
  Seen seen;
  compare(journal, run, 0, seen);
  CHECK(seen.counted == 50'000);
  compare(journal, run, 40'001, seen);

  // More is told of one of them, before or after.
  for (bool before : {true, false}) {
    std::vector<Entry> more = log;
    const Entry timer =
        to_entry(Decision{ArmTimer{"y[7]", TimerKind::Delay, 0, scratch::at() + Duration{5}, Duration{5}, ""}, {}},
                 scratch::at());
    more.insert(before ? more.begin() : more.end(), timer);
    compare(journal, keep(journal, before ? "more-1" : "more-2", more), 0, seen);
  }
  scratch::Shell(folder / "journal.db")("DELETE FROM entries WHERE path = 'y[30000]' AND id >> 40 = 1");
  CHECK_FALSE(EntryLook(journal, run).others(0, set, 10, in_item));
  CHECK_THROWS_AS(Summary::of(journal, run), Corruption);
}

}  // namespace flowrun::test::summary_test
