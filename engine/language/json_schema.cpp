// Which keywords of JSON Schema there are, and what a file says with them.
#include "engine/language/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/expression/pattern.h"

namespace flowrun {
namespace {

using Takes = SchemaKeyword::Takes;

/// What keywords with a plain value take, and what people call it.
const char* wanted_by(Takes takes, const Node& value) {
  using Kind = Node::Kind;
  switch (takes) {
    case Takes::Count:
      return value.kind == Kind::Integer && value.text[0] != '-' ? nullptr : "a count";
    case Takes::Number:
      return value.kind == Kind::Integer || value.kind == Kind::Float ? nullptr : "a number";
    case Takes::List:
    case Takes::Texts:
    case Takes::Schemas:
      return value.is_list() ? nullptr : "a list";
    case Takes::SchemaMap:
      return value.is_map() ? nullptr : "a map";
    case Takes::Boolean:
      return value.kind == Kind::Boolean ? nullptr : "true or false";
    case Takes::Text:
      return value.is_string() ? nullptr : "text";
    case Takes::Type:
    case Takes::Schema:
    case Takes::Any:
      return nullptr;
  }
  return nullptr;
}

void check_type(const Node& type, Diagnostics& diagnostics) {
  const std::vector<std::string>& types = schema_types();
  if (std::find(types.begin(), types.end(), type.text) != types.end() && type.is_string()) return;
  if (type.text == "null") return;
  static const std::map<std::string_view, const char*> kOthers{
      {"int", "integer"}, {"float", "number"}, {"double", "number"}, {"bool", "boolean"}, {"str", "string"},
      {"text", "string"}, {"list", "array"},   {"map", "object"},    {"dict", "object"}};
  auto other = kOthers.find(type.text);
  std::string near = other == kOthers.end() ? nearest(type.text, types) : other->second;
  diagnostics.error(
      "E108", type.at, static_cast<int>(std::max<std::size_t>(1, type.text.size())),
      fmt::format("no type `{}`", type.text),
      near.empty() ? "string, integer, number, boolean, array, object or null" : "did you mean `" + near + "`?");
}

void check_format(const Node& format, Diagnostics& diagnostics) {
  if (!format.is_string() || format.text == "date" || format.text == "date-time") return;
  diagnostics.error("E108", format.at, static_cast<int>(std::max<std::size_t>(1, format.text.size())),
                    fmt::format("no format `{}`: nothing would be checked", format.text),
                    "date or date-time; a `pattern` checks others");
}

void check_pattern(const Node& pattern, Diagnostics& diagnostics) {
  if (!pattern.is_string()) return;
  try {
    Pattern compiled(pattern.text);
  } catch (const PatternError& error) {
    diagnostics.error("E108", ScalarWalk(pattern, diagnostics.source().text).position(error.offset), 1, error.message);
  }
}

void check_keyword(const SchemaKeyword& keyword, const Member& member, bool input, Diagnostics& diagnostics) {
  const Node& value = member.value;
  if (const char* wanted = wanted_by(keyword.takes, value))
    diagnostics.error("E108", value.at, static_cast<int>(std::max<std::size_t>(1, value.text.size())),
                      fmt::format("`{}` takes {}, not {}", member.key, wanted, value.kind_name()),
                      input && member.key == "required" ? "an input without `default` and `env` is required" : "");
  if (keyword.takes == Takes::Type) {
    if (!value.is_list()) check_type(value, diagnostics);
    for (const Node& type : value.items) check_type(type, diagnostics);
  }
  if (member.key == "pattern") check_pattern(value, diagnostics);
  if (member.key == "format") check_format(value, diagnostics);
  if (keyword.takes == Takes::SchemaMap)
    for (const Member& property : value.members) check_schema_keywords(property.value, false, diagnostics);
  if (keyword.takes == Takes::Schema) check_schema_keywords(value, false, diagnostics);
  if (keyword.takes == Takes::Schemas)
    for (const Node& item : value.items) check_schema_keywords(item, false, diagnostics);
}

}  // namespace

const std::vector<SchemaKeyword>& schema_keywords() {
  static const std::vector<SchemaKeyword> keywords{
      {"type", Takes::Type},
      {"enum", Takes::List},
      {"const", Takes::Any},
      {"properties", Takes::SchemaMap},
      {"required", Takes::Texts},
      {"additionalProperties", Takes::Schema},
      {"items", Takes::Schema},
      {"minItems", Takes::Count},
      {"maxItems", Takes::Count},
      {"uniqueItems", Takes::Boolean},
      {"minLength", Takes::Count},
      {"maxLength", Takes::Count},
      {"pattern", Takes::Text},
      {"minimum", Takes::Number},
      {"maximum", Takes::Number},
      {"exclusiveMinimum", Takes::Number},
      {"exclusiveMaximum", Takes::Number},
      {"multipleOf", Takes::Number},
      {"format", Takes::Text},
      {"anyOf", Takes::Schemas},
      {"oneOf", Takes::Schemas},
      {"allOf", Takes::Schemas},
      {"not", Takes::Schema},
      {"description", Takes::Any},
      {"title", Takes::Any},
      {"default", Takes::Any},
      {"examples", Takes::Any},
      {"env", Takes::Any, true},
  };
  return keywords;
}

const std::vector<std::string>& schema_types() {
  static const std::vector<std::string> types{"string", "integer", "number", "boolean", "array", "object", "null"};
  return types;
}

void check_schema_keywords(const Node& schema, bool input, Diagnostics& diagnostics) {
  if (!schema.is_map()) {
    bool allowed = schema.kind == Node::Kind::Boolean;
    if (!allowed) diagnostics.error("E108", schema.at, 1, "a schema must be a map", "for example { type: string }");
    return;
  }
  for (const Member& member : schema.members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    const std::vector<SchemaKeyword>& keywords = schema_keywords();
    auto known = std::find_if(keywords.begin(), keywords.end(), [&](const SchemaKeyword& keyword) {
      return member.key == keyword.name && (input || !keyword.of_input);
    });
    if (known != keywords.end()) {
      check_keyword(*known, member, input, diagnostics);
      continue;
    }
    std::vector<std::string> names;
    bool of_input = false;
    for (const SchemaKeyword& keyword : keywords) {
      of_input = of_input || member.key == keyword.name;
      if (input || !keyword.of_input) names.push_back(keyword.name);
    }
    std::string near = nearest(member.key, names);
    std::string advice = near.empty() ? "" : "did you mean `" + near + "`?";
    if (advice.empty()) advice = "leave it out; flowrun-workflow(5) has those there are, under INPUTS";
    if (of_input) advice = "it stands beside the `type` of a whole input only";
    diagnostics.error("E108", member.at, static_cast<int>(member.key.size()),
                      fmt::format("`{}` is not among the JSON Schema keywords that flowrun knows", member.key), advice);
  }
}

}  // namespace flowrun
