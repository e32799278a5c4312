// The table of kinds: who reads which. A new kind is a file of its own and a row here.
#include <unordered_map>

#include "engine/reader/readers.h"

namespace flowrun {

std::unique_ptr<LivingStep> read_kind(Reading& reading, const Node& node, const std::string& kind) {
  using Reader = std::unique_ptr<LivingStep> (*)(Reading&, const Node&);
  static const std::unordered_map<std::string, Reader> kReaders{
      {"http", read_http},         {"shell", read_shell},   {"exec", read_exec},         {"sleep", read_sleep},
      {"set", read_set},           {"fail", read_fail},     {"parallel", read_parallel}, {"race", read_race},
      {"sequence", read_sequence}, {"switch", read_switch}, {"for_each", read_for_each}, {"wait", read_wait},
      {"workflow", read_workflow},
  };
  auto reader = kReaders.find(kind);
  return reader == kReaders.end() ? nullptr : reader->second(reading, node);
}

}  // namespace flowrun
