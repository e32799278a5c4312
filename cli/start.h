// What `run` and `fork` have in common: the options that a new run begins with.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "engine/run/run.h"

namespace flowrun::cli {

struct StartFlags {
  std::string id;
  int jobs = 0;
  int concurrency = 0;
  bool keep_going = false;
  bool fail_fast = false;
  std::string timeout;
};

void add_start_options(Command& command, StartFlags& flags);

/// Throws Error(Usage) for an id that is none.
void check_id(const std::string& id);

StartOptions start_options(const StartFlags& flags);

}  // namespace flowrun::cli
