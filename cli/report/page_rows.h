// The steps of a run as the rows of its page: a tree in the order of the file, each followed by what stands in it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/report/past_run.h"

namespace flowrun::cli {

struct PageRow {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::string path;
  std::size_t parent = kNone;   ///< row that it stands in
  std::size_t step = kNone;     ///< index in History::steps(); none: nothing of its own has happened to it
  std::size_t outline = kNone;  ///< index in PastRun::rows
  State state = State::Pending;
};

struct PageRows {
  std::vector<PageRow> rows;
  std::size_t folded = 0;  ///< steps that are left out: of items that went well, and then of the last ones
};

/// At most about |most| rows. A group that is not over, and an item of several steps, have a row without an entry of
/// theirs; so have steps of the file that have not begun.
PageRows page_rows(const PastRun& run, std::size_t most);

}  // namespace flowrun::cli
