#include "engine/steps/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/model/path.h"
#include "engine/steps/for_each.h"
#include "engine/steps/graph.h"
#include "engine/steps/process.h"
#include "engine/steps/root.h"
#include "engine/steps/sub_workflow.h"
#include "engine/steps/switch.h"

namespace flowrun {
namespace {

std::string spelled(FailFast fail_fast) {
  switch (fail_fast) {
    case FailFast::Cancel:
      return "true";
    case FailFast::Continue:
      return "false";
    default:
      return "drain";
  }
}

std::string fail_fast_of_group(const GroupStep& group) {
  return spelled(group.fail_fast == FailFast::Inherit ? group.inherited : group.fail_fast);
}

std::string spelled(const Join& join) {
  std::string amount = fmt::format("{}{}", join.amount, join.percent ? "%" : "");
  switch (join.policy) {
    case Join::Policy::All:
      return "all";
    case Join::Policy::BestEffort:
      return "best_effort";
    case Join::Policy::AtLeast:
      return "at_least " + amount;
    case Join::Policy::Tolerate:
      return "tolerate " + amount;
    case Join::Policy::Quorum:
      return amount == "1" ? "first_success" : "quorum " + amount;
    case Join::Policy::FirstCompleted:
      return "first_completed";
  }
  return "";
}

template <typename T>
std::string spelled(const Setting<T>& setting, const char* otherwise) {
  if (setting.expression) return "${ " + setting.expression->code() + " }";
  return setting.value ? fmt::format("{}", *setting.value) : otherwise;
}

std::string spelled(const Limit& limit) {
  std::string bounds = limit.max > 0 ? fmt::format("{}", limit.max) : "";
  if (limit.name.empty()) return bounds;
  if (limit.max > 0) bounds = "max " + bounds;
  if (limit.rate > 0) bounds += (bounds.empty() ? "rate " : ", rate ") + limit.rate_text;
  return fmt::format("{} ({})", limit.name, bounds);
}

/// Where a step stands.
struct Place {
  std::string path;
  int depth = 0;
  std::optional<std::size_t> parent;
  std::string role;
};

class Outliner {
 public:
  /// The steps within |step|, whose path is that of |place|.
  void inside(const Step& step, const Place& place) {
    if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
      children(*graph, place);
    } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
      in_item_ = true;
      inside(*each->body, place);
      in_item_ = false;
    } else if (const auto* choice = dynamic_cast<const SwitchStep*>(&step)) {
      for (const SwitchStep::Way& way : choice->ways) {
        Place taken = place;
        taken.role = way.condition.written() ? "if " + spelled(way.condition, "") : "else";
        inside(*way.body, taken);
      }
    } else if (const auto* root = dynamic_cast<const RootStep*>(&step)) {
      inside(*root->body, place);
      for (auto [name, handler] : {std::pair{"on_failure", root->on_failure.get()}, {"finally", root->finally.get()}})
        if (handler) inside(*handler, {child_path(place.path, name), place.depth, place.parent, name});
    } else if (const auto* sub = dynamic_cast<const WorkflowStep*>(&step)) {
      const std::string outer = std::exchange(file_, sub->child->path);
      const bool shared = std::exchange(shared_, sub->shares_cpus || (sub->follows_file && shared_));
      inside(*sub->child->workflow.root, place);
      file_ = outer;
      shared_ = shared;
    }
  }

  std::vector<OutlineRow> rows;

 private:
  std::size_t add(const Step& step, Place place) {
    std::size_t number = rows.size();
    OutlineRow row;
    row.path = place.path;
    row.name = step.name;
    row.kind = step.kind;
    row.origin = step.origin;
    row.file = file_;
    row.depth = place.depth;
    row.parent = place.parent;
    row.role = std::move(place.role);
    const auto* living = dynamic_cast<const LivingStep*>(&step);
    if (living) {
      row.what = living->options.what;
      row.definition = living->definition;
      row.condition = spelled(living->options.condition, "");
      row.atomic = living->options.atomic;
    }
    if (step.limit) row.limit = spelled(*step.limit);
    if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
      if (step.kind != "sequence") row.join = spelled(graph->join);
      row.fail_fast = fail_fast_of_group(*graph);
    } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
      row.join = spelled(each->join);
      row.fail_fast = fail_fast_of_group(*each);
      row.concurrency = spelled(each->concurrency, "16");
      row.batch = spelled(each->batch, "");
      row.keyed = each->key.has_value();
      if (const auto* body = dynamic_cast<const LivingStep*>(each->body.get())) row.atomic = body->options.atomic;
    } else if (const auto* process = dynamic_cast<const ProcessStep*>(&step)) {
      row.shares_cpus = process->shares_cpus || (process->follows_file && shared_);
    }
    rows.push_back(std::move(row));
    Place below{place.path, place.depth + 1, number, ""};
    inside(step, below);
    if (living && living->options.fallback)
      add(*living->options.fallback, {place.path + ".fallback", below.depth, number, "fallback"});
    if (living && living->options.undo)
      add(*living->options.undo->step, {place.path + ".undo", below.depth, number, "undo"});
    return number;
  }

  void children(const GraphStep& graph, const Place& place) {
    bool bare = graph.form == GraphStep::Form::Single && !graph.whole_file && std::exchange(in_item_, false);
    in_item_ = false;
    std::vector<std::size_t> numbers;
    for (const GraphStep::Child& child : graph.children) {
      Place of_child = place;
      if (!bare) of_child.path = child_path(place.path, child.step->name);
      numbers.push_back(add(*child.step, std::move(of_child)));
    }
    // Steps of a map may wait for later ones, whose rows are known only now.
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const GraphStep::Child& child = graph.children[i];
      for (bool success : {true, false})
        for (std::size_t other : success ? child.needs : child.after)
          rows[numbers[i]].edges.push_back(edge(graph, child, other, success, numbers[other]));
    }
  }

  static OutlineEdge edge(const GraphStep& graph, const GraphStep::Child& child, std::size_t other, bool success,
                          std::size_t from) {
    bool list = graph.form == GraphStep::Form::List;
    auto because = [&](const GraphStep::Reason& reason) { return reason.on == other && reason.success == success; };
    // `$steps.order` is a value, `needs` and `after` are words of the file.
    const bool by_value = !list && std::all_of(child.reasons.begin(), child.reasons.end(), [&](const auto& reason) {
      return !because(reason) || reason.text.starts_with("$");
    });
    for (const GraphStep::Reason& reason : child.reasons)
      if (because(reason) || (list && reason.success == success))
        return {from, success, reason.text, reason.line, by_value};
    return {from, success, "place in the list", child.step->origin.line};
  }

  bool in_item_ = false;  ///< the next body is that of an item
  bool shared_ = false;   ///< the file is run by a step that shares the CPUs with others
  std::string file_;      ///< that the steps stand in
};

}  // namespace

std::vector<OutlineRow> outline(const Workflow& workflow) {
  Outliner outliner;
  outliner.inside(*workflow.root, {});
  return std::move(outliner.rows);
}

std::string fail_fast_of(const Workflow& workflow) {
  const auto* root = dynamic_cast<const RootStep*>(workflow.root.get());
  return root ? fail_fast_of_group(*root->body) : spelled(FailFast::Drain);
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
