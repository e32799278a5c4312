// The table of kinds with their readers, made of language/kinds.def.
#include <unordered_map>

#include "engine/language/keys.h"
#include "engine/reader/readers.h"

namespace flowrun {

std::unique_ptr<CommonStep> read_kind(Reading& reading, const Node& node, const std::string& kind) {
  using Reader = std::unique_ptr<CommonStep> (*)(Reading&, const Node&);
  static const std::unordered_map<std::string, Reader> kReaders{
#define KIND(name, constant, traits, type, default_text, doc) {#name, read_##name},
#include "engine/language/kinds.def"
#undef KIND
  };
  auto reader = kReaders.find(kind);
  return reader == kReaders.end() ? nullptr : reader->second(reading, node);
}

}  // namespace flowrun
