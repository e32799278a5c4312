// Reads a file of scenarios: nodes become data, with every mistake at its place. Reads one file and runs nothing.
#pragma once

#include <optional>
#include <string>

#include "engine/model/diagnostics.h"
#include "engine/run/load.h"
#include "engine/scenario/scenario_file.h"

namespace flowrun {

/// Reads the text of |diagnostics| as the file of scenarios |file|. Nothing when there are errors.
std::optional<ScenarioFile> read_scenarios(const std::string& file, Diagnostics& diagnostics);

/// Holds what |file| names against the workflow that it is about.
void check_names(const ScenarioFile& file, const Loaded& workflow, Diagnostics& diagnostics);

}  // namespace flowrun
