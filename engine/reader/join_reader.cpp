// Reads join and fail_fast: when a group is done, and what a failure in it stops.
#include <fmt/format.h>

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

/// |words| as `a, b or c`, each put into |form|.
std::string listed(const std::vector<std::string>& words, fmt::format_string<const std::string&> form) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += &word == &words.back() ? " or " : ", ";
    text += fmt::format(form, word);
  }
  return text;
}

void read_join(Reading& reading, Join& join, const Node& node) {
  const std::vector<std::string> with_amount = names_within("join");
  if (node.is_string()) {
    join = join_named(reading.values().word(node, "join", join_words())).value_or(Join{});
    return;
  }
  if (!node.is_map()) {
    std::string words;
    for (const std::string& word : join_words()) words += word + ", ";
    reading.error("E102", node.at, node.text.size(), "`join` must be a policy",
                  words + listed(with_amount, "{{ {}: N }}"));
    return;
  }
  reading.only(node, with_amount, "`join`");
  if (node.members.size() != 1) {
    reading.error("E107", node.at, 1, "`join` takes one policy", listed(with_amount, "{}"));
    return;
  }
  const Member& policy = node.members.front();
  join = join_named(policy.key).value_or(Join{});
  read_amount(reading, join, policy.value);
  if (join.policy == Join::Policy::Quorum && join.amount < 1)
    reading.error("E107", policy.value.at, policy.value.text.size(), "a quorum is at least 1");
}

}  // namespace

void read_group(Reading& reading, GroupSettings& group, const Node& node) {
  if (const Node* key = node.find("join")) read_join(reading, group.join, *key);
  if (const Node* key = node.find("fail_fast")) group.fail_fast = reading.values().fail_fast(*key);
}

Reading::Within inherit_fail_fast(Reading& reading, GroupSettings& group) {
  group.inherited = reading.context().nearest_fail_fast;
  return Reading::Within(reading, [&](ReadingContext& context) {
    if (group.fail_fast != FailFast::Inherit) context.nearest_fail_fast = group.fail_fast;
  });
}

}  // namespace flowrun
