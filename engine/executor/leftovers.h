// Processes that outlive what started them: those of a dead drive, and those that steps leave behind. They are known by
// the marks in their environment, a token and the path of a step for each run they belong to. Knows nothing of frames.
#pragma once

#include <string>
#include <vector>

#include "engine/model/time.h"

namespace flowrun {

struct Leftover {
  int pid = 0;
  std::string step;     ///< its FLOWRUN_STEP, or that of the step whose flowrun started it
  std::string command;  ///< for people
  bool ended = false;   ///< false: left alone on purpose
};

/// Ends the processes that carry one of |tokens| with a step that is one of |in_flight| (TERM, |grace|, KILL; again
/// until none is found), except this process and its ancestors. Others with such a token are only reported, unless
/// their step says that they are meant to stay. Blocks up to |grace| and a little. Sources: proc(5), pidfd_open(2).
std::vector<Leftover> end_leftovers(const std::vector<std::string>& tokens, const std::vector<std::string>& in_flight,
                                    Duration grace);

/// What runs below this process, carries |token| and is not meant to stay. To be asked when no step runs. What is just
/// about to end gets a moment; where there is nothing, this costs a few system calls.
std::vector<Leftover> left_behind(const std::string& token);

/// Kills what nested runs of |step|, or of all steps when it is empty, have started, when that is killed: these
/// processes are in groups of their own, and the flowrun that would end them is dead.
void kill_nested(const std::string& token, const std::string& step);

}  // namespace flowrun
