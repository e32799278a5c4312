#include "engine/language/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

// Without it valijson calls abort() for a schema that it can not use.
#define VALIJSON_USE_EXCEPTIONS 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#pragma GCC diagnostic pop

namespace flowrun {
namespace {

constexpr std::size_t kLongestForPattern = 4096;  // std::regex recurses once a character

/// Whether a text of |value| is too long for the pattern of |schema| that it would meet.
bool meets_pattern_too_long(const Json& schema, const Json& value) {
  if (!schema.is_object()) return false;
  if (value.is_string())
    if (schema.contains("pattern") && value.get_ref<const std::string&>().size() > kLongestForPattern) return true;
  auto of = [&](const char* key) { return schema.contains(key) ? schema[key] : Json(); };
  for (const char* key : {"allOf", "anyOf", "oneOf"})
    for (const Json& one : of(key))
      if (meets_pattern_too_long(one, value)) return true;
  if (meets_pattern_too_long(of("not"), value)) return true;
  if (value.is_array()) {
    const Json items = of("items");
    return std::any_of(value.begin(), value.end(), [&](const Json& one) { return meets_pattern_too_long(items, one); });
  }
  if (!value.is_object()) return false;
  const Json properties = of("properties"), more = of("additionalProperties");
  for (const auto& [name, one] : value.items())
    if (meets_pattern_too_long(properties.is_object() && properties.contains(name) ? properties[name] : more, one))
      return true;
  return false;
}

const char* name_of_type(const Json& value) {
  return value.is_string()           ? "text"
         : value.is_boolean()        ? "true or false"
         : value.is_number_integer() ? "a whole number"
         : value.is_number()         ? "a number"
         : value.is_array()          ? "a list"
         : value.is_object()         ? "a map"
                                     : "null";
}

/// What a keyword takes.
void check_value(const Member& member, Diagnostics& diagnostics) {
  using Kind = Node::Kind;
  auto among = [&](std::initializer_list<const char*> keys) {
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return member.key == key; });
  };
  const Node& value = member.value;
  const char* wanted = nullptr;
  if (among({"minItems", "maxItems", "minLength", "maxLength"})) {
    if (value.kind != Kind::Integer || value.text[0] == '-') wanted = "a count";
  } else if (among({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})) {
    if (value.kind != Kind::Integer && value.kind != Kind::Float) wanted = "a number";
  } else if (among({"enum", "required", "anyOf", "oneOf", "allOf"})) {
    if (!value.is_list()) wanted = "a list";
  } else if (member.key == "properties") {
    if (!value.is_map()) wanted = "a map";
  } else if (member.key == "uniqueItems") {
    if (value.kind != Kind::Boolean) wanted = "true or false";
  } else if (among({"pattern", "format"})) {
    if (!value.is_string()) wanted = "text";
  }
  if (wanted)
    diagnostics.error("E108", value.at, static_cast<int>(std::max<std::size_t>(1, value.text.size())),
                      fmt::format("`{}` takes {}, not {}", member.key, wanted, value.kind_name()));
}

}  // namespace

