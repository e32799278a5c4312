// Places for processes, and the line of those that wait for one. Shared by the run thread and the workers, behind one
// lock.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "engine/executor/line_file.h"
#include "engine/model/task.h"

namespace flowrun {

class Places {
 public:
  /// |jobs| > 0: at most so many processes. Else only those that share the CPUs are counted, at most |cpus|.
  /// Who waits is in |line|, too; null: nobody wants to know it after a crash.
  Places(int jobs, int cpus, std::unique_ptr<LineFile> line = nullptr)
      : jobs_(jobs), cpus_(cpus), line_file_(std::move(line)) {}

  struct Reservation {
    std::string path;
    bool shares_cpus;
  };
  using Waiting = std::variant<Task, Reservation>;

  /// True: the process of |task| may begin now. Else it has taken |task| into the line.
  bool admit(Task& task);
  /// True: a place is held. Else it waits in line.
  bool reserve(Reservation reservation);
  /// A process that |shared| the CPUs, or not, has exited. next() says who has the place now.
  void leave(bool shared);
  std::optional<Waiting> next();
  /// The process of |path| has failed: its place is nobody's until give_on().
  void withhold(const std::string& path, bool shared);
  /// True: such a place has become free, for next().
  bool give_on(const std::string& path);
  /// Takes a waiting task, or a waiting or held reservation, out again. The task, if it was one; |freed|: a place has
  /// become free by it, for next().
  std::optional<Task> withdraw(const std::string& path, int attempt, bool& freed);
  /// Takes all waiting tasks at |path| and below out; reservations stay.
  std::vector<Task> withdraw_below(const std::string& path);
  /// How many wait in line.
  std::size_t waiting() const {
    std::lock_guard lock(mutex_);
    return line_.size();
  }

 private:
  bool free_for(bool shared) const;
  void take(bool shared);
  void line_up(Waiting waiting);
  struct InLine {
    Waiting who;
    std::optional<std::size_t> slot;  ///< of a task in the file
  };
  /// It is in line no more.
  Waiting leave_line(InLine& one);

  const int jobs_, cpus_;
  const std::unique_ptr<LineFile> line_file_;
  mutable std::mutex mutex_;
  int running_ = 0;  ///< that are counted
  std::deque<InLine> line_;
  std::unordered_set<std::string> held_, held_shared_;
  std::unordered_multimap<std::string, bool> withheld_;  ///< by path: whether it shared the CPUs
};

}  // namespace flowrun
