// What `run` and `fork` have in common: the options that a new run begins with.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "cli/drive.h"

namespace flowrun::cli {

struct StartFlags {
  StartOptions options;
  bool keep_going = false;
  bool fail_fast = false;
  std::string timeout;
};

void add_start_options(Command& command, StartFlags& flags, DriveFlags& drive);

/// --on, for a command that begins runs or goes on with them.
void add_on_option(Command& command, DriveFlags& drive);
/// Where attempts are carried out, as checked_place() says it: |drive| says it, or FLOWRUN_ON if |begins|; empty: none
/// does. Throws Error(Usage).
std::string on_option(const DriveFlags& drive, bool begins);

/// Throws Error(Usage) for an id that is none.
void check_id(const std::string& id);

/// The options that |flags| and |drive| come to. Throws Error(Usage) for a timeout that is none.
StartOptions start_options(const StartFlags& flags, const DriveFlags& drive);

}  // namespace flowrun::cli
