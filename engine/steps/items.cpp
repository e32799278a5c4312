#include "engine/steps/items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "engine/language/template.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostItems = 1000000;  // flowrun-workflow(5), "Limits"

Failure refuse(std::string message) { return {"expression", std::move(message)}; }

bool is_count(const Json& json) {
  return json.is_number() && json.get<double>() >= 0 && json.get<double>() == std::floor(json.get<double>());
}

std::vector<Item> in_batches(const std::vector<Item>& items, std::size_t size) {
  std::vector<Item> batches;
  for (std::size_t i = 0; i < items.size(); i += size) {
    Json group = Json::array();
    for (std::size_t j = i; j < std::min(items.size(), i + size); ++j) group.push_back(items[j].value.json());
    batches.push_back({Value(std::move(group))});
  }
  return batches;
}

}  // namespace

Fallible<Items> items_of(const Value& chosen, std::optional<std::int64_t> batch, bool empty_keys) {
  const Json& json = chosen.json();
  if (json.is_string()) return refuse("for_each needs a list, a map or a count, not text; use `capture: lines`");
  if (!json.is_array() && !json.is_object() && !is_count(json))
    return refuse("for_each needs a list, a map or a count, not " + shortened(chosen.text(), 80));
  const std::size_t count = json.is_number() ? json.get<std::size_t>() : json.size();
  if (count > kMostItems)
    return refuse(fmt::format("for_each over {} items; at most {} are possible", count, kMostItems));

  Items items;
  items.list.reserve(count);
  if (json.is_number()) {
    // Numbered as they are counted; as text, of which no tree is made before somebody looks inside.
    items.keyed = !batch;
    for (std::size_t i = 0; i < count; ++i) items.list.push_back({Value::from_text(std::to_string(i))});
  } else if (json.is_array()) {
    for (const Json& item : json) items.list.push_back({Value(item)});
  } else {
    items.keyed = !batch;
    for (const auto& [key, value] : json.items()) {
      items.list.push_back({Value(Json{{"key", key}, {"value", value}})});
      if (!key.empty() || empty_keys) items.list.back().key = key;
    }
  }
  if (!batch) return items;
  if (*batch < 1) return refuse("batch must be at least 1");
  items.list = in_batches(items.list, static_cast<std::size_t>(*batch));
  return items;
}

void name_by_value(std::vector<Item>& items, bool empty_keys) {
  // Texts that differ have hashes that differ, but for rare chance: there may be a million of them.
  std::vector<std::size_t> hashes;
  const auto named = [&](Item& item) {
    const Json& json = item.value.json();
    if (!json.is_string() && !json.is_number() && !json.is_boolean()) return false;
    item.key = json.is_string() ? json.get<std::string>() : item.value.text();
    hashes.push_back(std::hash<std::string>()(*item.key));
    return !item.key->empty() || empty_keys;
  };
  const auto differ = [&] {
    std::sort(hashes.begin(), hashes.end());
    if (std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end()) return true;
    std::unordered_set<std::string_view> keys;
    return std::all_of(items.begin(), items.end(), [&](const Item& item) { return keys.insert(*item.key).second; });
  };
  if (std::all_of(items.begin(), items.end(), named) && differ()) return;
  for (Item& item : items) item.key.reset();
}

}  // namespace flowrun
