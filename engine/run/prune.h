// Which old runs may go, and taking them away with their files. Asks nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/run/memo_list.h"

namespace flowrun {

struct PruneOptions {
  std::vector<std::string> runs;       ///< just these, as Journal::find() takes them; also what has not ended
  std::optional<Duration> older_than;  ///< that ended longer ago
  std::optional<std::size_t> keep;     ///< but for the newest of those that have ended
  std::optional<RunState> state;       ///< only those that ended so
};

struct PrunedRun {
  RunRecord run;
  std::int64_t bytes = 0;  ///< of its entries and its files, about
};

/// A run that was asked for and stays, with what keeps it.
struct KeptRun {
  RunRecord run;
  std::string why;
};

struct PrunePlan {
  std::vector<PrunedRun> remove;
  std::vector<KeptRun> kept;
};

/// A run stays that somebody drives, that has not ended and is not named, and whose results a fork takes over that has
/// not ended. Throws Error(Impossible) when a run that is named is not there.
PrunePlan plan_prune(const Journal& journal, const PruneOptions& options, Instant now);

struct Pruned {
  std::size_t runs = 0;
  std::int64_t file_bytes = 0;  ///< by which the journal's file is smaller
  std::vector<KeptRun> kept;    ///< that are driven by now
  MemoCleared memo = {};        ///< too old for their own step
};

/// Takes the runs of |plan| away, each whole or not at all. |removed| is told of each.
/// Results for steps with `memo` stay that are young enough; they need no run.
Pruned prune(Journal& journal, const PrunePlan& plan, Instant now,
             const std::function<void(const PrunedRun&)>& removed);

}  // namespace flowrun
