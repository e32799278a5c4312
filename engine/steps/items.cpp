#include "engine/steps/items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

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
    for (std::size_t i = 0; i < count; ++i) items.list.push_back({Value(Json(i))});
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
  std::unordered_map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Json& json = items[i].value.json();
    const bool scalar = json.is_string() || json.is_number() || json.is_boolean();
    std::string text = json.is_string() ? json.get<std::string>() : items[i].value.text();
    const bool nameless = text.empty() && !empty_keys;
    if (!scalar || nameless || !names.emplace(std::move(text), i).second) return;
  }
  for (const auto& [text, i] : names) items[i].key = text;
}

}  // namespace flowrun
