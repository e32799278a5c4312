// The slots that processes run in, and the line of tasks and reservations that wait for a slot. Knows nothing of how a
// process is started. The run thread and the workers share it; one lock guards it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "engine/executor/jobserver.h"
#include "engine/executor/line_file.h"
#include "engine/model/decision.h"

namespace flowrun {

/// Whether what weighs |weight| may begin beside what weighs |taken|, in |all| places. Heavier than all: it runs alone.
constexpr bool fits(int taken, int weight, int all) { return taken + std::min(weight, all) <= all; }

class ProcessSlots {
 public:
  /// |jobs| > 0: at most so many processes. Else only those that share the CPUs are counted, at most |cpus|.
  /// |line| holds the waiting tasks as well, for who reads it after a crash; null: nobody does. |jobserver| gives each
  /// process that is counted its token; null: none is needed. Both outlive the slots, which alone use its tokens.
  ProcessSlots(int jobs, int cpus, LineFile* line = nullptr, Jobserver* jobserver = nullptr)
      : jobs_(jobs), cpus_(cpus), line_file_(line), jobserver_(jobserver) {}

  /// What a process takes.
  struct Place {
    bool shares_cpus = false;
    int weight = 1;  ///< of the jobserver it takes one token all the same; 0: it takes nothing
  };
  using Waiting = std::variant<Task, ReservePlace>;

  /// True: the process of |task| has a slot and may begin. Else |task| was moved into the line.
  bool admit(Task& task);
  /// True: a slot is held for |reservation|. Else it waits in line.
  bool reserve(ReservePlace reservation);
  /// Frees the slot of a process that has exited. Call next() to fill it.
  void leave(const Place& place);
  /// Gives a free slot to the first in line, who leaves the line. Nothing: no slot is free, or nobody waits.
  std::optional<Waiting> next();
  /// The process of |path| has failed: its slot stays taken until give_on().
  void withhold(const std::string& path, const Place& place);
  /// Frees the slot that |path| has left. True: there was one. Call next() to fill it.
  bool give_on(const std::string& path);
  /// Takes a waiting task, or a waiting or held reservation, out again. Returns the task, if it was one. |freed|: a
  /// slot has become free; call next() to fill it.
  std::optional<Task> withdraw(const std::string& path, int attempt, bool& freed);
  /// Takes all waiting tasks at |path| and below out; reservations stay. Call next(): who stood behind them may begin.
  std::vector<Task> withdraw_below(const std::string& path);
  /// True, once until token_came(): the first in line lacks nothing but a token, so somebody is to wait for one.
  bool lacks_token();
  /// The jobserver may have a token again. Call next() to use it.
  void token_came();
  /// A process was killed, and with it the tokens that it had.
  void may_have_lost_tokens();
  /// A token is awaited for long: puts one in, if one may be lost. False: none is awaited any more.
  bool still_lacks_token();
  /// How many tasks and reservations wait in line.
  std::size_t waiting() const {
    std::lock_guard lock(mutex_);
    return line_.size();
  }

 private:
  bool counts(const Place& place) const { return place.weight > 0 && (jobs_ > 0 || place.shares_cpus); }
  bool below_limit(const Place& place) const;
  /// Takes a slot, and its token, when both are free.
  bool take(const Place& place);
  void give_back(const Place& place);
  static Place place_of(const Waiting& waiting);
  void line_up(Waiting waiting);
  struct InLine {
    Waiting who;
    std::optional<std::size_t> number;  ///< of a task in the line's file
  };
  /// Removes |one| from the line's file; the caller removes it from line_.
  Waiting leave_line(InLine& one);

  const int jobs_, cpus_;
  LineFile* const line_file_;
  Jobserver* const jobserver_;
  mutable std::mutex mutex_;
  int running_ = 0;             ///< the weight of the processes that are counted
  bool token_awaited_ = false;  ///< somebody waits for a token
  std::deque<InLine> line_;
  std::unordered_map<std::string, Place> held_;           ///< by path, for reservations
  std::unordered_multimap<std::string, Place> withheld_;  ///< by path
};

inline ProcessSlots::Place place_of(const Process& process) { return {process.shares_cpus, process.weight}; }

}  // namespace flowrun
