// How the steps of a past run stand, groups and items too, which have no entry of their own before they have ended, or
// none at all: that follows from what is in them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/report/past_run.h"

namespace flowrun::cli {

class StepStates {
 public:
  /// |run| is lent.
  explicit StepStates(const PastRun& run);

  using Wanted = std::function<bool(const StepHistory&)>;

  State of(const std::string& path) const;
  /// Whether the run has ended.
  bool all_over() const { return has_ended(run_.record.state); }
  /// Whether something at |path| or in it has entries.
  bool has_begun(const std::string& path) const;
  /// What is in the step at |path|, but for what undoes that.
  void each_within(const std::string& path, const std::function<void(const StepHistory&)>& visit) const;
  /// A step in that at |path| for which |wanted| holds and that holds no other such: the first by its end, or of what
  /// has not ended by its beginning. Null: none.
  const StepHistory* first_within(const std::string& path, const Wanted& wanted) const;
  /// The path of the first step or item beside |path| that stands so; empty: none does.
  std::string first_beside(const std::string& path, State wanted) const;

 private:
  State of_item(const std::string& path) const;

  const PastRun& run_;
  std::vector<const StepHistory*> by_path_;
};

/// The path of the step in |row|, which stands beside the step at |path|.
std::string path_beside(const std::string& path, const OutlineRow& row);

}  // namespace flowrun::cli
