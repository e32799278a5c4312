// A case: the same work done by flowrun and by a reference, side by side in one run, and what their ratio should be.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/stage.h"

namespace bench {

/// How much of the work is done: all of it, or what fits into a minute for all cases together.
struct Size {
  bool quick = false;
  int of(int whole) const { return quick ? whole / 10 : whole; }
};

struct Case {
  std::string name;
  std::string work;                                 ///< for the table
  std::string reference;                            ///< for the table
  enum class Goal { AtLeast, AtMost, Shown } goal;  ///< Shown: a rate, to know where we stand
  double target;
  /// What is compared, in any unit that both have: seconds mostly. The ratio is ours / reference where it should be
  /// at most the target (a cost), else reference / ours (a rate).
  std::function<double()> ours, theirs;
};

/// All cases; |stage| outlives them.
std::vector<Case> all_cases(Stage& stage, Size size);
/// Those of many items, large values and many runs.
std::vector<Case> size_cases(Stage& stage, Size size);
/// Those of answers that are longer than a line.
std::vector<Case> answer_cases(Stage& stage, Size size);
/// Those on a Restate server; none where there is none.
std::vector<Case> restate_cases(Stage& stage, Size size);

}  // namespace bench
