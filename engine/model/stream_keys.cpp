#include "engine/model/stream_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/error.h"

namespace flowrun {
namespace {

/// Whether |text| ends in `#` and digits.
bool looks_repeated(std::string_view text) {
  const std::size_t last = text.find_last_not_of("0123456789");
  return last != std::string_view::npos && last + 1 < text.size() && text[last] == '#';
}

}  // namespace

bool names_itself(const Value& item) {
  const Json& json = item.json();
  return json.is_number() || json.is_boolean() || (json.is_string() && !json.get_ref<const std::string&>().empty());
}

std::string stream_text(const Value& item) {
  if (!names_itself(item)) return "\n" + item.text();  // no line begins like this
  return item.json().is_string() ? item.json().get<std::string>() : item.text();
}

std::vector<std::string> stream_keys(const ItemsArrived& arrived, std::size_t before) {
  const Json& items = arrived.items.json();
  if (!items.is_array()) throw Corruption("the items that arrived are no list");
  std::vector<int> nth(items.size(), 1);
  for (const RepeatedItem& repeated : arrived.repeated) {
    if (repeated.at < 0 || static_cast<std::size_t>(repeated.at) >= nth.size() || repeated.nth < 2)
      throw Corruption("a repeated item is none of those that arrived");
    nth[static_cast<std::size_t>(repeated.at)] = repeated.nth;
  }
  std::vector<std::string> keys;
  keys.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Value item(items[i]);
    if (!names_itself(item)) {
      keys.push_back(fmt::format("#{}", before + i));
      continue;
    }
    std::string text = stream_text(item);
    if (nth[i] > 1 || looks_repeated(text)) text += fmt::format("#{}", nth[i]);
    keys.push_back(std::move(text));
  }
  return keys;
}

}  // namespace flowrun
