// -i and --inputs: what a person gives for the inputs of a workflow, as text and as files.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "engine/run/load.h"

namespace flowrun::cli {

struct InputOptions {
  std::vector<std::string> inputs;  ///< -i
  std::string file;                 ///< --inputs
  bool given() const { return !inputs.empty() || !file.empty(); }
};

/// Whether some input is read from standard input.
bool reads_stdin(const InputOptions& options);

void add_input_options(Command& command, InputOptions& options);

/// Reads the files that are named. Throws Error(Usage) or Error(Invalid).
GivenInputs given_inputs(const InputOptions& options);

/// Checks and completes them, with this process's environment and clock, and evaluates `vars`.
ResolvedInputs resolved_inputs(const Loaded& loaded, const GivenInputs& given, Evaluator& evaluator);

}  // namespace flowrun::cli
