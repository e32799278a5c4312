#include "engine/explore/written_steps.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "engine/expression/references.h"
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

/// Words of scripts and names that say that something elsewhere is changed: most processes may simply run again.
constexpr std::array<std::string_view, 20> kChanging{
    "deploy", "publish", "pay", "send",  "migrate",  "sendmail", "charge", "refund", "notify", "ship",
    "book",   "reserve", "buy", "order", "transfer", "release",  "create", "delete", "drop",   "provision"};

bool has_changing_word(std::string_view text) {
  for (std::size_t i = 0, from = 0; i <= text.size(); ++i) {
    if (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]))) continue;
    const std::string_view word = text.substr(from, i - from);
    if (std::find(kChanging.begin(), kChanging.end(), word) != kChanging.end()) return true;
    from = i + 1;
  }
  return false;
}

/// All that is literal in what |process| runs.
std::string text_of(const ProcessStep& process) {
  std::string text = process.script.value_or("");
  for (const TextTemplate& argument : process.arguments)
    if (const std::string* literal = argument.literal()) text += " " + *literal;
  return text;
}

bool may_be_tolerated(const OutlineRow& row) { return !row.tolerated.empty() && row.tolerated != "false"; }

/// How many items |each| has, where they are written out.
std::optional<std::size_t> items_written(const ForEachStep& each) {
  struct Nowhere : Scope, Evaluator {
    Fallible<Value> lookup(const Reference&) const override { return Value(); }
    Answer evaluate(const Question&) override { return {}; }
  } nowhere;
  if (each.stream || !each.items.constant()) return std::nullopt;
  const Evaluation items = each.items.evaluate(nowhere, nowhere);
  const Json& json = items->json();
  if (json.is_array() || json.is_object()) return json.size();
  if (json.is_number_integer() && json >= 0) return json.get<std::size_t>();
  return std::nullopt;
}

bool looks_at_key(const ProcessStep& process) {
  const std::string text = text_of(process);
  return text.find("FLOWRUN_IDEMPOTENCY_KEY") != std::string::npos || text.find("FLOWRUN_RERUN") != std::string::npos;
}

}  // namespace

WrittenSteps::WrittenSteps(const Loaded& loaded, const std::map<std::string, bool>& changes)
    : rows_(outline(loaded.workflow)) {
  walk(*loaded.workflow.root);
  if (steps_.size() != rows_.size()) steps_.resize(rows_.size());
  below_.resize(rows_.size());
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    by_path_.emplace(rows_[row].path, row);
    if (rows_[row].parent) below_[*rows_[row].parent].push_back(row);
  }
  for (std::size_t row = 0; row < rows_.size(); ++row) describe(row, changes);
  read_mentions("", loaded.file, loaded.text);
  for (const auto& [path, text] : loaded.sources) read_mentions(path, path, text);
  shape_items();
  what_can_be();
}

/// In the order of the outline.
void WrittenSteps::walk(const Step& step) {
  if (const auto* graph = dynamic_cast<const GraphStep*>(&step)) {
    for (const GraphStep::Child& child : graph->children) add(*child.step);
  } else if (const auto* each = dynamic_cast<const ForEachStep*>(&step)) {
    walk(*each->body);
  } else if (const auto* repeat = dynamic_cast<const RepeatStep*>(&step)) {
    walk(*repeat->body);
  } else if (const auto* choice = dynamic_cast<const SwitchStep*>(&step)) {
    for (const SwitchStep::Way& way : choice->ways) walk(*way.body);
  } else if (const auto* root = dynamic_cast<const RootStep*>(&step)) {
    walk(*root->body);
    if (root->on_failure) walk(*root->on_failure);
    if (root->finally) walk(*root->finally);
  } else if (const auto* sub = dynamic_cast<const WorkflowStep*>(&step)) {
    walk(*sub->child->workflow.root);
  }
}

void WrittenSteps::add(const Step& step) {
  steps_.emplace_back().step = &step;
  walk(step);
  const auto* common = dynamic_cast<const CommonStep*>(&step);
  if (common && common->options.fallback) add(*common->options.fallback);
  if (common && common->options.undo) add(*common->options.undo->step);
}

