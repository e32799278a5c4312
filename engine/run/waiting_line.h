// Which steps of a run were started and have not begun, as the drive that goes on with it says, or one that was killed
// has left. For views; changes nothing.
#pragma once

#include <string>
#include <vector>

#include "engine/executor/line_file.h"
#include "engine/journal/journal.h"
#include "engine/run/history.h"
#include "engine/steps/outline.h"

namespace flowrun {

class WaitingLine {
 public:
  /// Nobody waits.
  WaitingLine() = default;
  /// |history|: all of |run|.
  WaitingLine(const Journal& journal, const RunRecord& run, const History& history);
  /// What the newest attempt of |step| waits for: `a slot`, `a place of limit api (max 1, shared)`, which |rows| know.
  /// Empty: it does not.
  std::string waits_for(const StepHistory& step, const std::vector<OutlineRow>& rows) const;
  /// How many of |history| wait.
  std::size_t waiting(const History& history) const;

 private:
  LeftInLine line_;
};

}  // namespace flowrun
