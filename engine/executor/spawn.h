// One function that makes a process. Knows files, groups and signals; not what the process is for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace flowrun {

/// Bytes of one argument: with its end it fits in 32 pages. execve(2).
constexpr std::size_t kLongestArgument = 128 * 1024 - 1;

struct SpawnRequest {
  std::vector<std::string> argv;
  std::vector<const char*> env;     ///< NAME=VALUE, lent
  std::string cwd;                  ///< empty: ours
  int in = -1, out = -1, err = -1;  ///< become descriptors 0, 1, 2
  std::vector<int> inherited;       ///< stay open as they are
};

struct Spawned {
  int pid = -1;
  int pidfd = -1;
  std::string error;  ///< not empty: nothing runs, and this is why
};

/// Starts a process in a session and group of its own with default signal dispositions and nothing else of ours open;
/// it is killed when the calling thread ends. It has no terminal: what asks for one is refused, and job control stops
/// nothing in a group whose parent is in another session (setpgid(2), "orphaned"). Blocks until the program is loaded.
/// clone(2), setsid(2), prctl(2) PR_SET_PDEATHSIG.
Spawned spawn(const SpawnRequest& request);

/// To be called once, before threads and after the program's signal handlers are in place: they are not to run in
/// children. Makes this process the one that orphans below it come to: reap_orphans() is to be called now and then.
/// Allows this process as many descriptors as it may have, because thousands of transfers need them; children get what
/// was allowed before, since some programs close, or select(2) on, all that they might have.
void prepare_spawns();

/// Takes in the ends of orphans that have become children of the calling thread, which has to be the first one of this
/// process: the kernel gives it all of them. Ends of what other threads have spawned, and of what is in our own
/// session, are left to whoever waits for them. waitid(2) __WNOTHREAD.
void reap_orphans();

/// Stays open for spawn's callers: reading gives end of file.
int null_device();

}  // namespace flowrun
