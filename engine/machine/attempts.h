// The attempts of a run that are in flight, each in its slot, and those that are only a reservation for a strict start.
// Does not know what an attempt does, nor why a frame begins or ends one.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/machine/answer_recorder.h"
#include "engine/machine/limits.h"
#include "engine/machine/timeline.h"
#include "engine/model/event.h"
#include "engine/model/task.h"

namespace flowrun {

class TaskFrame;

/// An attempt for those outside.
struct InFlight {
  std::string path;
  int attempt;
  int rerun;
  Instant started_at;
  OnCrash on_crash;  ///< never Default
  bool wanted;       ///< false: abandoned, its end is awaited and changes nothing
  bool interrupted;  ///< stopped as the run was suspended
  std::string pool;  ///< as in Task
};

class Attempts {
 public:
  struct Attempt {
    int number = 0;  ///< 0: only a reservation
    int rerun = 0;
    std::uint64_t order = 0;  ///< of start
    Instant started_at{};
    OnCrash on_crash = OnCrash::Rerun;
    bool interrupted = false;    ///< stopped as the run is being suspended; it has no slot any more
    bool may_wait = false;       ///< in the line of the executor
    TaskFrame* frame = nullptr;  ///< null: abandoned, its end is late
    const Limit* limit = nullptr;
    std::size_t weight = 1;
    ReservePlace reservation;
    std::string pool;  ///< as in Task
  };

  Attempts(Pools& pools, AnswerRecorder& decisions, const Timeline& time)
      : pools_(pools), decisions_(decisions), time_(time) {}

  // What frames ask for.

  /// The frame's attempt is in flight from here on.
  void start(TaskFrame& frame, Task task, OnCrash on_crash);
  /// Abandons the frame's attempt, if one is in flight: it ends late.
  void stop(TaskFrame& frame, const std::string& reason);
  /// Holds the frame's slot for a strict start and asks the executor for a place.
  void reserve(TaskFrame& frame, ReservePlace place);
  /// Whether the frame waits for that: it is admitted and has not begun.
  bool is_reserving(const TaskFrame& frame) const;
  /// What was started at |path| and below, but waits for a place of the executor, is not to begin: on_withdrawn()
  /// follows.
  void withdraw_waiting(const std::string& path);
  /// |frame| vanishes.
  void forget(TaskFrame& frame);

  // What has happened.

  /// Whether that attempt may still end.
  bool expects(const std::string& path, int number) const;
  /// Whether a reservation may still be answered.
  bool expects_place(const std::string& path) const;
  const Attempt* find(const std::string& path) const;
  /// The attempt at |path| is over. REQUIRES: it is in flight.
  Attempt end(const std::string& path);
  /// It was stopped as the run is being suspended: its slot is free, and its frame still waits.
  void interrupt(const std::string& path);
  /// Reservations are given back, and are asked for anew when the run goes on.
  void interrupt_reservations();
  /// Nothing that is in flight begins again, so it has no end to wait for.
  void interrupt_all();
  /// Whoever was at work is gone: all that was in flight, in order of start, is so no longer.
  std::vector<std::pair<std::string, Attempt>> take_all();
  /// It is in flight again: it had only been decided and not begun.
  void put_back(const std::string& path, const Attempt& attempt);

  /// Whether an abandoned attempt is still at work at |path| or further down.
  bool any_abandoned_below(const std::string& path) const;
  std::size_t size() const { return attempts_.size(); }
  /// How many have a slot.
  std::size_t busy() const { return attempts_.size() - interrupted_; }
  /// How many slots those take.
  std::size_t weight() const { return weight_; }
  /// In order of start.
  std::vector<InFlight> in_flight() const;

 private:
  using Map = std::unordered_map<std::string, Attempt>;

  Attempt& begin(TaskFrame& frame);
  void erase(Map::iterator attempt);
  void interrupt(Attempt& attempt);
  void occupy(const Attempt& attempt);
  void vacate(const Attempt& attempt);
  /// The frame's own; end(): it has none.
  Map::iterator of(const TaskFrame& frame);

  Pools& pools_;
  AnswerRecorder& decisions_;
  const Timeline& time_;
  Map attempts_;  ///< by path
  std::size_t interrupted_ = 0, weight_ = 0;
  std::uint64_t starts_ = 0;
};

}  // namespace flowrun
