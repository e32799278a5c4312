// Which item of a forked list is which item of the old one: by its value, then by what its steps are asked. Knows no
// run and decides nothing about results.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/model/outcome.h"

namespace flowrun {

/// The path of a step and what it was asked.
using Asked = std::pair<std::string, std::string>;

class ItemPairs {
 public:
  /// The for_each at |path| had these |items| in the old run.
  void add_old(const std::string& path, Value items) { old_items_[path] = std::move(items); }

  /// The for_each at |path| of the new run has these |items|: those that the old one had at another place are those.
  void match(const std::string& path, const Value& items);

  /// Where the old run had what the new one has at |path|; empty: nowhere.
  std::string old_path(const std::string& path) const;
  /// As old_path. The first step of a changed item that asks what an old one has asked says which item it was.
  /// |results| are those of the old run, the same at every call.
  std::string old_path(const std::string& path, const std::string& input, const std::map<Asked, Result>& results);

  /// Whether |path| is in an item that is none of the old ones as it stands.
  bool is_in_changed(const std::string& path) const;

 private:
  std::map<std::string, Value> old_items_;    ///< by path of their for_each
  std::map<std::string, std::string> moved_;  ///< items of the new run and where the old one had them
  /// Items that are none of the old ones as they stand: the for_each of the old run, and what it had at their place.
  std::map<std::string, std::pair<std::string, std::string>> changed_;
  std::set<std::string> claimed_;                                 ///< items of the old run that have been found again
  std::unordered_multimap<std::uint64_t, std::string> by_input_;  ///< paths of results, made when they are needed
};

}  // namespace flowrun
