// The two clocks of a drive. Times in the journal are of the wall; timers run by the other.
#pragma once

#include <chrono>
#include <cstdint>

#include "engine/executor/work_clock.h"  // wall_clock()
#include "engine/model/time.h"
#include "engine/shared/boot.h"

namespace flowrun {

/// Milliseconds. Runs on while the machine sleeps, and does not jump when somebody sets the clock.
inline std::int64_t boot_clock() { return std::chrono::duration_cast<std::chrono::milliseconds>(boot_time()).count(); }

}  // namespace flowrun