void WrittenSteps::describe(std::size_t row, const std::map<std::string, bool>& changes) {
  WrittenStep& step = steps_[row];
  const auto* common = dynamic_cast<const CommonStep*>(step.step);
  if (!common) return;
  step.has_undo = common->options.undo.has_value() || rows_[row].role == "undo";
  patterns_.insert(common->options.fallback_on.begin(), common->options.fallback_on.end());
  if (const auto* tries = dynamic_cast<const RetrySettings*>(step.step)) {
    patterns_.insert(tries->retry.on.begin(), tries->retry.on.end());
    step.polls = tries->poll.has_value();
    step.bounded = !tries->poll || tries->poll->attempts.written() || tries->deadline.written();
  }
  const auto* effect = dynamic_cast<const Effect*>(step.step);
  step.acts = effect != nullptr;
  if (const auto* call = dynamic_cast<const HttpStep*>(step.step)) {
    step.changes = call->method != "GET" && call->method != "HEAD" && call->method != "OPTIONS";
    step.keyed = call->idempotency == HttpStep::Key::Own || call->keyed();
    step.repeats = call->method != "POST" && call->method != "PATCH";
  } else if (const auto* process = dynamic_cast<const ProcessStep*>(step.step)) {
    step.changes = common->options.undo.has_value() || effect->on_crash != OnCrash::Rerun ||
                   has_changing_word(step.step->name) || has_changing_word(text_of(*process));
    step.keyed = looks_at_key(*process);
  }
  if (const auto said = changes.find(rows_[row].path); said != changes.end()) step.changes = step.acts && said->second;
  for (const OutlineEdge& edge : rows_[row].edges) {
    if (!edge.by_place) step.uses.insert(edge.from);
    step.looks_back = step.looks_back || !edge.success;
  }
}

void WrittenSteps::exchange(const Step& before, const Step& now) {
  for (WrittenStep& step : steps_)
    if (step.step == &before) step.step = &now;
}

std::size_t WrittenSteps::find(const std::string& path, const Step* step) const {
  const auto [first, last] = by_path_.equal_range(without_keys(path));
  for (auto one = first; one != last; ++one)
    if (steps_[one->second].step == step) return one->second;
  if (first == last) return size();
  // The one step of an item shares the path of its for_each; the innermost is meant.
  return path.ends_with("]") ? std::prev(last)->second : first->second;
}

std::size_t WrittenSteps::named(std::size_t row, const std::string& name) const {
  for (std::optional<std::size_t> at = row; at; at = rows_[*at].parent) {
    if (rows_[*at].name == name) return *at;
    for (std::size_t other = 0; other < rows_.size(); ++other)
      if (rows_[other].parent == rows_[*at].parent && rows_[other].name == name && rows_[other].file == rows_[row].file)
        return other;
  }
  return size();
}

void WrittenSteps::mention(std::size_t row, const Expression& expression) {
  for (const Reference& reference : expression.references()) {
    looks_at_errors_ = looks_at_errors_ || reference.variable == "error";
    if (reference.variable == "status") {
      looks_at_errors_ = looks_at_errors_ || reference.field.empty() || reference.field == "error" ||
                         reference.field == "failed" || reference.field == "branches" || reference.field == "items";
      looks_at_order_ =
          looks_at_order_ || reference.field.empty() || reference.field == "winner" || reference.field == "order";
    }
    for (std::optional<std::size_t> at = row < size() ? std::optional(row) : std::nullopt; at; at = rows_[*at].parent) {
      const auto* each = dynamic_cast<const ForEachStep*>(steps_[*at].step);
      if (!each || (reference.variable != "item" && reference.variable != each->as)) continue;
      Sight seen = reference.sight ? *reference.sight : Sight::all();
      if (!reference.member.empty() && seen.fields.empty()) seen.fields[reference.member];
      item_sights_[*at].add(seen);
      break;
    }
    if (reference.variable != "steps" && reference.variable != "status") continue;
    if (reference.variable == "steps") sights_[reference.member].add(reference.sight ? *reference.sight : Sight::all());
    if (row >= size()) continue;
    const std::size_t used = named(row, reference.member);
    if (used < size() && used != row) steps_[row].uses.insert(used);
  }
}

void WrittenSteps::shape_items() {
  for (std::size_t row = 0; row < size(); ++row) {
    const auto* each = dynamic_cast<const ForEachStep*>(steps_[row].step);
    const std::vector<Expression> items = each ? each->items.expressions() : std::vector<Expression>();
    const Use* use = items.size() == 1 ? items.front().plain_path() : nullptr;
    if (!use || use->reference.variable != "steps" || use->path.empty()) continue;
    Sight* list = &sights_[use->path.front()];
    for (std::size_t i = 1; i < use->path.size(); ++i) list = &list->fields[use->path[i]];
    list->every().add(item_sights_[row]);
  }
}

void WrittenSteps::read_mentions(const std::string& file, const std::string& name, const std::string& text) {
  Diagnostics none({name, text});
  const std::optional<Node> root = read_yaml(none);
  if (!root) return;
  std::map<std::pair<int, int>, std::size_t> begins;
  for (std::size_t row = rows_.size(); row-- > 0;)
    if (rows_[row].file == file) begins[{rows_[row].origin.line, rows_[row].origin.column}] = row;
  const auto row_at = [&](const Position& at, std::size_t row) {
    const auto found = begins.find({at.line, at.column});
    return found == begins.end() ? row : found->second;
  };
  const auto see = [&](const auto& self, const Node& node, std::size_t row) -> void {
    row = row_at(node.at, row);
    // A step may have its kind behind its other keys.
    std::size_t begun = 0, of_member = row;
    for (const Member& member : node.members)
      if (const std::size_t other = row_at(member.at, size()); other < size() && ++begun == 1) of_member = other;
    if (begun == 1) row = of_member;
    if (row < size() && node.find("undo_on"))
      for (std::size_t other = 0; other < size(); ++other)
        steps_[other].says_undo_on = steps_[other].says_undo_on ||
                                     (rows_[other].file == file && rows_[other].origin.line == rows_[row].origin.line &&
                                      rows_[other].origin.column == rows_[row].origin.column);
    for (const Node& item : node.items) self(self, item, row);
    for (const Member& member : node.members) self(self, member.value, row_at(member.at, row));
    if (!node.is_string() || node.text.find("${") == std::string::npos) return;
    Diagnostics scratch({name, text});
    const TextTemplate compiled = TextTemplate::compile(node, scratch);
    if (!scratch.ok()) return;
    for (const TextTemplate::Part& part : compiled.parts)
      if (const auto* expression = std::get_if<Expression>(&part)) mention(row, *expression);
  };
  see(see, *root, size());
}

