#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/language/json_schema.h"
#include "engine/model/json_order.h"
#include "engine/model/json_text.h"
#include "engine/yaml/node.h"
#include "tests/fuzz/targets.h"

namespace flowrun::test {
namespace {

constexpr std::string_view kBetween = "\n---\n";

/// Nothing when it is refused, which is said.
std::optional<Json> schema_of(std::string text) {
  Diagnostics diagnostics({"fuzz.yaml", std::move(text)});
  const std::optional<Node> node = read_yaml(diagnostics);
  if (node) check_schema_keywords(*node, false, diagnostics);
  for (const Diagnostic& one : diagnostics.all())
    if (one.at.line < 1 || one.at.column < 1 || one.message.empty() || !is_utf8(one.message))
      throw std::logic_error(one.code + " does not say where, or not what: " + one.message);
  diagnostics.text();
  if (!node && diagnostics.ok()) throw std::logic_error("refused without a reason");
  if (!node || !diagnostics.ok()) return std::nullopt;
  return node->json();
}

class Checked {
 public:
  explicit Checked(const Json& value) : value_(value) {}

  bool satisfies(const Json& schema) const {
    const std::vector<std::string> errors = schema_errors(schema, value_);
    if (errors.size() > 10) throw std::logic_error("more errors than people read");
    for (const std::string& error : errors)
      if (error.empty() || !is_utf8(error)) throw std::logic_error("an error is no text: " + error);
    if (schema_errors(schema, value_) != errors) throw std::logic_error("asked twice, it has two answers");
    return errors.empty();
  }

  void expect(const Json& schema, bool good) const {
    if (satisfies(schema) != good)
      throw std::logic_error(value_.dump() + (good ? " must satisfy " : " must not satisfy ") + schema.dump());
  }

 private:
  const Json& value_;
};

}  // namespace

void fuzz_schema(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(bytes), size);
  const std::size_t between = std::min(all.find(kBetween), all.size());
  const std::optional<Json> schema = schema_of(std::string(all.substr(0, between)));
  const std::optional<Json> value = json_of(all.substr(std::min(between + kBetween.size(), all.size())));
  if (!value) return;  // who asks says so before
  const Checked whole(*value);
  whole.expect(true, true);
  whole.expect(Json::object(), true);
  whole.expect(false, false);
  whole.expect({{"const", *value}}, true);
  whole.expect({{"enum", Json::array({false, *value})}}, true);
  whole.expect({{"not", {{"enum", Json::array({*value})}}}}, false);
  if (value->is_number()) {
    const Json zero(0);
    const bool is_zero = compare(*value, zero) == 0;
    whole.expect({{"minimum", *value}, {"maximum", *value}}, true);
    whole.expect({{"exclusiveMinimum", *value}}, false);
    whole.expect({{"multipleOf", *value}}, true);
    if (!is_zero) whole.expect({{"multipleOf", 1}}, whole.satisfies({{"type", "integer"}}));
    // 5e-324 and its like are multiples of this and of nothing larger.
    whole.expect({{"multipleOf", 5e-324}}, whole.satisfies({{"multipleOf", 5e-324}}));
  }
  if (!schema) return;
  const bool good = whole.satisfies(*schema);
  const auto list = Json::array({*schema});
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) whole.expect({{keyword, list}}, good);
  whole.expect({{"not", *schema}}, !good);
  whole.expect({{"not", {{"not", *schema}}}}, good);
  whole.expect({{"anyOf", Json::array({*schema, false})}}, good);
  whole.expect({{"oneOf", Json::array({*schema, *schema})}}, false);
  whole.expect({{"oneOf", Json::array({*schema, Json{{"not", *schema}}})}}, true);
  const Json items = Json::array({*value, *value}), map{{"a\"b", *value}};
  Checked(items).expect({{"items", *schema}}, good);
  Checked(items).expect({{"uniqueItems", true}}, false);
  Checked(map).expect({{"additionalProperties", *schema}}, good);
  Checked(map).expect({{"properties", {{"a\"b", *schema}}}, {"additionalProperties", false}}, good);
}

}  // namespace flowrun::test
