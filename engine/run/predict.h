// A run told anew on paper: the machine decides again, in time that is only counted, and a paper executor answers as
// the recorded run did. Executes nothing; expressions are evaluated anew, because entries keep answers without their
// questions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/run/recording.h"
#include "engine/run/what_if.h"

namespace flowrun {

struct Prediction {
  Duration took{0};
  Outcome outcome;
  std::size_t attempts = 0;
  std::size_t guessed = 0;   ///< attempts of which the recorded run does not say how they end
  std::string guessed_path;  ///< of the first of them
  /// How long somebody waited for a slot of `jobs`, `cpus`, `concurrency`, `limit NAME`, `rate of NAME`, `pause of
  /// NAME`, which a server has asked for, or `limit of a step`; longest first.
  struct Wait {
    std::string what;
    Duration span;
  };
  std::vector<Wait> waits;
};

/// |saw| gets each entry as the run would have written it.
using SawEntry = std::function<void(const Entry&)>;

/// |loaded| is the workflow of the recorded run, and is changed. Throws Error(Usage) when |what_if| names what there is
/// not, Error(Impossible) when the run would not come to an end.
Prediction predict(const Recording& recording, Loaded& loaded, Evaluator& evaluator, const WhatIf& what_if,
                   const SawEntry& saw = {});

/// What |run| tells. Throws Error(Impossible) when it can not be told anew: it has not ended, or ended because of what
/// somebody did.
Recording recording_of(const Journal& journal, const RunRecord& run);

/// With the run's own copy of its workflow.
Prediction predict(const Journal& journal, const RunRecord& run, const Recording& recording, const WhatIf& what_if,
                   const SawEntry& saw = {});

}  // namespace flowrun
