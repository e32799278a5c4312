#include "engine/language/language_schema.h"

#include <fmt/format.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/language/json_schema.h"
#include "engine/language/keys.h"

namespace flowrun {
namespace {

Json ref(const std::string& definition) { return {{"$ref", "#/definitions/" + definition}}; }
Json required(const std::string& key) { return {{"required", {key}}}; }
Json any_of(Json alternatives) { return {{"anyOf", std::move(alternatives)}}; }
Json matching(const std::string& pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json one_or_list_of(const Json& item) { return any_of({item, list_of(item)}); }

/// |literal|, or an expression that yields it.
Json or_expression(Json literal) { return any_of({std::move(literal), ref("expression")}); }

/// A map with these keys and `x-...` only.
Json closed(Json properties) {
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"patternProperties", {{"^x-", true}}},
          {"additionalProperties", false}};
}

/// A name that is none of the words |but|.
std::string name_pattern(const std::vector<std::string>& but = {}) {
  std::string words;
  for (const std::string& word : but) words += (words.empty() ? "" : "|") + word;
  return (words.empty() ? "^" : "^(?!(" + words + ")$)") + "[a-z][a-z0-9_]{0,63}$";
}

/// A map of such names to |values|.
Json map_of(Json values, const std::vector<std::string>& but = {}) {
  return {{"type", "object"},
          {"patternProperties", {{"^x-", true}, {name_pattern(but), std::move(values)}}},
          {"additionalProperties", false}};
}

std::string description(const char* doc, const char* default_text) {
  std::string text = doc;
  if (*default_text) text += fmt::format("; default: {}", default_text);
  return text;
}

/// `rerun, ask or fail` as its words.
Json words(std::string_view type) {
  Json all = Json::array();
  std::size_t last = type.find(" or ");
  if (last == std::string_view::npos) throw std::logic_error(fmt::format("no schema for the type `{}`", type));
  std::string_view listed = type.substr(0, last);
  for (std::size_t at = 0; at < listed.size();) {
    std::size_t end = std::min(listed.find(", ", at), listed.size());
    all.push_back(std::string(listed.substr(at, end - at)));
    at = end + 2;
  }
  all.push_back(std::string(type.substr(last + 4)));
  return {{"enum", std::move(all)}};
}

/// A step may not be called like any of these, words kept for later versions included.
std::vector<std::string> kind_words() {
  std::vector<std::string> names{"on_failure", "finally"};
  for (const std::string& kind : all_kinds())
    if (!(kind_bit(kind) & kinds_with(kNamesToo))) names.push_back(kind);
  return names;
}

Json of_type(const std::string& type);

/// The keys within the map that is the value of |key|.
Json properties_within(std::string_view key) {
  Json properties = Json::object();
  for (const InnerKey& inner : inner_keys()) {
    if (key != inner.within) continue;
    properties[inner.name] = of_type(inner.type);
    properties[inner.name]["description"] = description(inner.doc, inner.default_text);
  }
  return properties;
}

Json error_type() {
  // With a number behind it, or one of a `fail`.
  return matching(R"(^(http\.[1-5]([0-9][0-9]|xx)|exit\.[0-9]{1,3}|(?!(http|exit)\.)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*)$)");
}

Json request() {
  std::string methods;
  for (const std::string& method : http_methods()) methods += (methods.empty() ? "" : "|") + method;
  return matching("^\\s*((" + methods + R"()\s+)?(https?://|[^\s]*\$\{))");
}

/// Fields of a form: a text each, a part that says more, or a list of these.
Json parts() {
  Json named = closed(properties_within("multipart"));
  named["oneOf"] = Json::array({required("file"), required("text"), required("json")});
  Json part = named;
  part["properties"].erase("name");
  named.update(required("name"));
  Json field = any_of({{{"type", {"string", "number", "boolean", "null"}}}, std::move(part)});
  Json list = list_of(std::move(named));
  list["minItems"] = 1;
  return any_of(
      {or_expression({{"type", "object"}, {"minProperties", 1}, {"additionalProperties", one_or_list_of(field)}}),
       std::move(list)});
}

Json status() {
  return any_of({{{"type", "integer"}, {"minimum", 100}, {"maximum", 599}},
                 matching("^(any|[1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$")});
}

Json ways() {
  Json way = closed(properties_within("switch"));
  way["anyOf"] = Json::array(
      {{{"required", {"if", "do"}}, {"not", required("else")}}, {{"required", {"else"}}, {"not", required("if")}}});
  Json list = list_of(std::move(way));
  list["minItems"] = 1;
  return list;
}

/// Where a secret is read: one place.
Json secret() {
  Json one = closed(properties_within("secrets"));
  one["oneOf"] = Json::array({required("env"), required("file"), required("command"), required("input")});
  // Who gives it says whether it may be absent.
  one["not"] = {{"required", {"input", "optional"}}};
  return one;
}

Json policy() {
  Json one = closed(properties_within("join"));
  one["minProperties"] = 1;
  one["maxProperties"] = 1;
  return any_of({{{"enum", join_words()}}, std::move(one)});
}

/// What a value of |type| looks like, by the words of the tables of keys.
Json of_type(const std::string& type) {
  const Json any = Json::object();
  const Json map{{"type", "object"}};
  const Json boolean{{"type", "boolean"}};
  const Json word = ref("literal_text");
  const Json text{{"type", {"string", "number", "boolean", "null"}}};
  static const std::map<std::string, Json> kTypes{
      {"any", any},
      {"text", text},
      {"path", text},
      {"URL", text},
      {"literal text", word},
      {"list of texts", {{"type", "array"}, {"items", word}, {"minItems", 1}}},
      {"literal boolean", boolean},
      {"literal boolean or list of texts", any_of({boolean, list_of(word)})},
      {"boolean", or_expression(boolean)},
      {"literal count", {{"type", "integer"}, {"minimum", 1}}},
      {"literal count or boolean", any_of({{{"type", "integer"}, {"minimum", 0}}, boolean})},
      {"count", or_expression({{"type", "integer"}, {"minimum", 1}})},
      {"link or one expression", any_of({{{"enum", {"link"}}}, matching(R"(^\s*\$\{[\s\S]*\}\s*$)")})},
      {"count or percent",
       or_expression(any_of({{{"type", "integer"}, {"minimum", 0}}, matching(R"(^[0-9]+(\.[0-9]+)?%$)")}))},
      {"count or name", any_of({{{"type", "integer"}, {"minimum", 1}}, matching(name_pattern())})},
      {"N/s, N/m or N/h", matching("^0*([1-9][0-9]{0,5}|1000000)/[smh]$")},
      {"map of limits", map_of(ref("limit"))},
      {"number", or_expression({{"type", "number"}})},
      {"duration", ref("duration")},
      {"size", any_of({{{"type", "number"}, {"minimum", 0}}, matching(R"(^[0-9]+(\.[0-9]+)?([kKMGT]?B|[KMGT]iB)?$)")})},
      {"path or list of paths", one_or_list_of({{"type", "string"}, {"minLength", 1}})},
      {"exit code or list", one_or_list_of({{"type", "integer"}, {"minimum", 0}, {"maximum", 255}})},
      {"map", map},
      {"map or expression", or_expression(map)},
      {"parts of a form", ref("parts_of_a_form")},
      {"map of values", map_of(any)},
      {"map of inputs", map_of({{"if", {{"type", "object"}}}, {"then", ref("input")}})},
      {"map of secrets", map_of(ref("secret"))},
      {"list of arguments or none",
       any_of({{{"enum", {"none"}}}, {{"type", "array"}, {"items", {{"type", {"string", "number", "boolean"}}}}}})},
      {"list", {{"type", "array"}}},
      {"list of codes", list_of(matching("^[WI][0-9]{3}$"))},
      {"list, map, count or stdin", any_of({{{"type", {"array", "object"}}},
                                            {{"type", "integer"}, {"minimum", 0}},
                                            {{"const", "stdin"}},
                                            ref("expression")})},
      {"true, false, drain", {{"enum", {true, false, "drain"}}}},
      {"1", {{"enum", {1, "1"}}}},
      {"name", matching(name_pattern(kind_words()))},
      {"name of a pool", matching("^[a-z][a-z0-9_-]{0,63}$")},
      {"name of a run", matching("^[a-z][a-z0-9_-]{0,63}$")},
      {"list of names", one_or_list_of(matching(name_pattern()))},
      {"schema", ref("schema")},
      {"[METHOD] URL", request()},
      {"script", {{"type", "string"}, {"minLength", 1}}},
      {"list of arguments",
       {{"type", "array"}, {"items", {{"type", {"string", "number", "boolean"}}}}, {"minItems", 1}}},
      {"status or list", one_or_list_of(status())},
      {"error type or list", one_or_list_of(error_type())},
      {"{user, password}", {{"type", "object"}, {"required", {"user", "password"}}, {"additionalProperties", text}}},
      {"{NAME: value}", map},
      {"policy", ref("policy")},
      {"body", ref("body")},
      {"step", ref("lone_step")},
      {"fallback", ref("fallback_step")},
      {"map of steps", ref("map_of_steps")},
      {"list of steps", ref("list_of_steps")},
      {"list of ways", ref("list_of_ways")},
  };
  auto known = kTypes.find(type);
  return known == kTypes.end() ? words(type) : known->second;
}

/// An object with the key of a kind: a step.
Json with_kind() {
  Json has_kind = Json::array();
  for (const std::string& kind : all_kinds()) has_kind.push_back(required(kind));
  return {{"type", "object"}, {"anyOf", std::move(has_kind)}};
}

/// A key's value; of a map with keys of its own, those.
Json of_key(const Key& key) {
  std::string type = key.type;
  Json within = properties_within(key.name);
  Json value;
  if (type == "map" && !within.empty()) {
    value = closed(std::move(within));
    if (std::string_view(key.name) == "paginate") value.update(required("next"));
    if (std::string_view(key.name) == "repeat") {
      value.update(any_of({required("while"), required("until")}));
      // With a step as its value it is the name of that.
      value["not"] = with_kind();
    }
  } else if (type == "map or none") {
    Json map = closed(std::move(within));
    // Whoever authenticates does it in one way.
    if (std::string_view(key.name) == "auth") map["minProperties"] = map["maxProperties"] = 1;
    value = any_of({{{"enum", {"none"}}}, std::move(map)});
  } else if (type == "status or map") {
    value = any_of({of_type("status or list"), closed(std::move(within))});
  } else if (type == "text or map" || type == "key or map") {
    const bool named = type == "key or map";
    Json map = closed(std::move(within));
    map.update(named ? required("key") : any_of({required("type"), required("message")}));
    value = any_of({named ? Json{{"type", {"string", "number"}}} : of_type("text"), std::move(map)});
  } else if (std::string_view(key.name) == "log") {
    // With a step as its value it is the name of that.
    value = {{"not", any_of({{{"type", "null"}}, with_kind()})}};
  } else if (std::string_view(key.name) == "on") {
    value = any_of({error_type(), {{"type", "array"}, {"items", error_type()}, {"minItems", 1}}});
  } else {
    value = of_type(type);
  }
  value["description"] = description(key.doc, key.default_text);
  return value;
}

/// `defaults`: per kind the options that may have one.
Json defaults() {
  Json properties = Json::object();
  for (const std::string& name : names_within("defaults")) {
    std::uint32_t of = name == "all" ? static_cast<std::uint32_t>(kEvery) : kind_bit(name);
    Json options = Json::object();
    for (const Key& key : step_keys())
      if ((key.kinds & of) && may_have_default(key))
        options[key.name] = (ref)(fmt::format("step/properties/{}", key.name));
    properties[name] = closed(std::move(options));
  }
  return closed(std::move(properties));
}

/// A pool of `limits`.
Json limit() {
  Json pool = closed(properties_within("limits"));
  pool["anyOf"] = Json::array({required("max"), required("rate")});
  return any_of({of_type("literal count"), std::move(pool)});
}

Json keywords(bool input) {
  using Takes = SchemaKeyword::Takes;
  static const std::map<Takes, Json> kValues{
      {Takes::Any, Json::object()},
      {Takes::Count, {{"type", "integer"}, {"minimum", 0}}},
      {Takes::Number, {{"type", "number"}}},
      {Takes::Boolean, {{"type", "boolean"}}},
      {Takes::Text, {{"type", "string"}}},
      {Takes::List, {{"type", "array"}}},
      {Takes::Texts, {{"type", "array"}}},
      {Takes::Schema, ref("schema")},
      {Takes::Schemas, list_of(ref("schema"))},
      {Takes::SchemaMap, {{"type", "object"}, {"additionalProperties", ref("schema")}}},
  };
  // `type: null` is read as nothing, and meant.
  Json types = schema_types();
  types.push_back(nullptr);
  Json properties = Json::object();
  for (const SchemaKeyword& keyword : schema_keywords())
    if (input || !keyword.of_input)
      properties[keyword.name] =
          keyword.takes == Takes::Type ? one_or_list_of({{"enum", types}}) : kValues.at(keyword.takes);
  if (input) properties["env"] = ref("literal_text");
  return closed(std::move(properties));
}

/// Keys of steps of |kind| that not every step has.
Json own_keys(std::uint32_t kind) {
  Json names = Json::array();
  for (const Key& key : step_keys())
    if ((key.kinds & kind) && key.kinds != kEvery) names.push_back(key.name);
  return names;
}

/// Keys that every step may have.
Json keys_of_any_step() {
  Json names = Json::array();
  for (const Key& key : step_keys())
    if (key.kinds == kEvery) names.push_back(key.name);
  return any_of({{{"enum", std::move(names)}}, {{"pattern", "^x-"}}});
}

/// All keys that a step can have; which go together depends on its kind.
Json step() {
  Json properties = Json::object(), one_kind = Json::array(), by_kind = Json::array();
  for (const Key& key : step_keys()) properties[key.name] = of_key(key);
  for (const std::string& kind : all_kinds()) {
    one_kind.push_back(required(kind));
    by_kind.push_back({{"if", required(kind)},
                       {"then", {{"propertyNames", any_of({ref("any_step"), {{"enum", own_keys(kind_bit(kind))}}})}}}});
  }
  // A request has one body.
  const std::vector<std::string> bodies{"json", "form", "text", "file", "multipart"};
  for (std::size_t i = 0; i < bodies.size(); ++i)
    for (std::size_t other = i + 1; other < bodies.size(); ++other)
      by_kind.push_back({{"not", {{"required", {bodies[i], bodies[other]}}}}});
  // One is done when an answer is right, the other when there are no more.
  by_kind.push_back({{"not", {{"required", {"poll", "paginate"}}}}});
  const Json loop{{"required", {"repeat"}}, {"not", {{"properties", {{"repeat", with_kind()}}}}}};
  by_kind.push_back({{"if", any_of({required("for_each"), loop})}, {"then", required("do")}});
  const Json of_memo = any_of({required("reads"), required("writes"), required("memo_unsafe")});
  by_kind.push_back({{"if", of_memo}, {"then", required("memo")}});
  // Items of standard input come one by one, and nobody knows the last.
  const Json of_stdin{{"required", {"for_each"}}, {"properties", {{"for_each", {{"const", "stdin"}}}}}};
  const Json winner = any_of({{{"enum", {"first_success", "first_completed"}}}, required("quorum")});
  by_kind.push_back({{"if", of_stdin},
                     {"then",
                      {{"not", any_of({required("key"), required("batch"), required("collect")})},
                       {"properties", {{"join", {{"not", winner}}}}}}}});
  by_kind.push_back({{"if", required("split")}, {"then", of_stdin}});
  by_kind.push_back({{"if", required("undo_on")}, {"then", required("undo")}});
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"oneOf", std::move(one_kind)},
          {"allOf", std::move(by_kind)}};
}

