// The results of earlier runs that a journal has for steps with `memo`: to look at, and to take away. Asks nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/model/value.h"

namespace flowrun {

struct MemoRow {
  std::string key, workflow, step, run;
  std::int64_t seq = 0;  ///< of the entry of |run| that it came with
  Instant at{};
  Duration at_most{0};     ///< how old it may be, as its step said
  Json input, reads;       ///< as the journal has it; sums by name
  Json writes;             ///< list of {name, size, mode, sum}
  std::int64_t bytes = 0;  ///< of its files
};

/// Newest first.
std::vector<MemoRow> memo_rows(const Journal& journal);

struct MemoChoice {
  std::vector<std::string> steps;  ///< paths, or patterns of them; none: of any
  std::optional<Duration> older;   ///< that are older
};

struct MemoCleared {
  std::size_t results = 0;
  std::int64_t bytes = 0;  ///< of files
};

/// Takes the results away that |choice| says, and the files that no result has any more.
MemoCleared clear_memo(const Journal& journal, const MemoChoice& choice, Instant now);
/// The same of those that are too old for their own step.
MemoCleared tidy_memo(const Journal& journal, Instant now);

}  // namespace flowrun
