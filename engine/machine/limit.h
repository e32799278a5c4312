// A bound on attempts, as written: `limit` of a step, or a pool of `limits` that several steps share. Immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/model/time.h"

namespace flowrun {

/// Two steps share a pool when they point to the same Limit: names mean nothing beyond the file that gives them.
struct Limit {
  std::string name;       ///< of a pool of `limits`; empty: a step's own
  std::string path;       ///< of its timers, `limits.api`, `limits.api of pay.yaml`; a step's own has none
  std::size_t max = 0;    ///< attempts at once; 0: no bound
  std::int64_t rate = 0;  ///< starts in any span of |per|; 0: no bound
  Duration per{0};
  std::string rate_text;  ///< `50/s`, as written
  bool shared = false;    ///< also by other drives on the same journal, which the executor sees to
};

}  // namespace flowrun