void check_schema_keywords(const Node& schema, bool input, Diagnostics& diagnostics) {
  static constexpr std::array<const char*, 29> kKeywords{"type",
                                                         "enum",
                                                         "const",
                                                         "properties",
                                                         "required",
                                                         "additionalProperties",
                                                         "items",
                                                         "minItems",
                                                         "maxItems",
                                                         "uniqueItems",
                                                         "minLength",
                                                         "maxLength",
                                                         "pattern",
                                                         "minimum",
                                                         "maximum",
                                                         "exclusiveMinimum",
                                                         "exclusiveMaximum",
                                                         "multipleOf",
                                                         "format",
                                                         "anyOf",
                                                         "oneOf",
                                                         "allOf",
                                                         "not",
                                                         "description",
                                                         "title",
                                                         "default",
                                                         "examples",
                                                         "env",
                                                         ""};
  if (!schema.is_map()) {
    bool allowed = schema.kind == Node::Kind::Boolean;
    if (!allowed) diagnostics.error("E108", schema.at, 1, "a schema must be a map", "for example { type: string }");
    return;
  }
  for (const Member& member : schema.members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    bool known = std::find(kKeywords.begin(), kKeywords.end(), member.key) != kKeywords.end() && !member.key.empty();
    if (member.key == "env" && !input) known = false;
    if (!known) {
      std::vector<std::string> names(kKeywords.begin(), kKeywords.end() - 1);
      std::string near = nearest(member.key, names);
      diagnostics.error("E108", member.at, static_cast<int>(member.key.size()),
                        fmt::format("`{}` is not among the JSON Schema keywords that flowrun knows", member.key),
                        near.empty() ? "" : "did you mean `" + near + "`?");
      continue;
    }
    if (member.key == "type") {
      static constexpr std::array<const char*, 7> kTypes{"string", "integer", "number", "boolean",
                                                         "array",  "object",  "null"};
      auto check = [&](const Node& type) {
        if (std::find(kTypes.begin(), kTypes.end(), type.text) != kTypes.end() && type.is_string()) return;
        if (type.text == "null") return;
        std::string near = nearest(type.text, {kTypes.begin(), kTypes.end()});
        diagnostics.error(
            "E108", type.at, static_cast<int>(std::max<std::size_t>(1, type.text.size())),
            fmt::format("no type `{}`", type.text),
            near.empty() ? "string, integer, number, boolean, array, object or null" : "did you mean `" + near + "`?");
      };
      if (member.value.is_list()) {
        for (const Node& type : member.value.items) check(type);
      } else {
        check(member.value);
      }
    }
    if (member.key == "pattern" && member.value.is_string()) {
      try {
        std::regex compiled(member.value.text);
      } catch (const std::regex_error&) {
        diagnostics.error("E108", member.value.at, static_cast<int>(member.value.text.size()),
                          fmt::format("`{}` is no regular expression", member.value.text));
      }
    }
    check_value(member, diagnostics);
    bool of_schemas = member.key == "properties";
    bool is_schema = member.key == "items" || member.key == "additionalProperties" || member.key == "not";
    bool list = member.key == "anyOf" || member.key == "oneOf" || member.key == "allOf";
    if (of_schemas)
      for (const Member& property : member.value.members) check_schema_keywords(property.value, false, diagnostics);
    if (is_schema) check_schema_keywords(member.value, false, diagnostics);
    if (list)
      for (const Node& item : member.value.items) check_schema_keywords(item, false, diagnostics);
  }
}

std::vector<std::string> schema_errors(const Json& schema, const Json& value) {
  std::vector<std::string> errors;
  if (schema.is_boolean() || (schema.is_object() && schema.empty())) return errors;
  if (meets_pattern_too_long(schema, value)) {
    errors.push_back(fmt::format("text of more than {} bytes can not be matched with a `pattern`", kLongestForPattern));
    return errors;
  }
  try {
    valijson::Schema compiled;
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), compiled);
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(compiled, valijson::adapters::NlohmannJsonAdapter(value), &results)) return errors;
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      std::string where;
      for (const std::string& part : error.context)
        if (part != "<root>") where += part;
      // The outer levels only repeat that an inner one failed.
      if (error.description.rfind("Failed to validate", 0) == 0 && !errors.empty()) continue;
      if (error.description.rfind("Value type not permitted", 0) == 0) {
        error.description = "the type is wrong";
        if (where.empty() && schema.is_object() && schema.contains("type"))
          error.description =
              fmt::format("it must be of type {}, not {}",
                          schema["type"].is_string() ? schema["type"].get<std::string>() : schema["type"].dump(),
                          name_of_type(value));
      }
      errors.push_back(where.empty() ? error.description : where + ": " + error.description);
    }
    if (errors.empty()) errors.push_back("it does not satisfy its schema");
  } catch (const std::exception& error) {
    errors.push_back(std::string("the schema can not be used: ") + error.what());
  }
  return errors;
}

}  // namespace flowrun
