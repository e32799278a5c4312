// Reads sleep.
#include "engine/reader/readers.h"
#include "engine/steps/sleep.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_sleep(Reading& reading, const Node& node) {
  auto step = std::make_unique<SleepStep>();
  step->span = reading.values().duration(*node.find("sleep"), "sleep");
  return step;
}

}  // namespace flowrun
