// A run that has ended becomes a file of scenarios: each attempt ends as it did, so that the same comes of it again.
// Reads the journal; runs nothing, but plays what it has written.
#pragma once

#include <string>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun {

struct RecordedScenario {
  std::string text;                ///< of the file
  std::vector<std::string> notes;  ///< what is not as it was
};

/// |to|: where the file will be, from which its workflow is seen. Throws Error(Impossible) when no scenario can tell of
/// the run.
RecordedScenario record(const Journal& journal, const RunRecord& run, const std::string& to);

}  // namespace flowrun
