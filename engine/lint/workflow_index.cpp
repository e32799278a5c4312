#include "engine/lint/workflow_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/steps/for_each.h"
#include "engine/steps/repeat.h"
#include "engine/steps/switch.h"

namespace flowrun {

WorkflowIndex::WorkflowIndex(const Node& node, const RootStep& made, const FileIndex& read)
    : root(node), workflow(made), file(read) {
  for (const MentionSpan& span : file.spans) spans_.emplace(span.step, &span);
  if (const Node* main = root.find("steps")) body(*main, *workflow.body, -1);
  for (auto [name, handler] : {std::pair{"on_failure", &workflow.on_failure}, {"finally", &workflow.finally}})
    if (const Node* written = root.find(name); written && *handler) body(*written, **handler, -1);
  // Inner steps come later and take over what their outer ones say only through them.
  owner.assign(file.mentions.size(), -1);
  for (std::size_t i = 0; i < steps.size(); ++i)
    std::fill(owner.begin() + static_cast<std::ptrdiff_t>(steps[i].from),
              owner.begin() + static_cast<std::ptrdiff_t>(steps[i].to), static_cast<int>(i));
}

void WorkflowIndex::body(const Node& node, const GraphStep& graph, int around) {
  bodies.push_back({&node, &graph, around});
  std::size_t place = 0;
  auto child = [&](const Node& written, Position at, std::size_t length, std::string said) {
    if (place == graph.children.size()) return;
    const Step& one = *graph.children[place].step;
    step(written, one,
         {&written, nullptr, 0, at, static_cast<int>(length), around, &graph, place, 0, 0, std::move(said)});
    ++place;
  };
  if (graph.form == GraphStep::Form::Single) {
    const Step& one = *graph.children.front().step;
    child(node, {one.origin.line, one.origin.column}, one.kind.size(), "this step");
  } else if (graph.form == GraphStep::Form::List) {
    for (const Node& item : node.items) {
      const Node* id = item.find("id");
      const Member* kind = place < graph.children.size() ? item.member(graph.children[place].step->kind) : nullptr;
      if (id) {
        child(item, id->at, id->text.size(), fmt::format("`{}`", id->text));
      } else if (kind) {
        child(item, kind->at, kind->key.size(), fmt::format("step {}", place + 1));
      }
    }
  } else {
    for (const Member& member : node.members)
      if (member.key.rfind("x-", 0) != 0)
        child(member.value, member.at, member.key.size(), fmt::format("`{}`", member.key));
  }
}

void WorkflowIndex::step(const Node& node, const Step& made, IndexedStep indexed) {
  indexed.step = dynamic_cast<const CommonStep*>(&made);
  auto span = spans_.find(&made);
  if (!indexed.step || span == spans_.end()) return;
  indexed.kind = kind_bit(made.kind);
  indexed.from = span->second->from;
  indexed.to = span->second->to;
  const int number = static_cast<int>(steps.size());
  const CommonStep& common = *indexed.step;
  numbers_.emplace(&made, number);
  steps.push_back(std::move(indexed));
  const Node* main = node.find(made.kind);
  if (auto* group = dynamic_cast<const GraphStep*>(&made)) {
    body(*main, *group, number);
  } else if (auto* each = dynamic_cast<const ForEachStep*>(&made)) {
    body(*node.find("do"), dynamic_cast<const GraphStep&>(*each->body), number);
  } else if (auto* repeat = dynamic_cast<const RepeatStep*>(&made)) {
    body(*node.find("do"), dynamic_cast<const GraphStep&>(*repeat->body), number);
  } else if (auto* choice = dynamic_cast<const SwitchStep*>(&made)) {
    for (std::size_t i = 0; i < std::min(choice->ways.size(), main->items.size()); ++i) {
      const Node& way = main->items[i];
      const Node* inner = way.find("else") ? way.find("else") : way.find("do");
      if (inner) body(*inner, dynamic_cast<const GraphStep&>(*choice->ways[i].body), number);
    }
  }
  auto later = [&](const char* key, const Step* other, const char* said) {
    const Node* written = node.find(key);
    if (!written || !other) return;
    Position at{other->origin.line, other->origin.column};
    step(*written, *other,
         {written, nullptr, 0, at, static_cast<int>(other->kind.size()), number, nullptr, 0, 0, 0, said});
  };
  later("fallback", common.options.fallback.get(), "the fallback");
  later("undo", common.options.undo ? common.options.undo->step.get() : nullptr, "the undo");
}

const Member* WorkflowIndex::option(const IndexedStep& indexed, std::string_view name) const {
  if (const Member* own = indexed.node->member(name)) return own;
  const Node* defaults = root.find("defaults");
  const Key* key = find_key(name);
  if (!defaults || !key || !(key->kinds & indexed.kind)) return nullptr;
  for (std::string_view group : {std::string_view(indexed.step->kind), std::string_view("all")})
    if (const Node* options = defaults->find(group))
      if (const Member* member = options->member(name)) return member;
  return nullptr;
}

const IndexedStep* WorkflowIndex::resolve(int from, const std::string& name) const {
  auto in = [&](const GraphStep& graph) -> const IndexedStep* {
    auto found = graph.find(name);
    return found ? &at(*graph.children[*found].step) : nullptr;
  };
  if (from < 0) return in(*workflow.body);
  // `collect` sees the steps of the body.
  const IndexedStep* indexed = &steps[static_cast<std::size_t>(from)];
  if (auto* each = dynamic_cast<const ForEachStep*>(indexed->step))
    if (const IndexedStep* found = in(dynamic_cast<const GraphStep&>(*each->body))) return found;
  for (;; indexed = &steps[static_cast<std::size_t>(indexed->around)]) {
    if (indexed->body)
      if (const IndexedStep* found = in(*indexed->body)) return found;
    if (indexed->around < 0) return in(*workflow.body);  // which handlers see
  }
}

void Findings::add(Position at, std::size_t length, std::string message, std::string advice) {
  if (!said_.emplace(code_, at.line, at.column).second) return;
  diagnostics_.warning(code_, at, static_cast<int>(std::clamp<std::size_t>(length, 1, 200)), std::move(message),
                       std::move(advice));
}

}  // namespace flowrun
