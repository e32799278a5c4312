// Reads wait.
#include "engine/language/json_schema.h"
#include "engine/reader/readers.h"
#include "engine/steps/wait.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_wait(Reading& reading, const Node& node) {
  auto step = std::make_unique<WaitStep>();
  step->signal = reading.values().name(*node.find("wait"), "wait");
  if (const Node* key = node.find("prompt")) step->prompt = reading.values().text(*key);
  if (const Node* key = node.find("accept")) {
    check_schema_keywords(*key, false, reading.diagnostics());
    step->accept = key->json();
  }
  reading.index().signals.push_back({step->signal, step->accept});
  return step;
}

}  // namespace flowrun
