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
constexpr std::array<std::string_view, 9> kNoOutput{"state",       "ok",          "error",  "attempts", "started_at",
                                                    "finished_at", "duration_ms", "counts", "winner"};

class Listeners {
 public:
  explicit Listeners(const std::vector<Mention>& mentions) {
    for (const Mention& mention : mentions) {
      const auto& [variable, member, field, sight] = mention.reference;
      if (variable != "steps" && variable != "status") continue;
      if (variable == "status" && std::find(kNoOutput.begin(), kNoOutput.end(), field) != kNoOutput.end()) continue;
      // By its name alone, wherever it stands.
      if (member.empty()) {
        all_ = true;
      } else {
        named_.insert(member);
      }
    }
  }

  /// |heard|: what |step| brings becomes part of something that is seen.
  void visit(Step& step, bool heard) {
    auto* common = dynamic_cast<CommonStep*>(&step);
    if (!common) return;
    Options& options = common->options;
    heard = heard || all_ || named_.count(step.name) > 0 || options.output || options.returns;
    if (options.fallback) visit(*options.fallback, heard);
    if (options.undo && options.undo->step) visit(*options.undo->step, false);
    if (auto* graph = dynamic_cast<GraphStep*>(&step)) {
      for (GraphStep::Child& child : graph->children) visit(*child.step, heard);
    } else if (auto* each = dynamic_cast<ForEachStep*>(&step)) {
      if (each->body) visit(*each->body, heard || each->collect);
    } else if (auto* repeat = dynamic_cast<RepeatStep*>(&step)) {
      if (repeat->body) visit(*repeat->body, true);  // it is carried
    } else if (auto* choice = dynamic_cast<SwitchStep*>(&step)) {
      for (SwitchStep::Way& way : choice->ways) visit(*way.body, heard);
    } else if (auto* process = dynamic_cast<ProcessStep*>(&step)) {
      process->unread = !heard && !looks_at_itself(*process);
    }
  }

 private:
  static bool looks_at_itself(const ProcessStep& step) {
    return step.retry.condition || step.expect_condition || step.paginate ||
           (step.poll && (step.poll->until || step.poll->fail_if));
  }

  bool all_ = false;
  std::set<std::string> named_;
};

}  // namespace

void mark_unread(RootStep& root, const std::vector<Mention>& mentions) {
  Listeners listeners(mentions);
  for (GraphStep* body : {root.body.get(), root.on_failure.get(), root.finally.get()})
    if (body) listeners.visit(*body, false);
}

}  // namespace flowrun
