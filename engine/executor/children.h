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

class Children {
 public:
  /// Both outlive it. REQUIRES: only the thread of |loop| calls its functions.
  Children(PoolShared& shared, EventLoop& loop);
  ~Children();

  /// REQUIRES: the process of |task| has its slot.
  void begin(Task task);
  /// Gives a free slot, if there is one, to the first in line.
  void fill_slot();
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

  Child* find(std::uint64_t id);
  void end(Child& child, const char* why, Duration grace);
  void signal_group(const Child& child, int signal);
  /// Reads what is there, up to |most| bytes; false at the end of the stream.
  bool drain(Child& child, bool from_stderr, std::size_t most);
  void keep(Child& child, bool from_stderr, std::string_view bytes);
  // |bytes| have nothing secret in them. The first: what may be the end of standard output.
  void keep_end(Child& child, std::string_view bytes);
  void keep_stderr(Child& child, std::string_view bytes);
  /// Takes in what the process, which has exited, has left in its pipes.
  void hear_out(Child& child);
  void close_stream(int& descriptor);
  /// Of a process that was told to end and has: ends it for good when nothing of its group is left, else looks again.
  void end_of_group(Child& child);
  void finish(Child& child);
  /// The slot of a process that |shared| the CPUs, or not, is for the next in line.
  void free_slot(bool shared);
  Result result_of(const Child& child) const;
  void failed_to_begin(const Task& task, std::string message);

  PoolShared& shared_;
  EventLoop& loop_;
  const EventLoop::HandlerId exit_, stdout_, stderr_, stdin_, alarm_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Child>> running_;
  std::unordered_map<std::string, std::uint64_t> by_path_;
};

}  // namespace flowrun
