// The time in which flowrun runs. It stands still while the process is stopped and while the machine sleeps, so that
// what bounds work does not count that. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include "engine/model/time.h"

namespace flowrun {

inline Instant wall_clock() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

class WorkClock {
 public:
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<WorkClock>;
  static constexpr bool is_steady = true;

  /// Somebody has to ask at least so often, or the time between is taken for one in which flowrun did not run.
  static constexpr std::chrono::milliseconds kBeat{200};

  WorkClock();
  time_point now();
  /// How long flowrun did not run, all together.
  duration lost();

 private:
  void beat();

  std::mutex mutex_;
  duration beat_at_, lost_{0};  ///< by CLOCK_BOOTTIME
};

}  // namespace flowrun
