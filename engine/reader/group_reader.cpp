// Reads set, fail and sleep, and the kinds that hold other steps.
#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/advice.h"
#include "engine/expression/pattern.h"
#include "engine/reader/reading.h"
#include "engine/steps/for_each.h"
#include "engine/steps/graph.h"
#include "engine/steps/plain.h"
#include "engine/steps/switch.h"

namespace flowrun {
namespace {

constexpr double kMostItems = 1e6;  // flowrun-workflow(5), "Limits"

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
    std::string word = reading.word(node, "join", {"all", "best_effort", "first_success", "first_completed"});
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

/// Groups inside inherit what is written on this one.
class Inheritance {
 public:
  Inheritance(Reading& reading, GroupStep& step) : reading_(reading), outer_(reading.nearest_fail_fast) {
    step.inherited = outer_;
    if (step.fail_fast != FailFast::Inherit) reading_.nearest_fail_fast = step.fail_fast;
  }
  ~Inheritance() { reading_.nearest_fail_fast = outer_; }
  Inheritance(const Inheritance&) = delete;
  Inheritance& operator=(const Inheritance&) = delete;

 private:
  Reading& reading_;
  FailFast outer_;
};

std::unique_ptr<GraphStep> read_branches(Reading& reading, const Node& node, const char* kind) {
  auto step = std::make_unique<GraphStep>();
  step->body = false;
  read_group(reading, *step, node);
  Inheritance inheritance(reading, *step);
  const Node& branches = *node.find(kind);
  if (branches.is_list()) {
    reading.error("E102", branches.at, 1, fmt::format("`{}` takes a map of names to steps, not a list", kind),
                  "for example { a: { shell: one }, b: { shell: two } }");
  } else {
    reading.graph(*step, branches);
  }
  return step;
}

/// Where the first success ends the group, a branch that waits for the success of another comes too late. Unless that
/// one does not count: it may be skipped, or have failed.
void check_winners(Reading& reading, const GraphStep& step) {
  const Join& join = step.join;
  bool first = join.policy == Join::Policy::FirstCompleted ||
               (join.policy == Join::Policy::Quorum && !join.percent && join.amount <= 1);
  if (!first) return;
  for (const GraphStep::Child& child : step.children)
    for (std::size_t needed : child.needs) {
      auto* other = dynamic_cast<const LivingStep*>(step.children[needed].step.get());
      if (!other || other->options.condition.written() || other->options.continue_on_error.written()) continue;
      const Step& branch = *child.step;
      reading.error("E303", {branch.origin.line, branch.origin.column}, branch.kind.size(),
                    fmt::format("branch `{}` can never win: the success of `{}`, which it needs, ends the {}",
                                branch.name, other->name, step.race ? "race" : "group"),
                    fmt::format("make one branch of the two, or say `after: [{}]`", other->name));
    }
}

/// A name that is bound by the language, or around here already, can not be bound again.
void check_as(Reading& reading, const Node& node, const std::string& as) {
  static const std::vector<std::string> kOwn{"input",  "vars",  "steps", "status", "run", "secrets",
                                             "item",   "index", "key",   "error",  "now", "uuid",
                                             "random", "polls", "env",   "__loc__"};
  if (std::find(kOwn.begin(), kOwn.end(), as) != kOwn.end()) {
    reading.error("E105", node.at, as.size(), fmt::format("`${}` means something already", as), "choose another name");
  } else if (reading.is_bound(as)) {
    reading.error("E206", node.at, as.size(), fmt::format("`{}` hides the `as` of a for_each around it", as),
                  "choose another name");
  }
}

void check_items(Reading& reading, const Node& items) {
  bool number = items.kind == Node::Kind::Integer || items.kind == Node::Kind::Float;
  if (items.kind == Node::Kind::Null || items.kind == Node::Kind::Boolean || items.kind == Node::Kind::Float ||
      (number && items.text[0] == '-')) {
    reading.error("E208", items.at, items.text.size(), "for_each needs a list, a map or a count");
    return;
  }
  if (number && items.json().get<double>() > kMostItems)
    reading.error("E008", items.at, items.text.size(), "for_each takes at most 1,000,000 items");
  if (items.is_string() && items.text.find("${") == std::string::npos) {
    reading.error("E208", items.at, items.text.size(), "for_each needs a list, a map or a count, not text",
                  advice_on_bare(items.text));
    return;
  }
}

}  // namespace

void read_group(Reading& reading, GroupStep& step, const Node& node) {
  if (const Node* key = node.find("join")) read_join(reading, step.join, *key);
  if (const Node* key = node.find("fail_fast")) step.fail_fast = reading.fail_fast(*key);
}

std::unique_ptr<LivingStep> read_parallel(Reading& reading, const Node& node) {
  auto step = read_branches(reading, node, "parallel");
  check_winners(reading, *step);
  return step;
}

std::unique_ptr<LivingStep> read_race(Reading& reading, const Node& node) {
  auto step = read_branches(reading, node, "race");
  step->race = true;
  if (!node.find("join")) step->join = {Join::Policy::Quorum, 1, false};
  check_winners(reading, *step);
  return step;
}

std::unique_ptr<LivingStep> read_sequence(Reading& reading, const Node& node) {
  auto step = std::make_unique<GraphStep>();
  read_group(reading, *step, node);
  Inheritance inheritance(reading, *step);
  reading.sequence(*step, *node.find("sequence"));
  return step;
}

std::unique_ptr<LivingStep> read_for_each(Reading& reading, const Node& node) {
  auto step = std::make_unique<ForEachStep>();
  read_group(reading, *step, node);
  Inheritance inheritance(reading, *step);
  const Member& items = *node.member("for_each");
  check_items(reading, items.value);
  step->items = reading.value(items.value);
  step->items.each([&](const Expression& expression, bool whole) {
    if (whole && items.value.is_scalar())
      reading.must_be(expression, {"array", "object", "integer", "number"}, "for_each needs a list, a map or a count",
                      "split it: ${{ {} | split(\",\") }}");
  });
  if (const Node* key = node.find("concurrency")) step->concurrency = reading.count(*key, "concurrency", 1);
  if (const Node* key = node.find("batch")) step->batch = reading.count(*key, "batch", 1);
  std::vector<std::string> bound{"item", "index", "key"};
  if (const Node* key = node.find("as")) {
    step->as = reading.name(*key, "as");
    check_as(reading, *key, step->as);
    bound.push_back(step->as);
  }
  Reading::Binding item(reading, bound);
  if (const Node* key = node.find("key")) step->key = reading.text(*key);
  const Node* body = node.find("do");
  if (!body) {
    reading.error("E110", items.at, items.key.size(), "for_each needs `do`: what is to run for each item",
                  "for example do: { exec: [echo, \"${ $item }\"] }");
    return step;
  }
  bool outer = std::exchange(reading.in_unsized_for_each, !step->concurrency.written());
  bool inside = std::exchange(reading.in_for_each, true);
  // `collect` sees the inner steps, and the output of the item as `.`.
  std::unique_ptr<GraphStep> of_item = reading.body(*body, "do", [&] {
    Reading::Binding output(reading, {"."});
    if (const Node* key = node.find("collect")) step->collect = reading.value(*key);
  });
  if (of_item) of_item->of_item = true;
  step->body = std::move(of_item);
  reading.in_unsized_for_each = outer;
  reading.in_for_each = inside;
  return step;
}

std::unique_ptr<LivingStep> read_switch(Reading& reading, const Node& node) {
  auto step = std::make_unique<SwitchStep>();
  const Node& ways = *node.find("switch");
  if (!reading.is(ways, Node::Kind::List, "switch", "a list of ways")) return step;
  if (ways.items.empty())
    reading.error("E102", ways.at, 1, "there is no way in it", "for example [{ if: ..., do: ... }, { else: ... }]");
  for (std::size_t i = 0; i < ways.items.size(); ++i) {
    const Node& way = ways.items[i];
    if (!reading.is(way, Node::Kind::Map, "switch", "a list of maps with `if` and `do`, or `else`")) continue;
    reading.only(way, names_within("switch"), "a way of `switch`");
    const Node* otherwise = way.find("else");
    const Node* condition = way.find("if");
    const Node* body = otherwise ? otherwise : way.find("do");
    if (otherwise && (condition || i + 1 < ways.items.size()))
      reading.error("E102", way.at, 1, "`else` stands alone, and last");
    if (!body || (!otherwise && !condition)) {
      reading.error("E110", way.at, 1, "a way of `switch` needs `if` and `do`, or `else`");
      continue;
    }
    SwitchStep::Way read;
    if (condition) read.condition = reading.condition(*condition);
    read.body = reading.body(*body, otherwise ? "else" : "do");
    step->ways.push_back(std::move(read));
  }
  return step;
}

std::unique_ptr<LivingStep> read_set(Reading& reading, const Node& node) {
  auto step = std::make_unique<SetStep>();
  step->value = reading.value(*node.find("set"));
  return step;
}

std::unique_ptr<LivingStep> read_fail(Reading& reading, const Node& node) {
  auto step = std::make_unique<FailStep>();
  step->message = reading.text(*node.find("fail"));
  return step;
}

std::unique_ptr<LivingStep> read_sleep(Reading& reading, const Node& node) {
  auto step = std::make_unique<SleepStep>();
  step->span = reading.duration(*node.find("sleep"), "sleep");
  return step;
}

}  // namespace flowrun
