#include "engine/machine/backoff.h"

#include <algorithm>
#include <cmath>

namespace flowrun {

Duration wait_after(const Backoff& backoff, int failed, double chance) {
  // In doubles, because delay * factor^n overflows long before a large attempt count ends.
  double full = static_cast<double>(backoff.delay.count()) * std::pow(backoff.factor, failed - 1);
  full = std::min(full, static_cast<double>(backoff.max_delay.count()));
  if (!(full > 0)) return Duration{0};
  return Duration{static_cast<std::int64_t>(backoff.jitter ? full * chance : full)};
}

}  // namespace flowrun
