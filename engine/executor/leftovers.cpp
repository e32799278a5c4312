#include "engine/executor/leftovers.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>
#include <unordered_set>
#include <utility>

#include "engine/executor/environment.h"
#include "engine/executor/processes.h"
#include "engine/executor/spawn.h"

namespace flowrun {
namespace {

constexpr int kMostRounds = 10;  // what keeps making children faster than they are ended is beyond us

constexpr Duration kMoment{100};  // for what has been told to end, or is about to
constexpr Duration kLook{20};

std::set<int> ourselves() {
  std::set<int> pids;
  for (int pid = getpid(); pid > 1 && pids.insert(pid).second;) {
    const auto state = state_of(pid);
    pid = state ? state->parent : 0;
  }
  return pids;
}

struct Found {
  int pid;
  std::string step;
  bool nested = false;  ///< started by a flowrun that the step runs, not by the step itself
  bool stays = false;   ///< its step says `leave: true`
};

class Search {
 public:
  Search(const std::vector<std::string>& tokens, const std::vector<std::string>& in_flight)
      : tokens_(tokens.begin(), tokens.end()),
        in_flight_(in_flight.begin(), in_flight.end()),
        ourselves_(ourselves()) {}

  std::vector<Found> pass() const {
    std::vector<Found> found;
    for (int pid : all_processes()) {
      if (pid <= 1 || ourselves_.count(pid)) continue;
      if (auto one = look(pid)) found.push_back(std::move(*one));
    }
    return found;
  }

  /// Nothing: |pid| belongs to none of the runs.
  std::optional<Found> look(int pid) const {
    const std::string environment = environment_of(pid);
    auto step = variable(environment, "FLOWRUN_STEP");
    auto token = variable(environment, "FLOWRUN_RUN_TOKEN");
    if (!step || !token) return std::nullopt;
    const bool stays = variable(environment, "FLOWRUN_LEAVE").has_value();
    if (tokens_.count(*token)) return Found{pid, std::move(*step), false, stays};
    for (auto& [outer_token, outer_step] : outer_marks(variable(environment, kOuterMarks).value_or("")))
      if (tokens_.count(outer_token)) return Found{pid, std::move(outer_step), true, stays};
    return std::nullopt;
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
  std::set<int> seen;
  auto until = std::chrono::steady_clock::now() + grace;  // of all rounds together
  for (int round = 0; round < kMostRounds; ++round) {
    std::vector<Handle> handles;
    for (const Found& found : search.pass()) {
      bool ends = search.was_in_flight(found.step);
      if ((ends || !found.stays) && seen.insert(found.pid).second)
        leftovers.push_back({found.pid, found.step, command_of(found.pid), ends});
      if (!ends) continue;
      Handle handle(found.pid);
      // Read again: the number may have passed to another process before the handle was taken.
      const auto again = search.look(found.pid);
      if (handle && again && again->step == found.step) handles.push_back(std::move(handle));
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

std::vector<Leftover> left_behind(const std::string& token) {
  const auto until = std::chrono::steady_clock::now() + kMoment;
  for (;;) {
    reap_orphans();
    if (!has_children_elsewhere()) return {};
    std::vector<Leftover> left;
    for (const Found& found : Search({token}, {}).pass())
      if (!found.stays) left.push_back({found.pid, found.step, command_of(found.pid), false});
    if (left.empty() || std::chrono::steady_clock::now() >= until) return left;
    std::this_thread::sleep_for(kLook);
  }
}

void kill_nested(const std::string& token, const std::string& step) {
  const Search search({token}, {});
  for (int round = 0; round < kMostRounds; ++round) {
    bool killed = false;
    for (const Found& found : search.pass()) {
      if (!found.nested || found.stays || (!step.empty() && found.step != step)) continue;
      const Handle handle(found.pid);
      const auto again = search.look(found.pid);
      if (!handle || !again || !again->nested || again->step != found.step) continue;
      handle.signal(SIGKILL);
      killed = handle.gone_within(kMoment) || killed;
    }
    if (!killed) return;
  }
}

}  // namespace flowrun
