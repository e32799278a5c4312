// One schedule again: what a run along it would write, and what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "engine/explore/findings.h"
#include "engine/explore/stand.h"

namespace flowrun {

struct ReplayedSchedule {
  std::string workflow, scenarios;  ///< files
  std::vector<Entry> entries;
  std::string end;  ///< `succeeded`, ...; `goes on` where it is not followed to its end, `is stuck`
  std::vector<ExploreFinding> findings;
};

/// Throws Error(Invalid) for a schedule that can not happen, else as ReadFiles and Stand do.
ReplayedSchedule replay_schedule(const ExploreFiles& files, const std::string& schedule);

}  // namespace flowrun
