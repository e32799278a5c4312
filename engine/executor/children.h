// The processes of one worker, from start to end. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/executor/event_loop.h"
#include "engine/executor/pool_shared.h"

namespace flowrun {

enum class StopReason;

class Children {
 public:
  /// Both outlive it. REQUIRES: only the thread of |loop| calls its functions.
  Children(PoolShared& shared, EventLoop& loop);
  ~Children();

  /// REQUIRES: the process of |task| has its slot.
  void begin(Task task);
  /// Gives free slots to the first in line.
  void fill_slots();
  /// Fills slots when the jobserver has a token.
  void await_token();
  void stop(const std::string& path, int attempt);
  void stop_all(std::optional<Duration> most);
  void kill_all();

 private:
  struct Child;

  // What the loop calls.
  void on_exit(std::uint64_t id);
  void on_readable(std::uint64_t id, bool from_stderr);
  void on_writable(std::uint64_t id);
  /// A timeout, or the end of a grace.
  void on_alarm(std::uint64_t id);
  /// |came|: one may be there; else one was awaited for long.
  void on_token(bool came);

  Child* find(std::uint64_t id);
  /// Tells the process to end, for the reason |why|; what is left of its group after |grace| is killed.
  void end(Child& child, StopReason why, Duration grace);
  void signal_group(const Child& child, int signal);
  void close_watched(int& descriptor);
  /// The leader of a group that was told to end is gone: finishes when nothing of the group is left, else looks again.
  void end_of_group(Child& child);
  void finish(Child& child);
  /// The slot of a process that |shared| the CPUs, or not, is for the next in line.
  void free_slot(const ProcessSlots::Place& place);
  void failed_to_begin(const Task& task, const char* type, std::string message);

  PoolShared& shared_;
  EventLoop& loop_;
  const EventLoop::HandlerId exit_, stdout_, stderr_, stdin_, alarm_, token_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Child>> running_;
  std::unordered_map<std::string, std::uint64_t> by_path_;
};

}  // namespace flowrun
