// A rate that is spread evenly over its span. Numbers in, numbers out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/model/time.h"

namespace flowrun {

/// When the next of |rate| starts in |per| may be, after one |now| that might have been at |token|: nanoseconds of any
/// clock.
inline std::int64_t next_token(std::int64_t token, std::int64_t now, std::int64_t rate, Duration per) {
  using Nanoseconds = std::chrono::nanoseconds;
  // A start is never quite on time: the next one may make up for so much, or a rate of 500/s would be one of 300/s.
  constexpr std::int64_t kSlack = Nanoseconds(Duration{50}).count();
  const std::int64_t between = (Nanoseconds(per).count() + rate - 1) / rate;
  return std::max(token, now - (between < 2 * kSlack ? kSlack : 0)) + between;
}

}  // namespace flowrun
