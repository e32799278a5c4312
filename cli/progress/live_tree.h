// What the live view says: the steps that run, each group of many items as one row, what waits for whom, and the rows
// of what is over. Made of entries and of the plan of the workflow; knows neither clock nor terminal.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cli/progress/item_groups.h"
#include "cli/questions.h"
#include "engine/model/entry.h"
#include "engine/run/history.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {

/// One row of the view. What it says comes from anywhere: whoever prints it filters it.
struct LiveRow {
  enum class Mark { Runs, Waits, Later, Ok, Failed, Other, Note };
  Mark mark = Mark::Note;
  std::string name;  ///< path of a step; empty: |text| takes the whole row
  std::string text;
  std::string right;              ///< a time
  std::optional<double> share{};  ///< of a group that is done, 0 to 1
  bool whole = false;             ///< a command to be copied: rather on two lines than cut
};

class LiveTree {
 public:
  /// |journal|: its path, for the commands that answer steps which wait. |every|: each item gets a row, not only those
  /// that have failed.
  LiveTree(std::string journal, bool every) : journal_(std::move(journal)), every_(every), items_(every) {}

  /// The plan of what is driven, and what the answers to its waits look like.
  void plan(std::vector<OutlineRow> rows, AnswerData answers);
  void run(const std::string& id) { run_ = id; }
  /// An entry of an earlier drive: it is counted, and no row is made of it.
  void earlier(const Entry& entry);
  void entry(const Entry& entry);

  /// The rows of what has ended since they were asked for, in the order in which it did. To be called when all entries
  /// of a commit are in: only then it shows whether a failed attempt is tried again.
  std::vector<LiveRow> ended();
  /// The rows of what goes on. Who waits for a person comes first, what has not begun last.
  std::vector<LiveRow> running(Instant now);
  /// Which part of all steps and items that are known is over, in percent; below 0: nothing is known.
  int percent() const;

 private:
  void take(const Entry& entry, bool told);
  /// Notes that the step of |entry| has ended, or goes on.
  void note_state(const Entry& entry, bool told);
  /// Makes rows of what the entries say so far; to be called when the decisions that follow a fact are in.
  void make_rows();
  LiveRow row_of(const StepHistory& step) const;
  LiveRow end_of(const ItemGroup& group, const StepHistory& step) const;
  /// Adds |row| of a step that waits for |signal|, and the command that answers it.
  void ask(std::vector<LiveRow>& rows, LiveRow row, const std::string& signal) const;
  std::vector<LiveRow> waiting_for_others() const;
  bool is_over(const OutlineRow& row) const;

  const std::string journal_;
  const bool every_;
  std::string run_;
  std::vector<OutlineRow> rows_;
  AnswerData answers_;
  History history_;  ///< of what is in no item: as many steps as the file has
  ItemGroups items_;
  std::map<std::string, std::size_t> told_;  ///< by group: rows of items that failed
  std::vector<std::string> live_;            ///< paths that go on, in the order in which they began
  std::vector<std::string> changed_;         ///< paths outside of items that have ended, without a row yet
  std::unordered_set<std::string> over_;  ///< paths outside of items whose end has its row, or is of an earlier drive
  std::set<std::string> held_;            ///< paths outside of items that have failed, but for their fallbacks
  std::vector<LiveRow> ended_;            ///< that were not asked for yet
};

}  // namespace flowrun::cli
