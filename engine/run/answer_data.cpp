#include "engine/run/answer_data.h"

#include "engine/language/json_schema.h"

namespace flowrun {
namespace {

constexpr int kDeepestExample = 8;  // a schema that asks for more gets no example

/// A small value that |schema| probably accepts.
Json example_of(const Json& schema, int depth = 0) {
  if (!schema.is_object() || depth > kDeepestExample) return nullptr;
  if (schema.contains("const")) return schema["const"];
  for (const char* key : {"examples", "enum"})
    if (schema.contains(key) && schema[key].is_array() && !schema[key].empty()) return schema[key][0];
  for (const char* key : {"anyOf", "oneOf", "allOf"})
    if (schema.contains(key) && schema[key].is_array() && !schema[key].empty())
      return example_of(schema[key][0], depth + 1);
  Json type = schema.value("type", Json(schema.contains("properties") ? "object" : "null"));
  if (type.is_array()) type = type.empty() ? Json("null") : type[0];
  if (type == "boolean") return true;
  if (type == "integer" || type == "number") {
    for (const char* key : {"minimum", "maximum", "multipleOf"})
      if (schema.contains(key)) return schema[key];
    return 1;
  }
  if (type == "string") {
    if (schema.value("format", "") == "date") return "2026-01-31";
    if (schema.value("format", "") == "date-time") return "2026-01-31T12:00:00Z";
    return "TEXT";
  }
  if (type == "array") {
    Json list = Json::array();
    for (std::size_t i = 0; i < schema.value("minItems", std::size_t{0}) && i < 10; ++i)
      list.push_back(example_of(schema.value("items", Json()), depth + 1));
    return list;
  }
  if (type != "object") return nullptr;
  Json object = Json::object();
  const Json properties = schema.value("properties", Json::object());
  for (const Json& name : schema.value("required", Json::array()))
    if (name.is_string())
      object[name.get<std::string>()] = example_of(properties.value(name.get<std::string>(), Json()), depth + 1);
  return object;
}

std::string data_for(const Json& accept) {
  if (schema_errors(accept, nullptr).empty()) return "";
  const Json example = example_of(accept);
  return schema_errors(accept, example).empty() ? example.dump(-1, ' ', false, Json::error_handler_t::replace) : "JSON";
}

}  // namespace

AnswerData answer_data(const Loaded& loaded) {
  AnswerData data;
  for (const Signal& signal : loaded.workflow.signals) data.emplace(signal.name, data_for(signal.accept));
  return data;
}

}  // namespace flowrun
