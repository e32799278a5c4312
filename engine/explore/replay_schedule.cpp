#include "engine/explore/replay_schedule.h"

#include <fmt/format.h>

#include "engine/explore/exploration.h"
#include "engine/model/error.h"

namespace flowrun {

ReplayedSchedule replay_schedule(const ExploreFiles& files, const std::string& schedule) {
  const ReadFiles read(files);
  Stand stand(read, chosen_leaf(read), true);
  ExploredRun run(stand.stage());
  run.keep_entries();
  if (const auto wrong = run.replay(words_of(schedule)))
    throw Error(Problem::Invalid, fmt::format("{}: error: {}", read.workflow, *wrong));
  ReplayedSchedule replayed;
  replayed.workflow = read.workflow;
  replayed.scenarios = read.scenario_name;
  replayed.entries = run.entries();
  replayed.end = run.end() == ExploredRun::End::Ended   ? std::string(to_string(run.outcome().state))
                 : run.end() == ExploredRun::End::Stuck ? "is stuck"
                                                        : "goes on";
  const auto fresh = [&] { return ExploreFindings(stand.steps(), stand.places(), stand.never(), stand.run_name()); };
  // What fails although nothing goes wrong says nothing of this schedule.
  ExploredRun plain(stand.stage());
  plain.play({}, ExploredRun::Order::OldestFirst, false);
  ExploreFindings before = fresh(), findings = fresh();
  before.judge(plain, 0, 0);
  findings.know_of(before);
  findings.judge(run, 1, 0);
  replayed.findings = findings.sorted();
  return replayed;
}

}  // namespace flowrun
