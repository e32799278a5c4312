// Reads repeat.
#include <algorithm>

#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/repeat.h"

namespace flowrun {

constexpr const char* kRepeatExample = "for example repeat: { until: \"${ $carry.done }\", at_most: 50 }";
constexpr std::int64_t kMostRounds = 1'000'000;  // flowrun-workflow(5), "Limits"

std::unique_ptr<CommonStep> read_repeat(Reading& reading, const Node& node) {
  auto step = std::make_unique<RepeatStep>();
  const Member& member = *node.member("repeat");
  const Node& how = member.value;
  if (!reading.is(how, Node::Kind::Map, "repeat", "a map with `while` or `until`")) return step;
  reading.only(how, names_within("repeat"), "`repeat`");
  if (const Node* key = how.find("carry")) step->carry = reading.values().value(*key);
  if (const Node* key = how.find("at_most"))
    if (auto count = reading.values().plain_count(*key, "at_most", 1)) {
      step->at_most = *count;
      if (*count > kMostRounds)
        reading.error("E008", key->at, key->text.size(), "`repeat` takes at most 1,000,000 rounds");
    }
  const NamesInScope::Binding round(reading.names(), {"carry", "round"});
  if (const Node* key = how.find("while")) step->go_on = reading.values().condition(*key);
  if (const Node* key = how.find("until")) step->done = reading.values().condition(*key);
  if (!how.find("while") && !how.find("until"))
    reading.error("E110", member.at, member.key.size(), "`repeat` needs `while` or `until`, which end it",
                  kRepeatExample);
  const Node* body = node.find("do");
  if (!body) {
    reading.error("E110", member.at, member.key.size(), "`repeat` needs `do`: what is to run in each round",
                  "for example do: { exec: [./step, \"${ $round }\"] }");
    return step;
  }
  std::unique_ptr<GraphStep> of_round = reading.body(*body, "do");
  if (of_round) of_round->of_item = true;
  step->body = std::move(of_round);
  return step;
}

}  // namespace flowrun
