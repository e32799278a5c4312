// The items of each for_each while they end: counts, pace, and what is to be said of single ones. A run may have
// millions, so little is kept of each.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cli/progress/tally.h"
#include "engine/model/entry.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {

/// Of more items than these not each has its lines.
constexpr std::size_t kLargeGroup = 50;

/// How fast items end, learned while they do: what was lately counts more than what was long ago.
class Pace {
 public:
  /// |done|: how many have ended by |now|; never fewer than before.
  void see(Instant now, std::size_t done);
  /// Items in a second; 0: not known yet.
  double per_second() const { return per_second_; }

 private:
  std::optional<Instant> at_;
  std::size_t done_ = 0;
  double per_second_ = 0;
};

/// The items of one for_each, with all that is in them.
class ItemGroup {
 public:
  /// What stands in each item.
  struct Body {
    std::size_t steps = 0;                      ///< 0: the item is one step, whose path is its own
    std::unordered_set<std::string> tolerated;  ///< names of those whose failure is not the item's, each as in a path
  };

  ItemGroup(Instant began, std::size_t total, Body body) : body_(std::move(body)), began_(began), total_(total) {}

  std::size_t total() const { return total_; }
  std::size_t done() const { return ok_ + other_ + failed_.size(); }
  std::size_t failed() const { return failed_.size(); }
  Instant began() const { return began_; }
  bool is_over() const { return over_; }
  /// Whether more items may come.
  bool is_open() const { return open_; }
  /// `52 of 200  3 failed`
  std::string counts() const;
  /// The same with its pace, the time that is left by that, and the item that runs for long.
  std::string standing(Instant now);

 private:
  friend class ItemGroups;
  /// An item of several steps has no entry of its own when it is over: it is over when they are.
  struct Item {
    std::unordered_set<std::string> over;  ///< names of its steps
    std::unordered_set<std::string> failed;
  };

  Body body_;
  std::unordered_map<std::string, Item> items_;  ///< that are not over, or have failed
  Instant began_;
  std::size_t total_, ok_ = 0, other_ = 0;
  std::unordered_set<std::string> failed_;  ///< paths of items
  std::unordered_map<std::string, Instant> in_flight_;
  std::string last_ok_;  ///< the end of an attempt and its step are two entries, one right behind the other
  Pace pace_;
  bool over_ = false, open_ = false;
};

/// All of a run. Groups inside of items count with the item that they are in.
class ItemGroups {
 public:
  /// |every|: ended() tells of each item, not only of what has failed.
  explicit ItemGroups(bool every) : every_(every) {}

  /// Which steps stand in the items of each group, by the plan of the workflow.
  void plan(const std::vector<OutlineRow>& rows);
  /// Whether a step that has failed like this may come out otherwise yet: by what stands in for it.
  bool may_recover(const Entry& failed) const;
  /// Whether |entry| is of an item of a group that is known, or of what is in it; then it is counted. |told|: ended()
  /// is to tell of it.
  bool take(const Entry& entry, bool told);
  /// The group at |path| has its items.
  void begin(const std::string& path, Instant at, std::size_t total);
  /// The group at |path| has |more| items; |last|: it gets no others.
  void grow(const std::string& path, Instant at, std::size_t more, bool last);
  /// The group at |path| is over.
  void end(const std::string& path);
  /// What was over may run again, and says so by its entries.
  void reopen();
  /// Null: there is none at |path|.
  ItemGroup* find(const std::string& path);
  const std::map<std::string, ItemGroup>& all() const { return groups_; }
  /// By the paths of steps in items that wait: the signal that each waits for.
  const std::map<std::string, std::string>& waiting() const { return waiting_; }

  struct Ended {
    std::string path;
    bool ok = false;
    std::string text;
  };
  /// What has ended since this was asked. To be called when the decisions that follow a fact are in: only then it shows
  /// whether a failed attempt is tried again.
  std::vector<Ended> ended() { return std::exchange(ended_, {}); }

 private:
  static void count_step(ItemGroup& group, const std::string& item, std::string name, StepWord word);
  static void count_item(ItemGroup& group, const std::string& item, StepWord word);
  void tell(const Entry& entry, bool ok);
  void forget(std::string_view path);

  const bool every_;
  std::unordered_set<std::string> with_fallback_;  ///< paths in the plan
  std::map<std::string, ItemGroup::Body> bodies_;  ///< by the path of the group in the plan
  std::map<std::string, ItemGroup> groups_;
  std::map<std::string, std::string> waiting_;
  std::vector<Ended> ended_;
};

/// The group whose item, or what is in one, is at |path|: what is before the first bracket; empty: none.
std::string_view group_of(std::string_view path);

}  // namespace flowrun::cli
