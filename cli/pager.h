// Long text for people goes through a pager at a terminal. Knows nothing of the text.
#pragma once

namespace flowrun::cli {

/// From here on, what this process writes to standard output goes through $FLOWRUN_PAGER, $PAGER or less, when it is a
/// terminal with a cursor; the pager shows what fits on a screen without asking for a key. Empty or `cat`: none.
void page_output();

/// While it lives, a pager may be used; at its end the pager has all, and whoever reads has seen enough of it.
class Paging {
 public:
  Paging() = default;
  ~Paging() { finish(); }
  Paging(const Paging&) = delete;
  Paging& operator=(const Paging&) = delete;
  /// Whether there is a pager. What it does not take was not wanted.
  bool in_use() const;
  /// Waits until it has ended, if it has not. False: it could not be started, and nobody has seen anything.
  bool finish();
};

}  // namespace flowrun::cli
