#include "engine/language/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

bool has_pattern(const Json& schema) {
  if (schema.is_object() && schema.contains("pattern")) return true;
  return schema.is_structured() && std::any_of(schema.begin(), schema.end(), has_pattern);
}

bool has_long_text(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().size() > kLongestForPattern;
  return value.is_structured() && std::any_of(value.begin(), value.end(), has_long_text);
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
  if (has_pattern(schema) && has_long_text(value)) {
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
      if (error.description.rfind("Failed to validate against schema associated with", 0) == 0 && !errors.empty())
        continue;
      errors.push_back(where.empty() ? error.description : where + ": " + error.description);
    }
    if (errors.empty()) errors.push_back("it does not satisfy its schema");
  } catch (const std::exception& error) {
    errors.push_back(std::string("the schema can not be used: ") + error.what());
  }
  return errors;
}

}  // namespace flowrun
