// The entries of a run, looked at where they lie: of a million of them no copy is made. Knows not what they mean.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/model/entry_view.h"

namespace flowrun {

/// Lends the journal.
class EntryLook {
 public:
  EntryLook(const Journal& journal, const RunRecord& run) : journal_(journal), run_(run.number) {}

  /// Shows |look| the entries in order from |from| on, as Journal::read() has them, until it says false. What it is
  /// lent is gone after the call, in which nothing else is read of the journal.
  void through(std::int64_t from, const std::function<bool(const EntryView&)>& look) const;
  /// Whether an entry is one of many. It may throw nothing, and reads nothing of the journal.
  using IsOne = std::function<bool(std::int64_t seq, std::string_view path)>;
  /// Numbers of all entries up to |until| (0: to the end) but for those whose data is |data| and of which |is_one| says
  /// so; these are asked about in order, and neither read nor checked any further. Nothing: there are more than |most|
  /// others, or it takes through() to tell what is wrong. Throws Corruption when the last are missing.
  std::optional<std::vector<std::int64_t>> others(std::int64_t until, std::string_view data, std::size_t most,
                                                  const IsOne& is_one) const;
  /// Numbers of those whose path is |path|, in order; none is checked.
  std::vector<std::int64_t> at(std::string_view path) const;

 private:
  const Journal& journal_;
  const std::int64_t run_;
};

}  // namespace flowrun
