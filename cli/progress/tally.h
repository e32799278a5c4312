// How many steps have ended how, by what each entry says of the step at its path. Keeps little of each: a run of a
// million steps has two million entries.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>

#include "engine/model/entry.h"

namespace flowrun::cli {

/// What an entry says of how its step stands. Again: an attempt has ended, and another one, a poll or a page follows;
/// Failed may be followed by that, too. Other: skipped, blocked or cancelled.
enum class StepWord { None, Began, Ok, Failed, Other, Again, NotBegun };

/// Throws Corruption when |entry| is not as any version writes it.
StepWord step_word(const Entry& entry);

class Tally {
 public:
  void add(const Entry& entry);
  std::size_t ok() const { return ok_; }
  std::size_t failed() const { return failed_.size(); }
  /// The run was reopened or undone: steps that had ended may have ended again, which this does not tell apart.
  bool reopened() const { return reopened_; }

 private:
  std::size_t ok_ = 0;
  std::string last_ok_;  ///< the end of an attempt and its step are two entries, one right behind the other
  std::unordered_set<std::string> failed_;
  std::string stream_;      ///< the for_each over standard input; empty: there is none
  bool stream_ok_ = false;  ///< it has succeeded
  bool reopened_ = false;
};

}  // namespace flowrun::cli
