// What `--json` prints of a drive that is over. Knows nothing of how it was driven.
#pragma once

#include <string>

#include "engine/run/run.h"

namespace flowrun::cli {

/// The run of |journal| as it is now, which this drive took so long for: one JSON object and a line break.
std::string result_json(const Journal& journal, const Run& run, Duration took);

}  // namespace flowrun::cli