/// A step that has none of |keys|: they mean nothing where it stands.
Json step_without(const std::vector<std::string>& keys) {
  Json refused = Json::array();
  for (const std::string& key : keys) refused.push_back(required(key));
  return {{"allOf", {ref("step"), {{"not", any_of(std::move(refused))}}}}};
}

Json body() {
  Json has_kind = Json::array();
  for (const std::string& kind : all_kinds()) {
    Json has = required(kind);
    // Else it is the name of a step.
    if (kind_bit(kind) & kinds_with(kNamesToo)) has["properties"] = {{kind, {{"not", with_kind()}}}};
    has_kind.push_back(std::move(has));
  }
  Json map{{"if", any_of(std::move(has_kind))}, {"then", ref("lone_step")}, {"else", ref("map_of_steps")}};
  return {{"if", {{"type", "array"}}}, {"then", ref("list_of_steps")}, {"else", std::move(map)}};
}

Json definitions() {
  Json map_of_steps = map_of(step_without({"id", "on"}), kind_words());
  map_of_steps["minProperties"] = 1;
  Json list_of_steps = list_of(step_without({"needs", "after", "on"}));
  list_of_steps["minItems"] = 1;
  return {{"expression", matching(R"(^\s*\$\{)")},
          {"literal_text", {{"type", "string"}, {"not", {{"pattern", R"(\$\{)"}}}}},
          {"duration", or_expression(matching(R"(^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$)"))},
          {"schema", any_of({{{"type", "boolean"}}, keywords(false)})},
          {"input", keywords(true)},
          {"limit", limit()},
          {"secret", secret()},
          {"any_step", keys_of_any_step()},
          {"step", step()},
          {"lone_step", step_without({"id", "needs", "after", "on"})},
          {"fallback_step", step_without({"id", "needs", "after"})},
          {"map_of_steps", std::move(map_of_steps)},
          {"list_of_steps", std::move(list_of_steps)},
          {"list_of_ways", ways()},
          {"parts_of_a_form", parts()},
          {"policy", policy()},
          {"body", body()}};
}

}  // namespace

Json language_schema() {
  Json properties = Json::object();
  for (const Key& key : top_keys()) {
    properties[key.name] = of_key(key);
    if (std::string_view(key.name) == "defaults") properties[key.name] = defaults();
  }
  Json schema = closed(std::move(properties));
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "flowrun workflow, version 1";
  schema["required"] = {"flowrun", "steps"};
  schema["definitions"] = definitions();
  return schema;
}

}  // namespace flowrun
