// The timers of a run: those of frames by path and kind, and one for each pool in which somebody waits for nothing but
// a date. Knows no clock: who drives the run says that one has fired.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/machine/answer_recorder.h"
#include "engine/machine/limit.h"
#include "engine/machine/timeline.h"
#include "engine/model/event.h"

namespace flowrun {

class Frame;

struct PendingTimer {
  std::string path;
  TimerKind timer;
  Instant due;
  Duration span;
  /// In the order in which they fire.
  bool operator<(const PendingTimer& other) const {
    return std::tie(due, path, timer) < std::tie(other.due, other.path, other.timer);
  }
};

class Timers {
 public:
  Timers(AnswerRecorder& decisions, const Timeline& time) : decisions_(decisions), time_(time) {}

  /// on_timer() of |frame| follows after |span|.
  void arm(Frame& frame, TimerKind timer, Duration span, int attempt = 0, std::string reason = "");
  void disarm(Frame& frame, TimerKind timer);
  /// |frame| vanishes.
  void forget(Frame& frame);

  /// The pool of |limit| opens then.
  void arm(const Limit& limit, Instant opens, std::string reason);
  void disarm(const Limit& limit);

  bool expects(const TimerFired& fired) const { return timers_.count({fired.path, fired.timer}) > 0; }
  /// Takes the timer out, and returns the frame to be told; null: it is a pool's. REQUIRES: expects(fired).
  Frame* fire(const TimerFired& fired);
  /// Limits of work count only time in which flowrun was there to work; dates stay dates.
  void postpone_limits_of_work(Duration lost);

  bool empty() const { return timers_.empty(); }
  std::vector<PendingTimer> pending() const;
  std::optional<Instant> due(const std::string& path, TimerKind timer) const;
  /// Whether one of them bounds work, see is_limit_of_work.
  bool limit_work() const;

 private:
  struct Timer {
    Frame* frame;  ///< null: of a pool
    Instant due;
    Duration span;
  };

  AnswerRecorder& decisions_;
  const Timeline& time_;
  std::map<std::pair<std::string, TimerKind>, Timer> timers_;
};

}  // namespace flowrun
