// The environment and files that a process is given. Knows the task and the run; starts nothing.
#pragma once

#include <string>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/spawn.h"
#include "engine/model/task.h"

namespace flowrun {

/// Where a process may write JSON: $FLOWRUN_OUTPUT. One name for each attempt of each step.
std::string output_file(const ExecutorOptions& options, const Task& task);

/// NAME=VALUE of everything: inherited, the workflow's, and FLOWRUN_*. Throws std::runtime_error for what can not be a
/// variable.
std::vector<std::string> environment_of(const ExecutorOptions& options, const Task& task, const Process& process);

/// The arguments; a script too long for one goes through a file in the run's folder, whose name comes back in |file|.
/// Throws std::runtime_error when that can not be written, or an argument can not be passed on.
std::vector<std::string> arguments_of(const ExecutorOptions& options, const Task& task, const Process& process,
                                      std::string& file);

}  // namespace flowrun
