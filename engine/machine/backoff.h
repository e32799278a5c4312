// How long to wait before the next try. Pure: chance comes in as a number.
#pragma once

#include "engine/model/time.h"

namespace flowrun {

struct Backoff {
  Duration delay{500};
  double factor = 2;
  Duration max_delay{30000};
  bool jitter = true;  ///< uniform in [0, wait]
};

/// The wait after the |failed|th attempt (from 1) of this policy; |chance| in [0, 1) places it within the jitter.
Duration wait_after(const Backoff& backoff, int failed, double chance);

}  // namespace flowrun
