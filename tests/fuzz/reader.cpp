#include <stdexcept>
#include <string>

#include "engine/run/load.h"
#include "engine/steps/outline.h"
#include "tests/fuzz/targets.h"

namespace flowrun::test {

void fuzz_reader(const std::uint8_t* bytes, std::size_t size) {
  Diagnostics diagnostics({"fuzz.yaml", std::string(reinterpret_cast<const char*>(bytes), size)});
  const Texts no_files;
  auto loaded = load("/nowhere/fuzz.yaml", diagnostics, nullptr, Lints::Yes, false, &no_files);
  if (loaded.has_value() != diagnostics.ok()) throw std::logic_error("refused without a reason, or taken with one");
  for (const Diagnostic& one : diagnostics.all())
    if (one.at.line < 1 || one.at.column < 1 || one.message.empty())
      throw std::logic_error(one.code + " does not say where, or not what: " + one.message);
  diagnostics.text();
  diagnostics.github();
  if (!Json::accept(diagnostics.json().dump())) throw std::logic_error("diagnostics are no JSON");
  if (loaded && outline(loaded->workflow).empty()) throw std::logic_error("a workflow without a step was taken");
}

}  // namespace flowrun::test
