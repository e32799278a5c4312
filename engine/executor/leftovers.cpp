#include "engine/executor/leftovers.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

namespace flowrun {
namespace {

constexpr int kRounds = 10;  // what keeps making children faster than they are ended is beyond us

std::string whole(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The value of |name| in an environment as /proc shows it: NAME=VALUE, each with a zero byte behind it.
std::optional<std::string> variable(const std::string& environment, const std::string& name) {
  std::string wanted = name + "=";
  for (std::size_t at = 0; at < environment.size();) {
    std::size_t end = std::min(environment.find('\0', at), environment.size());
    if (environment.compare(at, wanted.size(), wanted) == 0)
      return environment.substr(at + wanted.size(), end - at - wanted.size());
    at = end + 1;
  }
  return std::nullopt;
}

int parent_of(int pid) {
  std::string stat = whole("/proc/" + std::to_string(pid) + "/stat");
  std::size_t behind = stat.rfind(')');  // the name before it may hold anything
  if (behind == std::string::npos || behind + 4 >= stat.size()) return 0;
  return std::atoi(stat.c_str() + behind + 4);
}

std::set<int> ourselves() {
  std::set<int> pids;
  for (int pid = getpid(); pid > 1 && pids.insert(pid).second;) pid = parent_of(pid);
  return pids;
}

struct Found {
  int pid;
  std::string step;
};

class Search {
 public:
  Search(const std::vector<std::string>& tokens, const std::vector<std::string>& in_flight)
      : tokens_(tokens.begin(), tokens.end()),
        in_flight_(in_flight.begin(), in_flight.end()),
        ourselves_(ourselves()) {}

  std::vector<Found> pass() const {
    std::vector<Found> found;
    DIR* proc = opendir("/proc");
    if (!proc) return found;
    while (dirent* entry = readdir(proc)) {
      int pid = std::atoi(entry->d_name);
      if (pid <= 1 || ourselves_.count(pid)) continue;
      if (auto step = step_of(pid)) found.push_back({pid, *step});
    }
    closedir(proc);
    return found;
  }

  std::optional<std::string> step_of(int pid) const {
    std::string environment = whole("/proc/" + std::to_string(pid) + "/environ");
    auto token = variable(environment, "FLOWRUN_RUN_TOKEN");
    if (!token || !tokens_.count(*token)) return std::nullopt;
    return variable(environment, "FLOWRUN_STEP");
  }

  bool was_in_flight(const std::string& step) const { return in_flight_.count(step) > 0; }

 private:
  std::unordered_set<std::string> tokens_, in_flight_;
  std::set<int> ourselves_;
};

/// A process that can not be mistaken for a later one with its number.
class Handle {
 public:
  explicit Handle(int pid) : descriptor_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  Handle(Handle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  explicit operator bool() const { return descriptor_ >= 0; }
  void signal(int number) const { syscall(SYS_pidfd_send_signal, descriptor_, number, nullptr, 0); }
  bool gone_within(Duration patience) const {
    pollfd ended{descriptor_, POLLIN, 0};
    return poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(0, patience.count()))) > 0;
  }

 private:
  int descriptor_;
};

}  // namespace

std::vector<Leftover> end_leftovers(const std::vector<std::string>& tokens, const std::vector<std::string>& in_flight,
                                    Duration grace) {
  Search search(tokens, in_flight);
  std::vector<Leftover> leftovers;
  std::set<int> told;
  auto until = std::chrono::steady_clock::now() + grace;  // of all rounds together
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Handle> handles;
    for (const Found& found : search.pass()) {
      bool ends = search.was_in_flight(found.step);
      if (told.insert(found.pid).second) {
        std::string command = whole("/proc/" + std::to_string(found.pid) + "/cmdline");
        std::replace(command.begin(), command.end(), '\0', ' ');
        if (!command.empty()) command.pop_back();  // each argument has one behind it
        leftovers.push_back({found.pid, found.step, command, ends});
      }
      if (!ends) continue;
      Handle handle(found.pid);
      // Read again: the number may have passed to another process before the handle was taken.
      if (handle && search.step_of(found.pid) == found.step) handles.push_back(std::move(handle));
    }
    if (handles.empty()) return leftovers;
    for (const Handle& handle : handles) {
      handle.signal(SIGTERM);
      handle.signal(SIGCONT);
    }
    for (const Handle& handle : handles) {
      auto rest = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
      if (handle.gone_within(rest)) continue;
      handle.signal(SIGKILL);
      handle.gone_within(Duration{1000});
    }
  }
  return leftovers;
}

}  // namespace flowrun
