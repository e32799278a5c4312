// Reads fail.
#include "engine/reader/readers.h"
#include "engine/steps/fail.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_fail(Reading& reading, const Node& node) {
  auto step = std::make_unique<FailStep>();
  step->message = reading.values().text(*node.find("fail"));
  return step;
}

}  // namespace flowrun
