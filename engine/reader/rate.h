// Rates as they are written: `50/s`. Knows nothing of where they stand.
#pragma once

#include <string>

#include "engine/machine/limit.h"

namespace flowrun {

/// Puts `50/s`, `300/m` or `1000/h` into |limit|. False: |text| is no rate, and |limit| is as it was.
bool parse_rate(const std::string& text, Limit& limit);

}  // namespace flowrun
