#include <stdexcept>
#include <string>

#include "engine/language/template.h"
#include "tests/fuzz/targets.h"
#include "tests/machine/random_workflow.h"

namespace flowrun::test {
namespace {

/// Binds everything to the same data.
class Anything : public Scope {
 public:
  Fallible<Value> lookup(const Reference& reference) const override {
    static const Value kData = Value::from_text(
        R"({"a":{"b":[1,2.5,-3,"x",null,true]},"x":"text","n":7,"big":9007199254740993,"list":[[],{},[{"a":1}]],"e":""})");
    if (reference.member.empty()) return kData;
    const Json& data = kData.json();
    if (data.contains(reference.member)) return Value(data[reference.member]);
    return Failure{"expression", "there is no such thing"};
  }
};

}  // namespace

void fuzz_expression(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  if (!is_utf8(text)) return;  // the reader refuses it: E007
  Diagnostics diagnostics({"fuzz.yaml", text});
  Node node;
  node.kind = Node::Kind::String;
  node.at = {1, 1};
  node.text = text;
  const ValueTemplate value = ValueTemplate::compile(node, diagnostics);
  for (const Diagnostic& one : diagnostics.all())
    if (one.at.line < 1 || one.at.column < 1) throw std::logic_error(one.code + " does not say where");
  diagnostics.text();
  for (const Expression& expression : value.expressions())
    for (const Reference& reference : expression.references())
      if (reference.variable.empty()) throw std::logic_error("a reference to nothing in " + expression.code());
  if (!diagnostics.ok()) return;
  NoJq no_jq;
  const Evaluation first = value.evaluate(Anything(), no_jq), again = value.evaluate(Anything(), no_jq);
  const auto* one = std::get_if<Value>(&first);
  const auto* other = std::get_if<Value>(&again);
  if (!one != !other || (one && !(*one == *other))) throw std::logic_error("asked twice, it has two answers");
  if (one && !one->json().is_binary() && !Json::accept(one->text())) throw std::logic_error("the answer is no JSON");
}

}  // namespace flowrun::test
