// Reads join and fail_fast: when a group is done, and what a failure in it stops.
#include <cstdlib>

#include "engine/expression/pattern.h"
#include "engine/language/keys.h"
#include "engine/reader/readers.h"

namespace flowrun {
namespace {

void read_amount(Reading& reading, Join& join, const Node& node) {
  static const Pattern kPercent(R"(([0-9]+(?:\.[0-9]+)?)%)");
  if (node.kind == Node::Kind::Integer && node.json().get<std::int64_t>() >= 0) {
    join.amount = node.json().get<double>();
  } else if (auto found = node.is_scalar() ? kPercent.whole(node.text) : std::nullopt) {
    join.amount = std::strtod(std::string((*found)[1]).c_str(), nullptr);
    join.percent = true;
    if (join.amount > 100) reading.error("E102", node.at, node.text.size(), "more than 100% can not be asked for");
  } else {
    reading.error("E102", node.at, node.text.size(), "a count or a percentage such as 5% is needed here");
  }
}

void read_join(Reading& reading, Join& join, const Node& node) {
  if (node.is_string()) {
    std::string word = reading.values().word(node, "join", {"all", "best_effort", "first_success", "first_completed"});
    if (word == "best_effort") join.policy = Join::Policy::BestEffort;
    if (word == "first_completed") join.policy = Join::Policy::FirstCompleted;
    if (word == "first_success") join = {Join::Policy::Quorum, 1, false};
    return;
  }
  if (!node.is_map()) {
    reading.error(
        "E102", node.at, node.text.size(), "`join` must be a policy",
        "all, best_effort, first_success, first_completed, { at_least: N }, { tolerate: N } or { quorum: N }");
    return;
  }
  reading.only(node, names_within("join"), "`join`");
  if (node.members.size() != 1) {
    reading.error("E107", node.at, 1, "`join` takes one policy", "at_least, tolerate or quorum");
    return;
  }
  const Member& policy = node.members.front();
  if (policy.key == "at_least") join.policy = Join::Policy::AtLeast;
  if (policy.key == "tolerate") join.policy = Join::Policy::Tolerate;
  if (policy.key == "quorum") join.policy = Join::Policy::Quorum;
  read_amount(reading, join, policy.value);
  if (join.policy == Join::Policy::Quorum && join.amount < 1)
    reading.error("E107", policy.value.at, policy.value.text.size(), "a quorum is at least 1");
}

}  // namespace

void read_group(Reading& reading, GroupStep& step, const Node& node) {
  if (const Node* key = node.find("join")) read_join(reading, step.join, *key);
  if (const Node* key = node.find("fail_fast")) step.fail_fast = reading.values().fail_fast(*key);
}

Reading::Within inherit_fail_fast(Reading& reading, GroupStep& step) {
  step.inherited = reading.context().nearest_fail_fast;
  return Reading::Within(reading, [&](ReadingContext& context) {
    if (step.fail_fast != FailFast::Inherit) context.nearest_fail_fast = step.fail_fast;
  });
}

}  // namespace flowrun
