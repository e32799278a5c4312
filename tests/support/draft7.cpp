#include "tests/support/draft7.h"

#include <algorithm>
#include <map>
#include <regex>

#include "engine/language/json_schema.h"

namespace flowrun {
namespace {

/// The patterns of editors look ahead, which ours do not.
bool matches(const std::string& pattern, const std::string& text) {
  static std::map<std::string, std::regex> compiled;
  auto found = compiled.find(pattern);
  if (found == compiled.end()) found = compiled.emplace(pattern, std::regex(pattern)).first;
  return std::regex_search(text, found->second);
}

}  // namespace

bool satisfies(const Json& schema, const Json& value, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (auto ref = schema.find("$ref"); ref != schema.end())
    return satisfies(root.at(Json::json_pointer(ref->get<std::string>().substr(1))), value, root);
  auto good = [&](const Json& one) { return satisfies(one, value, root); };
  auto check = [&](const std::string& keyword, const Json& with) {
    if (keyword == "allOf") return std::all_of(with.begin(), with.end(), good);
    if (keyword == "anyOf") return std::any_of(with.begin(), with.end(), good);
    if (keyword == "oneOf") return std::count_if(with.begin(), with.end(), good) == 1;
    if (keyword == "not") return !good(with);
    if (keyword == "if") {
      const auto found = schema.find(good(with) ? "then" : "else");
      return found == schema.end() || good(*found);
    }
    if (keyword == "pattern") return !value.is_string() || matches(with.get<std::string>(), value.get<std::string>());
    if (keyword == "items")
      return !value.is_array() ||
             std::all_of(value.begin(), value.end(), [&](const Json& one) { return satisfies(with, one, root); });
    if (keyword == "minProperties") return !value.is_object() || value.size() >= with.get<std::size_t>();
    if (keyword == "maxProperties") return !value.is_object() || value.size() <= with.get<std::size_t>();
    if (keyword == "then" || keyword == "else" || keyword == "definitions") return true;
    for (const char* of_members : {"properties", "patternProperties", "additionalProperties", "propertyNames"})
      if (keyword == of_members) return true;
    return schema_errors({{keyword, with}}, value).empty();
  };
  for (const auto& [keyword, with] : schema.items())
    if (!check(keyword, with)) return false;
  if (!value.is_object()) return true;
  static const Json none = Json::object(), any = true;
  auto of = [&](const char* keyword, const Json& otherwise) -> const Json& {
    const auto found = schema.find(keyword);
    return found == schema.end() ? otherwise : *found;
  };
  const Json &properties = of("properties", none), &patterns = of("patternProperties", none);
  const Json &more = of("additionalProperties", any), &names = of("propertyNames", any);
  for (const auto& [name, one] : value.items()) {
    bool known = properties.contains(name);
    if (!satisfies(names, name, root) || (known && !satisfies(properties[name], one, root))) return false;
    for (const auto& [pattern, with] : patterns.items()) {
      if (!matches(pattern, name)) continue;
      known = true;
      if (!satisfies(with, one, root)) return false;
    }
    if (!known && !satisfies(more, one, root)) return false;
  }
  return true;
}

}  // namespace flowrun
