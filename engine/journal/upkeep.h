// The upkeep of a journal: runs are taken out, and their room goes back to the file system. Does not know which runs
// may go.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun {

/// Lends the journal, which is open for writing.
class JournalUpkeep {
 public:
  explicit JournalUpkeep(Journal& journal) : journal_(journal) {}

  /// About how many bytes the entries of |run| take.
  static std::int64_t bytes_of(const Journal& journal, const RunRecord& run);
  /// Takes the runs of these numbers out with their entries and their mail, in one transaction. Returns those that
  /// somebody drives, which stay.
  std::set<std::int64_t> remove(const std::vector<std::int64_t>& runs);
  /// Gives the room of what was removed back to the file system; also that of texts and values which no run names any
  /// more, when no other process writes. Returns by how many bytes the file is smaller.
  std::int64_t shrink();

 private:
  Journal& journal_;
};

}  // namespace flowrun
