#include "engine/steps/items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "engine/model/json_text.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostItems = 1000000;  // flowrun-workflow(5), "Limits"

Failure refuse(std::string message) { return {"expression", std::move(message)}; }

bool is_count(const Json& json) {
  return json.is_number() && json.get<double>() >= 0 && json.get<double>() == std::floor(json.get<double>());
}

Value of_text(std::string_view text) { return Value(Value::from_text(std::string(text)).tree()); }

/// The name that a scalar gives itself.
std::optional<std::string> scalar_text(const Value& value) {
  const Json& json = value.json();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number() || json.is_boolean()) return value.text();
  return std::nullopt;
}

}  // namespace

Fallible<Items> Items::of(const Value& chosen, std::optional<std::int64_t> batch, bool empty_keys) {
  Items items;
  std::size_t members = 0;
  const std::string& text = chosen.text();
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  const bool is_list = begin != text.npos && text[begin] == '[';
  if (is_list) {
    items.list_ = chosen;
    items.texts_ = list_elements(items.list_.text());
    members = items.texts_.size();
  } else {
    const Json& json = chosen.json();
    if (json.is_string()) return refuse("for_each needs a list, a map or a count, not text; use `capture: lines`");
    if (!json.is_object() && !is_count(json))
      return refuse("for_each needs a list, a map or a count, not " + shortened(chosen.text(), 80));
    members = json.is_number() ? json.get<std::size_t>() : json.size();
    if (json.is_number()) items.count_ = members;
  }
  if (members > kMostItems)
    return refuse(fmt::format("for_each over {} items; at most {} are possible", members, kMostItems));
  if (!is_list && !items.count_) {
    for (const auto& [key, value] : chosen.json().items()) {
      if (!batch) items.keys_.push_back(key.empty() && !empty_keys ? std::to_string(items.of_map_.size()) : key);
      items.of_map_.push_back(Value(Json{{"key", key}, {"value", value}}));
    }
  }
  if (batch && *batch < 1) return refuse("batch must be at least 1");
  items.batch_ = batch ? static_cast<std::size_t>(*batch) : 0;
  items.size_ = batch ? members / items.batch_ + (members % items.batch_ > 0) : members;
  return items;
}

Value Items::member(std::size_t i) const {
  // As text, of which no tree is made before somebody looks inside.
  if (count_) return Value::from_text(std::to_string(i));
  return of_map_.empty() ? of_text(texts_[i]) : of_map_[i];
}

Value Items::value(std::size_t i) const {
  if (batch_ == 0) return member(i);
  const std::size_t members = count_ ? *count_ : std::max(texts_.size(), of_map_.size());
  Json group = Json::array();
  for (std::size_t j = i * batch_; j < members && group.size() < batch_; ++j) group.push_back(member(j).tree());
  return Value(std::move(group));
}

std::string Items::name(std::size_t i) const {
  if (!keys_.empty()) return keys_[i];
  if (by_value_)
    if (auto text = scalar_text(member(i))) return *std::move(text);
  return std::to_string(i);
}

void Items::name_by_value(bool empty_keys) {
  if (batch_ > 0 || texts_.empty()) return;
  // Texts that differ have hashes that differ, but for rare chance: there may be a million of them.
  std::vector<std::size_t> hashes;
  for (std::size_t i = 0; i < size_; ++i) {
    const auto text = scalar_text(member(i));
    if (!text || (text->empty() && !empty_keys)) return;
    hashes.push_back(std::hash<std::string>()(*text));
  }
  std::sort(hashes.begin(), hashes.end());
  by_value_ = true;
  if (std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end()) return;
  std::unordered_set<std::string> names;
  for (std::size_t i = 0; i < size_ && by_value_; ++i) by_value_ = names.insert(name(i)).second;
}

}  // namespace flowrun
