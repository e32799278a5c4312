// Random runs of random workflows told anew on paper: each prediction comes to an end, and with the settings of the run
// it is that run. The seed is printed; FLOWRUN_SEED repeats it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/model/entry_reading.h"
#include "engine/run/predict.h"
#include "tests/machine/random_play.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::predict_random_test {
namespace {

/// The log of a play, in which each attempt took the time from its start to its end.
struct Past {
  Recording recording;
  bool refused = false;
  /// Nothing but attempts is in it, and timers: each fired when it was due, or its step was over by then.
  bool plain = true;
};

Past past_of(const std::vector<Entry>& log) {
  Past past;
  std::map<std::string, Instant> began;
  std::map<std::pair<std::string, TimerKind>, Instant> due;
  std::int64_t seq = 0;
  for (Entry entry : log) {
    if (entry.kind == EntryKind::StartTask) began[entry.path] = entry.at;
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::LateEnd) {
      Event event{entry.at, as<TaskEnded>(entry)};
      Result& result = std::get<TaskEnded>(event.fact).result;
      result.began = began[entry.path];
      result.took = entry.at - result.began;
      entry = to_entry(event, entry.kind == EntryKind::LateEnd);
    }
    if (entry.kind == EntryKind::ArmTimer) due[{entry.path, as<ArmTimer>(entry).timer}] = as<ArmTimer>(entry).due;
    if (entry.kind == EntryKind::TimerFired) {
      const auto armed = due.find({entry.path, as<TimerFired>(entry).timer});
      past.plain = past.plain && armed != due.end() && armed->second == entry.at;
      if (armed != due.end()) due.erase(armed);
    }
    if (entry.kind == EntryKind::StepSettled)
      for (auto timer = due.lower_bound({entry.path, TimerKind{}});
           timer != due.end() && timer->first.first == entry.path; timer = due.erase(timer))
        past.plain = past.plain && entry.at <= timer->second;
    entry.seq = ++seq;
    for (const EntryKind other : {EntryKind::RunResumed, EntryKind::SuspendRequested, EntryKind::TaskInterrupted,
                                  EntryKind::TaskWithdrawn, EntryKind::RunFrozen, EntryKind::SignalReceived,
                                  EntryKind::LateEnd, EntryKind::ReservePlace, EntryKind::TaskReserved})
      past.plain = past.plain && entry.kind != other;
    past.recording.add(entry);
  }
  try {
    past.recording.close();
  } catch (const Error&) {
    past.refused = true;
  }
  return past;
}

std::string moment(const Entry& entry) {
  return fmt::format("{} {} {}", entry.at.time_since_epoch().count(), to_string(entry.kind), entry.path);
}

/// The entries of |log| and those told |anew|, from shortly before the first that differ.
std::string from_where(const std::vector<Entry>& log, const std::vector<std::string>& anew) {
  constexpr std::size_t kBefore = 8, kAfter = 12;
  std::vector<std::string> was;
  for (const Entry& entry : log) was.push_back(moment(entry));
  const auto [one, other] = std::mismatch(was.begin(), was.end(), anew.begin(), anew.end());
  const std::size_t same = one - was.begin();
  const auto part = [&](const std::vector<std::string>& all) {
    const std::size_t from = std::min(same - std::min(same, kBefore), all.size());
    return fmt::format("{}", fmt::join(all.begin() + from, all.begin() + std::min(all.size(), same + kAfter), "\n"));
  };
  return fmt::format("as it was:\n{}\ntold anew:\n{}", part(was), part(anew));
}

}  // namespace

TEST_CASE("random runs are told anew to their end, whatever the settings", "[predict]") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::map<std::string, int> seen;
  const std::vector<std::string> sorts{"refused", "guessed", "known", "same", "waits"};
  const auto all_seen = [&] {
    return std::all_of(sorts.begin(), sorts.end(), [&](const std::string& sort) { return seen[sort] >= 1; });
  };
  // A run that would wait for a signal is rare.
  for (unsigned round = 0; round < 100 || (round < 2000 && !all_seen()); ++round) {
    Random random(seed + round);
    RandomWorkflow workflow(random);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    Diagnostics diagnostics({"random.yaml", workflow.text});
    const auto read = [&] {
      return load("/nowhere/random.yaml", diagnostics, nullptr, Lints::No, false, &workflow.files);
    };
    std::optional<Loaded> loaded = read();
    REQUIRE(loaded);
    for (int again = 0; again < 5; ++again) {
      Play play(*loaded, random);
      play.to_the_end();
      const Past past = past_of(play.log);
      if (past.refused) {
        ++seen["refused"];
        continue;
      }
      for (const char* settings : {"same", "jobs=1000", "jobs=1", "jobs=100,concurrency=100", "concurrency=1",
                                   "scale.*=0", "scale.*=1000", "scale.?*[13579]*=7"}) {
        INFO("run " << again << ", " << settings);
        std::optional<Loaded> copy = read();
        NoJq no_jq;
        try {
          std::vector<std::string> anew;
          const Prediction told = predict(past.recording, *copy, no_jq, what_if_from(settings),
                                          [&](const Entry& entry) { anew.push_back(moment(entry)); });
          ++seen[told.guessed > 0 ? "guessed" : "known"];
          CHECK(told.took >= Duration{0});
          if (settings != std::string("jobs=1000") || !past.plain || told.guessed > 0) continue;
          // In a play nobody waits in the executor's line.
          ++seen["same"];
          INFO((told.took == past.recording.took() ? "" : from_where(play.log, anew)));
          CHECK(told.outcome.state == play.machine().outcome().state);
          CHECK(told.took == past.recording.took());
        } catch (const Error& error) {
          INFO(error.what());
          const std::string why = error.what();
          const bool waits = why.find("for a signal that the recorded one never got") != std::string::npos;
          const bool no_step = why.find("the run has no such step") != std::string::npos;
          CHECK((waits || no_step));
          ++seen[waits ? "waits" : "no step"];
        }
      }
    }
  }
  for (const std::string& sort : sorts) {
    INFO(sort << " " << seen[sort]);
    CHECK(seen[sort] >= 1);
  }
}

}  // namespace flowrun::test::predict_random_test
