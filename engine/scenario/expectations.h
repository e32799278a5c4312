// Holds what a scenario expects against the run that it was. Tells all that is not so, each at its place in the file of
// scenarios.
#pragma once

#include "engine/model/diagnostics.h"
#include "engine/scenario/scenario_file.h"
#include "engine/scenario/virtual_run.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {

/// |jq| answers the expressions of the scenario. REQUIRES: |run| has come to its end.
void check_expectations(const Scenario& scenario, const VirtualRun& run, const WorkflowPlaces& places, Evaluator& jq,
                        Diagnostics& findings);

}  // namespace flowrun
