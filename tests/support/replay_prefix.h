// A log played again. Knows no framework of tests.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/machine/retry_request.h"
#include "engine/model/entry.h"
#include "engine/model/scope.h"
#include "engine/run/load.h"

namespace flowrun::test {

/// What the retries among |entries| reopen.
Foresight foresight_of(const std::vector<Entry>& entries);

/// Feeds the first |count| of |entries| to a new machine. Every decision must be the recorded one; those behind the
/// prefix are what may be missing. Throws with what differs.
void replay_prefix(const Loaded& loaded, const std::vector<Entry>& entries, std::size_t count, Evaluator& live);

}  // namespace flowrun::test
