// The steps of a workflow as they are written, with what an exploration has to know of them: what acts outside and can
// not be taken back by itself, who uses whose result, and what can never be. Runs nothing.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/run/load.h"
#include "engine/steps/graph.h"
#include "engine/steps/outline.h"

namespace flowrun {

struct WrittenStep {
  const Step* step = nullptr;
  bool acts = false;           ///< http, shell or exec
  bool changes = false;        ///< and something outside is another afterwards
  bool repeats = false;        ///< to do it twice is to do it once: the method says so, or who does it looks at a key
  bool keyed = false;          ///< it is sent the key
  bool polls = false;          ///< it is asked again until something holds
  bool bounded = true;         ///< a poll: its own file says how often, or how long
  bool has_undo = false;       ///< or is one
  bool says_undo_on = false;   ///< what there is to undo was thought about
  bool looks_back = false;     ///< it waits for the end of another, whatever that is: to tidy up, or to tell
  std::set<std::size_t> uses;  ///< rows whose results it names, or whose end it waits for by `needs` or `after`
  bool can_start = true, can_succeed = true;  ///< false: in no run at all
};

class WrittenSteps {
 public:
  /// |changes|: what a person says of steps, by path without keys: whether they change anything. Lends |loaded|.
  WrittenSteps(const Loaded& loaded, const std::map<std::string, bool>& changes);

  const std::vector<OutlineRow>& rows() const { return rows_; }
  const WrittenStep& of(std::size_t row) const { return steps_[row]; }
  /// |now| stands in the place of |before|, and is the same to all who ask.
  void exchange(const Step& before, const Step& now);
  std::size_t size() const { return steps_.size(); }
  /// Number of the row of the live step at |path|, whose definition |step| is if known; size(): there is none.
  std::size_t find(const std::string& path, const Step* step = nullptr) const;
  /// All types of errors that the workflow tells apart by `on`.
  const std::set<std::string>& patterns() const { return patterns_; }
  /// Whether an expression looks at what kind of error it was.
  bool looks_at_errors() const { return looks_at_errors_; }
  /// What expressions see of the output of the step |name|; null: nothing.
  const Sight* seen_of(const std::string& name) const;
  /// Whether it makes a difference which of both rows ends first, though both end well.
  bool order_matters(std::size_t a, std::size_t b) const;
  /// Whether |above| is |row| or a group around it.
  bool is_within(std::size_t row, std::size_t above) const;

 private:
  void walk(const Step& step);
  void add(const Step& step);
  void describe(std::size_t row, const std::map<std::string, bool>& changes);
  void read_mentions(const std::string& file, const std::string& name, const std::string& text);
  void mention(std::size_t row, const Expression& expression);
  /// The lists that a for_each goes through have items as their body looks at them.
  void shape_items();
  std::size_t named(std::size_t row, const std::string& name) const;
  void what_can_be();
  bool group_can_succeed(std::size_t row) const;
  bool graph_can_succeed(const GraphStep& graph, std::size_t row) const;

  std::vector<OutlineRow> rows_;
  std::vector<WrittenStep> steps_;
  std::vector<std::vector<std::size_t>> below_;
  std::multimap<std::string, std::size_t> by_path_;
  std::set<std::string> patterns_;
  std::map<std::string, Sight> sights_;
  std::map<std::size_t, Sight> item_sights_;  ///< by row of a for_each: what is seen of its items
  bool looks_at_errors_ = false, looks_at_order_ = false;
};

}  // namespace flowrun
