// Reads parallel, race and sequence.
#include <fmt/format.h>

#include "engine/reader/readers.h"

namespace flowrun {
namespace {

std::unique_ptr<GraphStep> read_branches(Reading& reading, const Node& node, const char* kind) {
  auto step = std::make_unique<GraphStep>();
  step->body = false;
  read_group(reading, *step, node);
  Reading::Within inherited = inherit_fail_fast(reading, *step);
  const Node& branches = *node.find(kind);
  if (branches.is_list()) {
    reading.error("E102", branches.at, 1, fmt::format("`{}` takes a map of names to steps, not a list", kind),
                  "for example { a: { shell: one }, b: { shell: two } }");
  } else if (reading.is(branches, Node::Kind::Map, kind, "a map of names to steps")) {
    reading.graph(*step, branches);
  }
  return step;
}

/// E303 for a branch that can not win: the first success ends the group, and the branch waits for the success of
/// another. It can win when that other one does not count, because it may be skipped or fail without harm.
void check_winners(Reading& reading, const GraphStep& step) {
  if (!single_winner(step.join)) return;
  for (const GraphStep::Child& child : step.children)
    for (std::size_t needed : child.needs) {
      auto* other = dynamic_cast<const CommonStep*>(step.children[needed].step.get());
      if (!other || other->options.condition.written() || other->options.continue_on_error.written()) continue;
      const Step& branch = *child.step;
      reading.error("E303", {branch.origin.line, branch.origin.column}, branch.kind.size(),
                    fmt::format("branch `{}` can never win: the success of `{}`, which it needs, ends the {}",
                                branch.name, other->name, step.race ? "race" : "group"),
                    fmt::format("make one branch of the two, or say `after: [{}]`", other->name));
    }
}

}  // namespace

std::unique_ptr<CommonStep> read_parallel(Reading& reading, const Node& node) {
  auto step = read_branches(reading, node, "parallel");
  check_winners(reading, *step);
  return step;
}

std::unique_ptr<CommonStep> read_race(Reading& reading, const Node& node) {
  auto step = read_branches(reading, node, "race");
  step->race = true;
  if (!node.find("join")) step->join = {Join::Policy::Quorum, 1, false};
  check_winners(reading, *step);
  return step;
}

std::unique_ptr<CommonStep> read_sequence(Reading& reading, const Node& node) {
  auto step = std::make_unique<GraphStep>();
  read_group(reading, *step, node);
  Reading::Within inherited = inherit_fail_fast(reading, *step);
  reading.sequence(*step, *node.find("sequence"));
  return step;
}

}  // namespace flowrun
