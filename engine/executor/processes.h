// What the kernel tells of any process: proc(5). Knows nothing of runs and steps.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace flowrun {

struct ProcessState {
  int parent = 0, group = 0;
  bool dead = false;  ///< a zombie: it has ended, and its parent has not asked how
};

/// Nothing: there is no such process.
std::optional<ProcessState> state_of(int pid);
/// Numbers of all that can be seen; empty where /proc is not there.
std::vector<int> all_processes();
/// NAME=VALUE, each with a zero byte behind it, as it was when the program was loaded; empty: it may not be read.
std::string environment_of(int pid);
std::optional<std::string> variable(const std::string& environment, const std::string& name);
/// Its arguments, for people.
std::string command_of(int pid);
/// Whether one of the group is no zombie. To be asked when kill(2) has found one: this looks at every process.
bool group_lives(int group);
/// Whether this process has a child in another session than its own, dead or not; true where that can not be told.
bool has_children_elsewhere();

}  // namespace flowrun
