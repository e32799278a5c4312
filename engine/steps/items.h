// What a for_each runs over: a list, a map or a count as items, in batches if asked for, and the keys that their values
// give them. Knows neither frames nor expressions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/outcome.h"

namespace flowrun {

/// There may be a million: an item is made of the text of the list each time that somebody asks for it.
class Items {
 public:
  /// The items of |chosen|; |batch|: so many make one. |empty_keys|: an empty key of a map is a key. Throws Corruption
  /// when |chosen| is no JSON.
  static Fallible<Items> of(const Value& chosen, std::optional<std::int64_t> batch, bool empty_keys);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Value value(std::size_t i) const;
  /// The key of item |i|, or its number where it has none.
  std::string name(std::size_t i) const;

  /// Scalars that all read differently name themselves; anything else goes by its number. So do those of a count, and
  /// batches. A map has named its items.
  void name_by_value(bool empty_keys);
  /// Each item has one of |keys|.
  void name(std::vector<std::string> keys) { keys_ = std::move(keys); }

 private:
  Value member(std::size_t i) const;

  std::size_t size_ = 0;
  std::size_t batch_ = 0;                ///< 0: none
  std::optional<std::size_t> count_;     ///< the numbers below it
  Value list_;                           ///< it has |texts_|
  std::vector<std::string_view> texts_;  ///< of its members
  std::vector<Value> of_map_;            ///< its members
  std::vector<std::string> keys_;        ///< empty: others name the items
  bool by_value_ = false;                ///< their values name them
};

}  // namespace flowrun
