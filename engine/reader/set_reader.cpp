// Reads set.
#include "engine/reader/readers.h"
#include "engine/steps/set.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_set(Reading& reading, const Node& node) {
  auto step = std::make_unique<SetStep>();
  step->value = reading.values().value(*node.find("set"));
  return step;
}

}  // namespace flowrun
