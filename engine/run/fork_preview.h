// What a fork would do, without doing any of it: the machine decides as in a real one and is given old results; what
// would run anew is taken to come to what it came to before. Writes nothing, starts nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/run/fork.h"
#include "engine/run/run.h"

namespace flowrun {

struct ForkPreview {
  std::vector<std::string> taken;
  std::vector<std::pair<std::string, std::string>> anew;  ///< with the reason
  std::vector<std::string> fresh;                         ///< the old run has not done them
  std::vector<std::string> waiting;  ///< done by the old run, and not reached: they wait for what would run
  std::vector<std::string> gone;     ///< done by the old run, and not in the workflow any more
};

/// Throws as Run::start does when there is no such step as |options| begin at.
ForkPreview preview_fork(const Journal& journal, const Loaded& loaded, const ResolvedInputs& inputs,
                         const StartOptions& options, Evaluator& evaluator);

}  // namespace flowrun
