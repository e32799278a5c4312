// What `explore` and `test --schedule` have in common.
#pragma once

#include <string>

#include "cli/inputs.h"
#include "engine/explore/stand.h"

namespace flowrun::cli {

struct ExploreTarget {
  std::string file, scenarios;
  InputOptions inputs;
};

void add_target_options(Command& command, ExploreTarget& target);
ExploreFiles files_of(const ExploreTarget& target);
/// The command that plays |schedule| again.
std::string replay_command(const ExploreTarget& target, const std::string& schedule);

/// `test --schedule`: the entries of a run along |schedule|, and what is wrong with it. Returns the exit code.
int show_schedule(const ExploreTarget& target, const std::string& schedule, bool json);

}  // namespace flowrun::cli
