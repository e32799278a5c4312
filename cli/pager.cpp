#include "cli/pager.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

#include "cli/terminal.h"

extern char** environ;

namespace flowrun::cli {
namespace {

pid_t g_pager = -1;
bool g_ended = false;

/// The command for the shell; empty: none.
std::string pager_command() {
  for (const char* name : {"FLOWRUN_PAGER", "PAGER"})
    if (std::getenv(name)) return variable(name) == "cat" ? "" : variable(name);
  // Where it is not installed, nothing is missing but comfort.
  return "! command -v less >/dev/null && exec cat; exec less";
}

}  // namespace

void page_output() {
  if (g_pager >= 0 || !stdout_is_terminal() || variable("TERM").empty() || variable("TERM") == "dumb") return;
  const std::string command = pager_command();
  int ends[2];
  if (command.empty() || pipe2(ends, O_CLOEXEC) != 0) return;
  // F: no key for what fits on a screen. R: as it is. X: what was there before stays.
  setenv("LESS", "FRX", 0);
  const char* argv[] = {"sh", "-c", command.c_str(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[0], STDIN_FILENO);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  sigset_t fresh;
  sigemptyset(&fresh);
  sigaddset(&fresh, SIGPIPE);
  posix_spawnattr_setsigdefault(&how, &fresh);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
  pid_t pager = -1;
  const bool runs = posix_spawn(&pager, "/bin/sh", &files, &how, const_cast<char**>(argv), environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  if (runs && dup2(ends[1], STDOUT_FILENO) >= 0) {
    g_pager = pager;
    signal(SIGINT, SIG_IGN);  // it is the pager's now
  }
  close(ends[0]);
  close(ends[1]);
}

bool Paging::finish() {
  static bool started = true;
  if (g_pager < 0 || g_ended) return started;
  g_ended = true;
  std::fflush(stdout);
  close(STDOUT_FILENO);
  int status = 0;
  while (waitpid(g_pager, &status, 0) < 0 && errno == EINTR) {
  }
  // As the shell says: not found, or not to be run.
  started = !WIFEXITED(status) || WEXITSTATUS(status) < 126;
  if (!started) std::fputs("error: the pager could not be started; FLOWRUN_PAGER=cat prints without one\n", stderr);
  return started;
}

bool Paging::in_use() const { return g_pager >= 0; }

}  // namespace flowrun::cli
