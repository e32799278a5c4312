// Which steps a run's time was made of: the chain of steps of which each could not begin before the one before it had
// ended. To make the run faster, make one of these faster.
#pragma once

#include <string>
#include <vector>

#include "cli/report/past_run.h"

namespace flowrun::cli {

struct CriticalStep {
  std::string path;
  Instant began{}, ended{};
  Duration waited{0};  ///< after the step before it had ended, or the run had begun
};

/// From the beginning of |run| to the step that ended last. A step follows what it needs, by the edges of its file;
/// an item of a for_each also the item whose slot it took, and what is undone or done at the end what ended last. What
/// took no time stands for what it waits for. Without the plan of the workflow, the step that ended last
/// before it began.
std::vector<CriticalStep> critical_path(const PastRun& run);

}  // namespace flowrun::cli