const Sight* WrittenSteps::seen_of(const std::string& name) const {
  const auto found = sights_.find(name);
  return found == sights_.end() ? nullptr : &found->second;
}

bool WrittenSteps::is_within(std::size_t row, std::size_t above) const {
  for (std::optional<std::size_t> at = row; at; at = rows_[*at].parent)
    if (*at == above) return true;
  return false;
}

bool WrittenSteps::order_matters(std::size_t a, std::size_t b) const {
  if (a >= size() || b >= size() || looks_at_order_) return true;
  if (steps_[a].has_undo && steps_[b].has_undo) return true;
  if (!rows_[a].limit.empty() && rows_[a].limit == rows_[b].limit) return true;
  for (std::optional<std::size_t> at = rows_[a].parent; at; at = rows_[*at].parent)
    if (is_within(b, *at) &&
        (rows_[*at].kind == "race" || rows_[*at].join.starts_with("quorum") || rows_[*at].join.starts_with("first")))
      return true;
  return false;
}

bool WrittenSteps::group_can_succeed(std::size_t row) const {
  if (const auto* graph = dynamic_cast<const GraphStep*>(steps_[row].step)) return graph_can_succeed(*graph, row);
  const auto* each = dynamic_cast<const ForEachStep*>(steps_[row].step);
  const std::optional<std::size_t> items = each ? items_written(*each) : std::nullopt;
  if (!items || each->join_amount) return true;
  const auto* body = dynamic_cast<const GraphStep*>(each->body.get());
  Tally best;
  best.total = *items;
  const bool good = !body || graph_can_succeed(*body, row);
  (good ? best.succeeded : best.failed) = *items;
  if (*items > 0) best.first = good ? State::Succeeded : State::Failed;
  return judge(each->join, best) == Verdict::Succeeded;
}

bool WrittenSteps::graph_can_succeed(const GraphStep& graph, std::size_t row) const {
  double good = 0, counted = 0;
  bool all = true;
  for (const std::size_t child : below_[row]) {
    if (rows_[child].role == "fallback" && rows_[child].parent == row &&
        rows_[child].path == rows_[row].path + ".fallback")
      continue;
    if (rows_[child].role == "undo") continue;
    // Skipped or tolerated, it counts nowhere.
    const bool excluded = !rows_[child].condition.empty() || may_be_tolerated(rows_[child]);
    const bool can = steps_[child].can_start && steps_[child].can_succeed;
    good += can ? 1 : 0;
    counted += 1;
    all = all && (can || excluded);
  }
  if (graph.join_amount || graph.join.percent) return true;
  switch (graph.join.policy) {
    case Join::Policy::All:
      return all;
    case Join::Policy::AtLeast:
    case Join::Policy::Quorum:
      return good >= graph.join.amount;
    default:
      return true;
  }
}

/// What is held impossible here is so in every run: where it is not known, all is possible.
void WrittenSteps::what_can_be() {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t row = 0; row < size(); ++row) {
      WrittenStep& step = steps_[row];
      const OutlineRow& written = rows_[row];
      const auto* common = dynamic_cast<const CommonStep*>(step.step);
      if (!common) continue;
      bool start = common->options.condition.value.value_or(true);
      // What falls back for a step or undoes it runs only where that does, and so does what is inside it.
      if (written.parent) start = start && steps_[*written.parent].can_start;
      for (const OutlineEdge& edge : written.edges) {
        const OutlineRow& before = rows_[edge.from];
        const bool through = (steps_[edge.from].can_start && steps_[edge.from].can_succeed) ||
                             !before.condition.empty() || may_be_tolerated(before);
        if (edge.success && !through) start = false;
      }
      bool succeed = step.step->kind != "fail" && group_can_succeed(row);
      if (common->options.fallback)
        for (const std::size_t child : below_[row])
          if (rows_[child].role == "fallback") succeed = succeed || steps_[child].can_succeed;
      // It only ever becomes less.
      changed = changed || (step.can_start && !start) || (step.can_succeed && !succeed);
      step.can_start = step.can_start && start;
      step.can_succeed = step.can_succeed && succeed;
    }
  }
}

}  // namespace flowrun
