// Lints of who uses what: names that nobody asks for, and null where nobody expects it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/expression/tokens.h"
#include "engine/lint/rules.h"
#include "engine/steps/for_each.h"

namespace flowrun::lint_rules {
namespace {

using Place = Mention::Place;

/// What becomes of null in an expression that only follows a path, `$steps.x.id`, or orders such paths, is plain; of
/// anything else, `//` or a pipe, it is assumed to be cared for.
bool trips_over_null(const Expression& expression, Place place) {
  static constexpr std::array<std::string_view, 4> kOrder{"<", "<=", ">", ">="};
  bool path = true, orders = false;
  for (const Token& token : tokenize(expression.code())) {
    switch (token.kind) {
      case Token::Kind::Field:
      case Token::Kind::Dot:
      case Token::Kind::Variable:
      case Token::Kind::Number:
      case Token::Kind::String:
        break;
      default:
        if (std::find(kOrder.begin(), kOrder.end(), token.value) != kOrder.end()) {
          orders = true;
        } else {
          path = path && (token.is("[") || token.is("]"));
        }
    }
  }
  return path && (!orders || place == Place::Condition);
}

/// Mentions of steps in conditions, by the step whose condition it is.
using Watched = std::unordered_map<int, std::vector<const Mention*>>;

Watched watched_by(const WorkflowIndex& index) {
  Watched watched;
  for (std::size_t m = 0; m < index.file.mentions.size(); ++m) {
    const Mention& mention = index.file.mentions[m];
    bool step = mention.reference.variable == "steps" || mention.reference.variable == "status";
    if (step && mention.place == Place::Condition) watched[index.owner[m]].push_back(&mention);
  }
  return watched;
}

bool same(Position a, Position b) { return a.line == b.line && a.column == b.column; }

/// Whether the step |from|, or one around it, only runs when |other| has run as well, or has looked at what became of
/// it by another expression than |use|.
bool guarded(const WorkflowIndex& index, const Watched& watched, int from, const IndexedStep& other,
             const Expression& use) {
  const Setting<bool>& condition = other.step->options.condition;
  for (int i = from; i >= 0; i = index.steps[static_cast<std::size_t>(i)].around) {
    const IndexedStep& indexed = index.steps[static_cast<std::size_t>(i)];
    const Setting<bool>& own = indexed.step->options.condition;
    if (own.expression && condition.expression &&
        own.expression->code().find(condition.expression->code()) != std::string::npos)
      return true;
    if (auto seen = watched.find(i); seen != watched.end())
      for (const Mention* mention : seen->second)
        if (mention->reference.member == other.step->name && !same(mention->expression.at(), use.at())) return true;
    if (indexed.body == other.body) break;
  }
  return false;
}

bool is_within(const WorkflowIndex& index, int inner, const IndexedStep& outer) {
  for (int i = inner; i >= 0; i = index.steps[static_cast<std::size_t>(i)].around)
    if (index.steps[static_cast<std::size_t>(i)].step == outer.step) return true;
  return false;
}

/// Tells of each use of a step that |may_be_null| where null is an error.
void find_null(const WorkflowIndex& index, Findings& findings, bool (*may_be_null)(const Options&), const char* why,
               const char* advice) {
  const Watched watched = watched_by(index);
  for (std::size_t m = 0; m < index.file.mentions.size(); ++m) {
    const Mention& mention = index.file.mentions[m];
    if (mention.reference.variable != "steps") continue;
    int from = index.owner[m];
    const IndexedStep* other = index.resolve(from, mention.reference.member);
    if (!other || !may_be_null(other->step->options)) continue;
    if (is_within(index, from, *other)) continue;  // its undo: it was not skipped then
    bool items = false;
    if (from >= 0)
      if (auto* each = dynamic_cast<const ForEachStep*>(index.steps[static_cast<std::size_t>(from)].step))
        for (const Expression& expression : each->items.expressions())
          items = items || same(expression.at(), mention.expression.at());
    if (mention.place == Place::Value && !items) continue;
    if (!trips_over_null(mention.expression, mention.place) ||
        guarded(index, watched, from, *other, mention.expression))
      continue;
    findings.add(mention.expression.at(), mention.expression.code().size(),
                 fmt::format("this is null, and fails, when {} {}", other->said_name, why), advice);
  }
}

/// Whether |node| says |text| anywhere, whether or not a step has taken it over.
bool says(const Node* node, const std::string& text) {
  if (!node) return false;
  auto found = [&](const Node& inner) { return says(&inner, text); };
  return node->text.find(text) != std::string::npos || std::any_of(node->items.begin(), node->items.end(), found) ||
         std::any_of(node->members.begin(), node->members.end(),
                     [&](const Member& member) { return found(member.value); });
}

}  // namespace

void unhandled_skipped(const WorkflowIndex& index, Findings& findings) {
  find_null(
      index, findings,
      [](const Options& options) { return options.condition.written() && options.condition.value != true; },
      "is skipped", "give a value for that case with `// ...`, or the same `if`");
}

void unhandled_tolerated(const WorkflowIndex& index, Findings& findings) {
  find_null(
      index, findings,
      [](const Options& options) {
        const Setting<bool>& tolerated = options.continue_on_error;
        return (tolerated.expression || tolerated.value == true) && !options.fallback;
      },
      "has failed, which `continue_on_error` allows", "give a value for that case with `// ...`, or ask $status");
}

void unused_name(const WorkflowIndex& index, Findings& findings) {
  std::set<std::string> used;  // `input.x`; `input` alone: all of them
  for (const Mention& mention : index.file.mentions)
    used.insert(mention.reference.member.empty() ? mention.reference.variable
                                                 : mention.reference.variable + "." + mention.reference.member);
  if (const Node* secrets = index.root.find("secrets"))
    for (const Member& secret : secrets->members)
      if (const Node* input = secret.value.find("input")) used.insert("input." + input->text);
  for (const auto& [key, variable, what] :
       {std::array<const char*, 3>{"input", "input", "input"}, std::array<const char*, 3>{"vars", "vars", "variable"},
        std::array<const char*, 3>{"secrets", "secrets", "secret"}}) {
    const Node* declared = index.root.find(key);
    if (!declared || used.count(variable)) continue;
    for (const Member& member : declared->members) {
      if (member.key.rfind("x-", 0) == 0 || used.count(std::string(variable) + "." + member.key)) continue;
      // A default of a kind that no step has is evaluated nowhere.
      const std::string name = fmt::format("${}.{}", variable, member.key);
      if (says(index.root.find("defaults"), name) || says(index.root.find("env"), name)) continue;
      findings.add(member, fmt::format("{} `{}` is not used", what, member.key),
                   fmt::format("leave it out, or use it as ${{ {} }}", name));
    }
  }
  if (const Node* declared = index.root.find("limits"))
    for (const Member& member : declared->members) {
      bool is_used = std::any_of(index.steps.begin(), index.steps.end(), [&](const IndexedStep& indexed) {
        return indexed.step->limit && indexed.step->limit->name == member.key;
      });
      if (!is_used && member.key.rfind("x-", 0) != 0)
        findings.add(member, fmt::format("limit `{}` is not used", member.key),
                     fmt::format("leave it out, or say `limit: {}` in the steps that it is for", member.key));
    }
  for (const IndexedStep& indexed : index.steps) {
    const Node* as = indexed.kind == kForEach ? indexed.node->find("as") : nullptr;
    if (!as) continue;
    auto first = index.file.mentions.begin();
    bool is_used =
        std::any_of(first + static_cast<std::ptrdiff_t>(indexed.from), first + static_cast<std::ptrdiff_t>(indexed.to),
                    [&](const Mention& mention) { return mention.reference.variable == as->text; });
    if (!is_used)
      findings.add(*as, fmt::format("`${}` is not used", as->text), "leave `as` out; $item is bound without it");
  }
}

void unused_set(const WorkflowIndex& index, Findings& findings) {
  std::set<const Step*> used;
  for (std::size_t m = 0; m < index.file.mentions.size(); ++m) {
    const Reference& reference = index.file.mentions[m].reference;
    if (reference.variable != "steps" && reference.variable != "status") continue;
    if (const IndexedStep* indexed = index.resolve(index.owner[m], reference.member)) used.insert(indexed->step);
  }
  for (const IndexedBody& body : index.bodies) {
    const GraphStep& graph = *body.graph;
    bool list = graph.form == GraphStep::Form::List;
    // Other maps put out what is in them; a run without `output` leaves its steps to be looked at.
    bool top = graph.form == GraphStep::Form::Map && &graph == index.workflow.body.get() && index.workflow.output;
    if (!list && !top) continue;
    // In a map whoever waits for a step uses it; in a list the next one waits anyway.
    if (top)
      for (const GraphStep::Child& child : graph.children)
        for (const auto* edges : {&child.needs, &child.after})
          for (std::size_t other : *edges) used.insert(graph.children[other].step.get());
    for (std::size_t i = 0; i + (list ? 1 : 0) < graph.children.size(); ++i) {
      const IndexedStep& indexed = index.at(*graph.children[i].step);
      if (indexed.kind != kSet || used.count(indexed.step)) continue;
      // What fails on purpose is a check.
      const Node& value = *indexed.node->find("set");
      if (says(&value, "required(") || says(&value, "error")) continue;
      findings.add(indexed, fmt::format("the value of {} is not used", indexed.said_name),
                   "leave the step out, or use its output");
    }
  }
}

void missing_output(const WorkflowIndex& index, Findings& findings) {
  const Member* steps = index.root.member("steps");
  if (index.workflow.output || index.workflow.body->form != GraphStep::Form::Map ||
      index.workflow.body->children.size() <= 5)
    return;
  findings.add(*steps, "the run has no output", "say at the top what it is for, for example output: ${ $steps.NAME }");
}

}  // namespace flowrun::lint_rules
