// Processes that a dead drive of a run left behind. Knows tokens and paths of steps; nothing of frames.
#pragma once

#include <string>
#include <vector>

#include "engine/model/time.h"

namespace flowrun {

struct Leftover {
  int pid = 0;
  std::string step;     ///< its FLOWRUN_STEP
  std::string command;  ///< for people
  bool ended = false;   ///< false: left alone on purpose
};

/// Ends the processes whose FLOWRUN_RUN_TOKEN is one of |tokens| and whose FLOWRUN_STEP is one of |in_flight|
/// (TERM, |grace|, KILL; again until none is found), except this process and its ancestors. Others with such a token
/// are only reported. Blocks up to |grace| and a little. Sources: proc(5), pidfd_open(2).
std::vector<Leftover> end_leftovers(const std::vector<std::string>& tokens, const std::vector<std::string>& in_flight,
                                    Duration grace);

}  // namespace flowrun
