#include "engine/steps/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/model/path.h"
#include "engine/steps/for_each.h"
#include "engine/steps/graph.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"
#include "engine/steps/repeat.h"
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

std::string fail_fast_of_group(const GroupSettings& group) {
  return spelled(group.fail_fast == FailFast::Inherit ? group.inherited : group.fail_fast);
}

template <typename T>
std::string spelled(const Setting<T>& setting, const char* default_text) {
  if (setting.expression) return "${ " + setting.expression->code() + " }";
  return setting.value ? fmt::format("{}", *setting.value) : default_text;
}

std::string spelled(const TextTemplate& text) {
  std::string spelled;
  for (const TextTemplate::Part& part : text.parts)
    if (const auto* expression = std::get_if<Expression>(&part))
      spelled += "${ " + expression->code() + " }";
    else
      spelled += std::get<std::string>(part);
  return spelled;
}

/// Its join; an amount that an expression gives stands in place of the one that is only made up.
std::string spelled(const GroupSettings& group) {
  const std::string join = to_string(group.join);
  return group.join_amount ? join.substr(0, join.find(' ')) + " ${ " + group.join_amount->code() + " }" : join;
}

std::string spelled(const Limit& limit) {
  std::string bounds = limit.max > 0 ? fmt::format("{}", limit.max) : "";
  if (limit.name.empty()) return bounds;
  if (limit.max > 0) bounds = "max " + bounds;
  if (limit.rate > 0) bounds += (bounds.empty() ? "rate " : ", rate ") + limit.rate_text;
  return fmt::format("{} ({}{})", limit.name, bounds, limit.shared ? ", shared" : "");
}

/// Where a step stands in the outline.
struct Position {
  std::string path;
  int depth = 0;
  std::optional<std::size_t> parent;
  std::string role;
};

class Outliner {
 public:
  /// The steps within |step|, whose path is that of |position|.
  void inside(const Step& step, const Position& position) {
    if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
      children(*graph, position);
    } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
      in_item_ = true;
      inside(*each->body, position);
      in_item_ = false;
    } else if (const auto* repeat = dynamic_cast<const RepeatStep*>(&step)) {
      in_item_ = true;
      inside(*repeat->body, position);
      in_item_ = false;
    } else if (const auto* choice = dynamic_cast<const SwitchStep*>(&step)) {
      for (const SwitchStep::Way& way : choice->ways) {
        Position taken = position;
        taken.role = way.condition.written() ? "if " + spelled(way.condition, "") : "else";
        inside(*way.body, taken);
      }
    } else if (const auto* root = dynamic_cast<const RootStep*>(&step)) {
      inside(*root->body, position);
      for (auto [name, handler] : {std::pair{"on_failure", root->on_failure.get()}, {"finally", root->finally.get()}})
        if (handler) inside(*handler, {child_path(position.path, name), position.depth, position.parent, name});
    } else if (const auto* sub = dynamic_cast<const WorkflowStep*>(&step)) {
      const std::string outer = std::exchange(file_, sub->child->path);
      const bool shared = std::exchange(shared_, sub->shares_cpus || (sub->follows_file && shared_));
      inside(*sub->child->workflow.root, position);
      file_ = outer;
      shared_ = shared;
    }
  }

  std::vector<OutlineRow> rows;

 private:
  std::size_t add(const Step& step, Position position) {
    std::size_t number = rows.size();
    OutlineRow row;
    row.path = position.path;
    row.name = step.name;
    row.kind = step.kind;
    row.origin = step.origin;
    row.file = file_;
    row.depth = position.depth;
    row.parent = position.parent;
    row.role = std::move(position.role);
    const auto* common = dynamic_cast<const CommonStep*>(&step);
    if (common) {
      row.what = common->options.what;
      row.definition = common->definition;
      row.condition = spelled(common->options.condition, "");
      row.tolerated = spelled(common->options.continue_on_error, "");
      row.atomic = common->options.atomic;
    }
    if (step.limit) row.limit = spelled(*step.limit);
    if (step.secret) row.secret = "output";
    if (step.weight > 1) row.weight = std::to_string(step.weight);
    if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
      if (step.kind != "sequence") row.join = spelled(*graph);
      row.fail_fast = fail_fast_of_group(*graph);
    } else if (dynamic_cast<const RepeatStep*>(&step)) {
      row.many = true;
    } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
      row.many = true;
      row.join = spelled(*each);
      row.fail_fast = fail_fast_of_group(*each);
      row.concurrency = spelled(each->concurrency, each->stream ? "that of the run" : "16");
      row.batch = spelled(each->batch, "");
      row.keyed = each->key.has_value();
      if (const auto* body = dynamic_cast<const CommonStep*>(each->body.get())) row.atomic = body->options.atomic;
    } else if (const auto* http = dynamic_cast<const HttpStep*>(&step)) {
      if (http->unix_socket) row.unix_socket = spelled(*http->unix_socket);
    } else if (const auto* process = dynamic_cast<const ProcessStep*>(&step)) {
      row.shares_cpus = process->shares_cpus || (process->follows_file && shared_);
    }
    rows.push_back(std::move(row));
    Position below{position.path, position.depth + 1, number, ""};
    inside(step, below);
    if (common && common->options.fallback)
      add(*common->options.fallback, {position.path + ".fallback", below.depth, number, "fallback"});
    if (common && common->options.undo)
      add(*common->options.undo->step, {position.path + ".undo", below.depth, number, "undo"});
    return number;
  }

  void children(const GraphStep& graph, const Position& position) {
    bool bare = graph.form == GraphStep::Form::Single && !graph.whole_file && std::exchange(in_item_, false);
    in_item_ = false;
    std::vector<std::size_t> numbers;
    for (const GraphStep::Child& child : graph.children) {
      Position of_child = position;
      if (!bare) of_child.path = child_path(position.path, child.step->name);
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
        return {from, success, reason.text, reason.line, by_value, false};
    return {from, success, "place in the list", child.step->origin.line, false, true};
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
  const std::string bare = without_keys(path);
  // The one step of an item shares the path of the for_each; the innermost is meant.
  auto found = std::find_if(rows.rbegin(), rows.rend(), [&](const OutlineRow& row) { return row.path == bare; });
  if (path == bare) {
    auto first = std::find_if(rows.begin(), rows.end(), [&](const OutlineRow& row) { return row.path == bare; });
    return first == rows.end() ? nullptr : &*first;
  }
  return found == rows.rend() ? nullptr : &*found;
}

}  // namespace flowrun
