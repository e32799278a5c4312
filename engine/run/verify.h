// Proves that runs of a journal are whole: every checksum, and every decision computed again. Writes nothing.
#pragma once

#include <functional>
#include <string>

#include "engine/journal/journal.h"

namespace flowrun {

/// What the check of one run came to.
struct Verified {
  RunRecord run;
  std::string wrong;  ///< the first thing that is; empty: the run is good
  bool good() const { return wrong.empty(); }
};

/// Checks |run|: the sums of its entries, the text of its workflow, that a machine that is fed its facts decides what
/// is recorded, and that its row says what its entries lead to. |stop|: asked at each entry; when it says so, throws
/// Interrupted.
Verified verify(const Journal& journal, const RunRecord& run, const std::function<bool()>& stop = {});

/// Checks every run of |journal|, the newest first, and hands each result to |found| at once: a journal of many runs
/// takes minutes. Throws Corruption when the file itself is damaged.
void verify_all(const Journal& journal, const std::function<void(const Verified&)>& found);

}  // namespace flowrun
