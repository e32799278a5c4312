#include "engine/model/sight.h"

namespace flowrun {

namespace {
constexpr std::size_t kQuoted = 64;  // bytes of a text that errors quote
}

Sight Sight::all() {
  Sight sight;
  sight.whole = true;
  return sight;
}

Sight& Sight::every() {
  if (each.empty()) each.emplace_back();
  return each.front();
}

Sight Sight::of(std::string_view name) const {
  if (whole) return all();
  Sight sight;
  if (!each.empty()) sight = each.front();
  if (auto named = fields.find(std::string(name)); named != fields.end()) sight.add(named->second);
  return sight;
}

bool Sight::sees(std::string_view name) const {
  return whole || members || !each.empty() || fields.contains(std::string(name));
}

void Sight::add(const Sight& other) {
  whole = whole || other.whole;
  members = members || other.members;
  for (const auto& [name, sight] : other.fields) fields[name].add(sight);
  if (!other.each.empty()) every().add(other.each.front());
}

Json seen(const Json& json, const Sight& sight) {
  if (sight.whole) return json;
  if (json.is_object()) {
    Json object = Json::object();
    if (sight.members || !sight.each.empty()) {
      for (const auto& [name, member] : json.items()) object[name] = seen(member, sight.of(name));
    } else {
      for (const auto& [name, of_member] : sight.fields)
        if (auto member = json.find(name); member != json.end()) object[name] = seen(*member, of_member);
    }
    return object;
  }
  if (json.is_array()) {
    Json list = Json::array();
    if (!sight.members && sight.each.empty()) return list;
    const Sight none;
    const Sight& each = sight.each.empty() ? none : sight.each.front();
    for (const Json& member : json) list.push_back(seen(member, each));
    return list;
  }
  if (!json.is_string() || sight.members) return json;
  // As much as an error may quote.
  const auto& text = json.get_ref<const std::string&>();
  return text.substr(0, whole_characters(text, kQuoted));
}

Json seen(const Value& value, const Sight& sight) {
  return value.has_tree() ? seen(value.json(), sight) : seen(value.tree(), sight);
}

}  // namespace flowrun
