#include "cli/report/page_rows.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {
namespace {

class Tree {
 public:
  Tree(const PastRun& run, std::size_t most) : run_(run), most_(most) {
    for (std::size_t i = 0; i < run.rows.size(); ++i) {
      first_.emplace(run.rows[i].path, i);
      last_[run.rows[i].path] = i;
    }
  }

  PageRows grow() {
    const std::vector<StepHistory>& steps = run_.history.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      PageRow& row = nodes_[node(steps[i].path)].row;
      row.step = i;
      row.state = steps[i].state;
    }
    // What is still to begin, but for what stands in items: there may be any number of these.
    if (!has_ended(run_.record.state))
      for (std::size_t i = 0; i < run_.rows.size(); ++i)
        if (is_to_come(i)) node(run_.rows[i].path);
    // Nodes come after those that they stand in.
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      Node& one = nodes_[i];
      if (one.row.step == PageRow::kNone && !one.children.empty()) one.row.state = state_from_children(one);
      if (one.row.parent != PageRow::kNone) {
        Node& above = nodes_[one.row.parent];
        above.size += one.size;
        above.good = above.good && one.good && (one.row.state == State::Succeeded || one.row.state == State::Skipped);
      }
    }
    if (nodes_.size() > most_) leave_out();
    PageRows page;
    for (const std::size_t top : sorted(top_)) put(top, PageRow::kNone, page);
    return page;
  }

 private:
  struct Node {
    PageRow row;
    std::vector<std::size_t> children;
    std::size_t size = 1;  ///< with all that is in it
    bool good = true;      ///< all in it went well
    bool left_out = false;
  };

  std::size_t node(const std::string& path) {
    if (const auto known = by_path_.find(path); known != by_path_.end()) return known->second;
    const std::string above = path_above(path);
    const std::size_t parent = above.empty() ? PageRow::kNone : node(above);
    const std::size_t index = nodes_.size();
    by_path_.emplace(path, index);
    Node fresh;
    fresh.row.path = path;
    fresh.row.parent = parent;
    fresh.row.outline = outline_of(path);
    nodes_.push_back(std::move(fresh));
    (parent == PageRow::kNone ? top_ : nodes_[parent].children).push_back(index);
    return index;
  }

  /// As find_row() has it.
  std::size_t outline_of(const std::string& path) const {
    const std::string bare = without_keys(path);
    const auto& rows = bare == path ? first_ : last_;
    const auto found = rows.find(bare);
    return found == rows.end() ? PageRow::kNone : found->second;
  }

  bool is_to_come(std::size_t outline) const {
    for (std::optional<std::size_t> at = outline; at; at = run_.rows[*at].parent)
      // What has a role may never be needed.
      if (!run_.rows[*at].role.empty() || (at != outline && run_.rows[*at].many)) return false;
    return true;
  }

  /// Of what is not told by an entry: an item is over when its steps are.
  State state_from_children(const Node& one) const {
    std::array<bool, static_cast<std::size_t>(State::Blocked) + 1> seen{};
    bool open = false, begun = false;
    for (const std::size_t child : one.children) {
      State state = nodes_[child].row.state;
      const std::size_t outline = nodes_[child].row.outline;
      if (state == State::Failed && outline != PageRow::kNone && run_.rows[outline].tolerated == "true")
        state = State::Succeeded;
      seen[static_cast<std::size_t>(state)] = true;
      open = open || !is_terminal(state);
      begun = begun || state != State::Pending;
    }
    if (open) return begun ? State::Running : State::Pending;
    for (const State state : {State::Failed, State::Cancelled, State::Blocked, State::Succeeded})
      if (seen[static_cast<std::size_t>(state)]) return state;
    return State::Skipped;
  }

  /// Items, from the last to the first, those that went well before the others, until there is room.
  void leave_out() {
    std::size_t rows = nodes_.size();
    for (const bool good : {true, false})
      for (std::size_t i = nodes_.size(); i-- > 0 && rows > most_;) {
        Node& one = nodes_[i];
        const bool item = one.row.path.ends_with(']');
        // What is in a left out item goes with it.
        if (!item || one.left_out || is_in_left_out(one) || is_good(one) != good) continue;
        one.left_out = true;
        rows -= std::min(rows, one.size);
      }
  }
  static bool is_good(const Node& one) {
    return one.good && (one.row.state == State::Succeeded || one.row.state == State::Skipped);
  }
  bool is_in_left_out(const Node& one) const {
    for (std::size_t above = one.row.parent; above != PageRow::kNone; above = nodes_[above].row.parent)
      if (nodes_[above].left_out) return true;
    return false;
  }

  /// In the order of the file; items, which share a place there, in that of their beginning.
  std::vector<std::size_t> sorted(std::vector<std::size_t> siblings) const {
    std::stable_sort(siblings.begin(), siblings.end(), [this](std::size_t one, std::size_t other) {
      return nodes_[one].row.outline < nodes_[other].row.outline;
    });
    return siblings;
  }

  void put(std::size_t index, std::size_t parent, PageRows& page) const {
    const Node& one = nodes_[index];
    if (one.left_out) {
      page.folded += one.size;
      return;
    }
    const std::size_t row = page.rows.size();
    page.rows.push_back(one.row);
    page.rows.back().parent = parent;
    for (const std::size_t child : sorted(one.children)) put(child, row, page);
  }

  const PastRun& run_;
  const std::size_t most_;
  std::unordered_map<std::string, std::size_t> first_, last_;  ///< rows of the outline by path
  std::vector<Node> nodes_;
  std::unordered_map<std::string, std::size_t> by_path_;
  std::vector<std::size_t> top_;
};

}  // namespace

PageRows page_rows(const PastRun& run, std::size_t most) { return Tree(run, most).grow(); }

}  // namespace flowrun::cli
