// The two clocks of a drive. Times in the journal are of the wall; timers run by the other.
#pragma once

#include <ctime>

#include <chrono>
#include <cstdint>

#include "engine/executor/work_clock.h"  // wall_clock()
#include "engine/model/time.h"

namespace flowrun {

/// Milliseconds. Runs on while the machine sleeps, and does not jump when somebody sets the clock.
inline std::int64_t boot_clock() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

}  // namespace flowrun
