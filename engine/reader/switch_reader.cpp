// Reads switch.
#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/switch.h"

namespace flowrun {

constexpr const char* kExample = "for example [{ if: ..., do: ... }, { else: ... }]";

std::unique_ptr<CommonStep> read_switch(Reading& reading, const Node& node) {
  auto step = std::make_unique<SwitchStep>();
  const Node& ways = *node.find("switch");
  if (!reading.is(ways, Node::Kind::List, "switch", "a list of ways")) return step;
  if (ways.items.empty()) reading.error("E102", ways.at, 1, "there is no way in it", kExample);
  for (std::size_t i = 0; i < ways.items.size(); ++i) {
    const Node& way = ways.items[i];
    if (!reading.is(way, Node::Kind::Map, "switch", "a list of maps with `if` and `do`, or `else`")) continue;
    reading.only(way, names_within("switch"), "a way of `switch`");
    const Node* else_body = way.find("else");
    const Node* condition = way.find("if");
    const Node* body = else_body ? else_body : way.find("do");
    if (else_body && (condition || i + 1 < ways.items.size()))
      reading.error("E102", way.at, 1, "`else` stands alone, and last", kExample);
    if (!body || (!else_body && !condition)) {
      reading.error("E110", way.at, 1, "a way of `switch` needs `if` and `do`, or `else`", kExample);
      continue;
    }
    SwitchStep::Way read;
    if (condition) read.condition = reading.values().condition(*condition);
    read.body = reading.body(*body, else_body ? "else" : "do");
    step->ways.push_back(std::move(read));
  }
  return step;
}

}  // namespace flowrun
