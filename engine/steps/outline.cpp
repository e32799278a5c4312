#include "engine/steps/outline.h"

#include <algorithm>

#include "engine/model/path.h"
#include "engine/steps/for_each.h"
#include "engine/steps/graph.h"
#include "engine/steps/root.h"
#include "engine/steps/switch.h"

namespace flowrun {
namespace {

class Outliner {
 public:
  void step(const Step& step, const std::string& path, int depth, std::string waits_for) {
    if (!step.kind.empty()) rows.push_back({path, step.kind, step.origin, depth, std::move(waits_for)});
    body_of(step, path, step.kind.empty() ? depth : depth + 1);
    if (const auto* living = dynamic_cast<const LivingStep*>(&step); living && living->options.fallback)
      this->step(*living->options.fallback, path + ".fallback", depth + 1, "");
  }

  std::vector<OutlineRow> rows;

 private:
  void body_of(const Step& step, const std::string& path, int depth) {
    if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
      for (const GraphStep::Child& child : graph->children) {
        std::string waits_for;
        auto add = [&](std::size_t other, const char* how) {
          if (!waits_for.empty()) waits_for += ", ";
          waits_for += graph->children[other].step->name + how;
        };
        for (std::size_t needed : child.needs) add(needed, "");
        for (std::size_t observed : child.after) add(observed, " settled");
        bool bare = graph->form == GraphStep::Form::Single && in_item_;
        in_item_ = false;
        this->step(*child.step, bare ? path : child_path(path, child.step->name), depth, std::move(waits_for));
      }
    } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
      in_item_ = true;
      this->step(*each->body, path, depth, "");
      in_item_ = false;
    } else if (const auto* choice = dynamic_cast<const SwitchStep*>(&step)) {
      for (const SwitchStep::Way& way : choice->ways) this->step(*way.body, path, depth, "");
    } else if (const auto* root = dynamic_cast<const RootStep*>(&step)) {
      this->step(*root->body, path, 0, "");
      if (root->on_failure) this->step(*root->on_failure, "on_failure", 0, "");
      if (root->finally) this->step(*root->finally, "finally", 0, "");
    }
  }

  bool in_item_ = false;  ///< the next body is that of an item
};

}  // namespace

std::vector<OutlineRow> outline(const Workflow& workflow) {
  Outliner outliner;
  outliner.step(*workflow.root, "", 0, "");
  return std::move(outliner.rows);
}

const OutlineRow* find_row(const std::vector<OutlineRow>& rows, const std::string& path) {
  std::string bare;
  bool in_key = false;
  for (char c : path) {
    if (c == '[') in_key = true;
    if (!in_key) bare += c;
    if (c == ']') in_key = false;
  }
  // The one step of an item shares the path of the for_each; the innermost is meant.
  auto found = std::find_if(rows.rbegin(), rows.rend(), [&](const OutlineRow& row) { return row.path == bare; });
  if (path == bare) {
    auto first = std::find_if(rows.begin(), rows.end(), [&](const OutlineRow& row) { return row.path == bare; });
    return first == rows.end() ? nullptr : &*first;
  }
  return found == rows.rend() ? nullptr : &*found;
}

}  // namespace flowrun
