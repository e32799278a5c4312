// Rows of the live view as lines of a terminal: columns, bars, colours. Pure; knows neither runs nor where the lines
// stand.
#pragma once

#include <cstddef>

#include "cli/progress/live_screen.h"
#include "cli/progress/live_tree.h"

namespace flowrun::cli {

struct LiveStyle {
  bool utf8 = true;    ///< else ASCII only
  bool colors = true;  ///< symbols differ all the same
};

/// How wide the column of names is in a terminal of |columns| whose longest name takes |longest|.
std::size_t name_columns(std::size_t longest, std::size_t columns);

/// |row| in at most |columns| - 1 columns: a terminal that has its last column written may wrap. |names|: the width of
/// the column of names. |frame|: counts up, turns the sign of what runs.
ScreenLine line_of(const LiveRow& row, std::size_t names, std::size_t columns, std::size_t frame,
                   const LiveStyle& style);

}  // namespace flowrun::cli
