#include "engine/executor/work_clock.h"

#include "engine/shared/boot.h"

namespace flowrun {
namespace {

/// What comes later than this after the beat before it was not just late: on a busy machine some are.
constexpr std::chrono::milliseconds kGap{500};

}  // namespace

// CLOCK_MONOTONIC stands still while the machine sleeps, and goes on while the process is stopped; that of the boot
// always goes on, so a gap is a gap.
WorkClock::WorkClock() : beat_at_(boot_time()) {}

void WorkClock::beat() {
  const duration now = boot_time();
  if (now - beat_at_ > kGap) lost_ += now - beat_at_ - kBeat;
  beat_at_ = now;
}

WorkClock::time_point WorkClock::now() {
  std::lock_guard lock(mutex_);
  beat();
  return time_point(beat_at_ - lost_);
}

WorkClock::duration WorkClock::lost() {
  std::lock_guard lock(mutex_);
  beat();
  return lost_;
}

}  // namespace flowrun
