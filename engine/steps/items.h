// What a for_each runs over: a list, a map or a count as items, in batches if asked for, and the keys that their values
// give them. Knows neither frames nor expressions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/outcome.h"

namespace flowrun {

struct Item {
  Value value;
  std::optional<std::string> key{};  ///< nothing: its index
};

struct Items {
  std::vector<Item> list;
  bool keyed = false;  ///< by the map that they come from, or by their number
};

/// The items of |chosen|; |batch|: so many make one. |empty_keys|: an empty key of a map is a key.
Fallible<Items> items_of(const Value& chosen, std::optional<std::int64_t> batch, bool empty_keys);

/// Scalars that all read differently name themselves; anything else goes by its index. |empty_keys| as above.
void name_by_value(std::vector<Item>& items, bool empty_keys);

}  // namespace flowrun
