// Reads log.
#include "engine/reader/readers.h"
#include "engine/steps/log.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_log(Reading& reading, const Node& node) {
  auto step = std::make_unique<LogStep>();
  const Node& said = *node.find("log");
  if (said.kind == Node::Kind::Null)
    reading.error("E102", said.at, 1, "`log` says nothing", "for example log: half way");
  step->message = reading.values().value(said);
  if (const Node* level = node.find("level"))
    step->level = reading.values().word(*level, "level", {"debug", "info", "warn", "error"});
  return step;
}

}  // namespace flowrun
