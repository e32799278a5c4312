#include "engine/reader/unread.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "engine/steps/for_each.h"
#include "engine/steps/process.h"
#include "engine/steps/repeat.h"
#include "engine/steps/switch.h"

namespace flowrun {
namespace {

/// What `$status.NAME.` may name without seeing an output.
constexpr std::array<std::string_view, 11> kNoOutput{"state",      "ok",          "error",       "attempts",
                                                     "started_at", "finished_at", "duration_ms", "counts",
                                                     "winner",     "order",       "failed"};

/// Of a `$status.NAME`.
bool sees_own_output(const Sight& status) { return status.sees("output"); }

/// Of a `$status.NAME`, where the step is a group: those of its items or branches, and of what is in them.
bool sees_outputs_within(const Sight& status) {
  if (status.whole || sees_own_output(status.of("items").of(""))) return true;
  const Sight branches = status.of("branches");
  if (branches.whole) return true;
  const auto sees = [](const Sight& branch) { return sees_own_output(branch) || sees_outputs_within(branch); };
  return std::any_of(branches.each.begin(), branches.each.end(), sees) ||
         std::any_of(branches.fields.begin(), branches.fields.end(),
                     [&](const auto& branch) { return sees(branch.second); });
}

class Listeners {
 public:
  Listeners(const std::vector<Mention>& mentions, bool for_questions) : for_questions_(for_questions) {
    for (const Mention& mention : mentions) {
      const auto& [variable, member, field, sight] = mention.reference;
      if (variable != "steps" && variable != "status") continue;
      if (variable == "status" && std::find(kNoOutput.begin(), kNoOutput.end(), field) != kNoOutput.end()) continue;
      // By its name alone, wherever it stands.
      const bool looks_within = field == "items" || field == "branches";
      const bool status = variable == "status" && !member.empty();
      if (status && (sight ? sees_outputs_within(*sight) : looks_within)) named_within_.insert(member);
      if (status && (sight ? !sees_own_output(*sight) : looks_within)) continue;
      if (member.empty()) {
        all_ = true;
      } else {
        named_.insert(member);
      }
    }
  }

  /// |heard|: what |step| brings becomes part of something that is seen. |kept|: or of an entry.
  void visit(Step& step, bool heard, bool kept = false) {
    auto* common = dynamic_cast<CommonStep*>(&step);
    if (!common) return;
    Options& options = common->options;
    heard = heard || all_ || named_.count(step.name) > 0 || options.output || options.returns;
    options.heard = heard || kept || for_questions_;
    const bool within = heard || named_within_.count(step.name) > 0;
    // The entry of whom it stands in for may have it.
    if (options.fallback) visit(*options.fallback, heard, true);
    if (options.undo && options.undo->step) visit(*options.undo->step, false);
    if (auto* graph = dynamic_cast<GraphStep*>(&step)) {
      for (GraphStep::Child& child : graph->children) visit(*child.step, within, kept);
    } else if (auto* each = dynamic_cast<ForEachStep*>(&step)) {
      if (each->body) visit(*each->body, within || each->collect, kept);
    } else if (auto* repeat = dynamic_cast<RepeatStep*>(&step)) {
      if (repeat->body) visit(*repeat->body, true, true);  // it is carried
    } else if (auto* choice = dynamic_cast<SwitchStep*>(&step)) {
      for (SwitchStep::Way& way : choice->ways) visit(*way.body, within, kept);
    } else if (auto* process = dynamic_cast<ProcessStep*>(&step)) {
      process->unread = !heard && !looks_at_itself(*process);
    }
  }

 private:
  static bool looks_at_itself(const ProcessStep& step) {
    return step.retry.condition || step.expect_condition || step.paginate ||
           (step.poll && (step.poll->until || step.poll->fail_if));
  }

  const bool for_questions_;
  bool all_ = false;
  std::set<std::string> named_;
  std::set<std::string> named_within_;  ///< groups of which the outputs of items or branches are seen
};

}  // namespace

void mark_unread(RootStep& root, const std::vector<Mention>& mentions, bool for_questions) {
  Listeners listeners(mentions, for_questions);
  for (GraphStep* body : {root.body.get(), root.on_failure.get(), root.finally.get()})
    if (body) listeners.visit(*body, false);
}

}  // namespace flowrun
