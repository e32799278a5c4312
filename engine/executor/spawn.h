// One function that makes a process. Knows files, groups and signals; not what the process is for.
#pragma once

#include <string>
#include <vector>

namespace flowrun {

struct SpawnRequest {
  std::vector<std::string> argv;
  std::vector<const char*> env;     ///< NAME=VALUE, lent
  std::string cwd;                  ///< empty: ours
  int in = -1, out = -1, err = -1;  ///< become descriptors 0, 1, 2
};

struct Spawned {
  int pid = -1;
  int pidfd = -1;
  std::string error;  ///< not empty: nothing runs, and this is why
};

/// Starts a process in a group of its own with default signal dispositions and nothing of ours open; it is killed when
/// the calling thread ends. Blocks until the program is loaded. clone(2), prctl(2) PR_SET_PDEATHSIG.
Spawned spawn(const SpawnRequest& request);

/// To be called once, before threads and after the program's signal handlers are in place: they are not to run in
/// children. Allows this process as many descriptors as it may have, because thousands of transfers need them; children
/// get what was allowed before, since some programs close, or select(2) on, all that they might have.
void prepare_spawns();

/// Stays open for spawn's callers: reading gives end of file.
int null_device();

}  // namespace flowrun
