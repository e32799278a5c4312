// Where tests may pull the plug. Compiled to nothing but in the test build of the program.
#pragma once

namespace flowrun {

/// Ends this process with SIGKILL at the Nth pass through |name| when FLOWRUN_FAULT is `name:N`; only in a build with
/// FLOWRUN_FAULTS.
void fault_point(const char* name);

}  // namespace flowrun
