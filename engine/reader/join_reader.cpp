// Reads join and fail_fast: when a group is done, and what a failure in it stops.
#include <fmt/format.h>

#include "engine/language/keys.h"
#include "engine/reader/readers.h"
#include "engine/steps/join_amount.h"

namespace flowrun {
namespace {

void read_amount(Reading& reading, GroupSettings& group, const Node& node) {
  if (node.is_string() && node.text.find("${") != std::string::npos) {
    group.join_amount = reading.values().whole_expression(node, "an amount of `join`");
    // Until it is known it is not the one winner of `first_success`.
    group.join.amount = 2;
    return;
  }
  const bool decimal = node.kind == Node::Kind::Float;
  const std::string wrong =
      node.is_scalar() && !decimal ? set_amount(group.join, node.json()) : set_amount(group.join, Json());
  if (!wrong.empty()) reading.error(wrong.starts_with("a quorum") ? "E107" : "E102", node.at, node.text.size(), wrong);
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

void read_join(Reading& reading, GroupSettings& group, const Node& node) {
  const std::vector<std::string> with_amount = names_within("join");
  if (node.is_string()) {
    group.join = join_named(reading.values().word(node, "join", join_words())).value_or(Join{});
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
  group.join = join_named(policy.key).value_or(Join{});
  read_amount(reading, group, policy.value);
}

}  // namespace

void read_group(Reading& reading, GroupSettings& group, const Node& node) {
  if (const Node* key = node.find("join")) read_join(reading, group, *key);
  if (const Node* key = node.find("fail_fast")) group.fail_fast = reading.values().fail_fast(*key);
}

Reading::Within inherit_fail_fast(Reading& reading, GroupSettings& group) {
  group.inherited = reading.context().nearest_fail_fast;
  return Reading::Within(reading, [&](ReadingContext& context) {
    if (group.fail_fast != FailFast::Inherit) context.nearest_fail_fast = group.fail_fast;
  });
}

}  // namespace flowrun
