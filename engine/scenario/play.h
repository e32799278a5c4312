// Plays one scenario: what is given goes in, what is scripted answers, what is expected is held against how it went.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/model/entry.h"
#include "engine/run/load.h"
#include "engine/scenario/scenario_file.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {

/// How a scenario went.
struct PlayedScenario {
  std::string name;
  Position at;
  Diagnostics findings;        ///< what does not hold, in the file of scenarios
  bool mistaken = false;       ///< it could not be played, as it is written
  Duration took{0};            ///< in virtual time
  std::vector<Entry> entries;  ///< what the run would have written
  bool good() const { return findings.ok(); }
};

/// The start of a run of |loaded| as |scenario| says it, of inputs that were |resolved|. Nobody reads its secrets:
/// those that may be absent are. Its id is the scenario's, its folder one that is not there.
RunStarted started_of(const Loaded& loaded, ResolvedInputs resolved, const Scenario& scenario);

/// |loaded| is the workflow that |places| is about. |jq| answers for the run and for what is expected. |source|: the
/// file of scenarios. |stop|: whether somebody wants an end; what passes is then ended, and Interrupted thrown.
PlayedScenario play(const Scenario& scenario, const Loaded& loaded, const WorkflowPlaces& places, Evaluator& jq,
                    const Source& source, std::function<bool()> stop = {});

}  // namespace flowrun
