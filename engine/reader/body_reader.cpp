// Bodies: a map of steps, a list of them, or one step. Which of them are in sight of each other, and their order.
#include <fmt/format.h>

#include <algorithm>

#include "engine/language/keys.h"
#include "engine/reader/edges.h"
#include "engine/reader/reading.h"

namespace flowrun {
namespace {

/// True when a map of `do` or `steps` holds steps by name, although one of the names is that of a kind.
bool holds_named_steps(const Node& map) {
  bool steps = std::all_of(map.members.begin(), map.members.end(), [](const Member& member) {
    return member.value.is_map() && !kinds_of(member.value).empty();
  });
  // One step all the same: { set: { set: 1 }, fallback: { set: 2 } }
  return steps && std::any_of(map.members.begin(), map.members.end(),
                              [](const Member& member) { return find_key(member.key) == nullptr; });
}

/// E303 for a step that always runs and needs text from one that never runs.
void check_sources(Reading& reading, const Node& node, const MentionSpan& span) {
  for (const char* key : {"if", "fallback", "continue_on_error"})
    if (node.find(key)) return;
  for (const Member* kind : kinds_of(node))
    if (!(kind_bit(kind->key) & kinds_with(kTakesText))) return;
  const auto& siblings = reading.names().levels().back().nodes;
  for (std::size_t m = span.from; m < span.to; ++m) {
    const Mention& mention = reading.index().mentions[m];
    const Use* path = mention.expression.plain_path();
    if (mention.place != Mention::Place::Text || mention.fallback_level > 0 || !path ||
        path->reference.variable != "steps")
      continue;
    auto source = siblings.find(path->reference.member);
    const Node* condition = source == siblings.end() ? nullptr : source->second->find("if");
    if (condition && condition->kind == Node::Kind::Boolean && !condition->json().get<bool>())
      reading.error("E303", path->at, path->length,
                    fmt::format("this can never be text: step `{}` never runs (`if: false`), and its output is null",
                                path->reference.member),
                    "use `// \"default\"`, or give this step an `if`, too");
  }
}

}  // namespace

std::unique_ptr<GraphStep> Reading::body(const Node& node, const char* what, const std::function<void()>& inside) {
  auto graph_step = std::make_unique<GraphStep>();
  graph_step->origin = {node.at.line, node.at.column};
  graph_step->inherited = context_.nearest_fail_fast;
  if (node.is_list()) {
    sequence(*graph_step, node, inside);
  } else if (node.is_map() && !kinds_of(node).empty() && !holds_named_steps(node)) {
    graph_step->form = GraphStep::Form::Single;
    refuse_edges(*this, node, "the step stands by itself", "name it and its siblings in a map, or leave it out");
    NamesInScope::Body alone(names_);
    if (auto child = step(node, "_1", kinds_of(node).front()->at))
      graph_step->children.push_back({std::move(child), {}, {}, {}});
    if (inside) inside();
    graph_step->link();
  } else if (node.is_map()) {
    graph(*graph_step, node, inside);
  } else {
    error("E102", node.at, node.text.size(),
          fmt::format("`{}` must be a map of steps, a list of steps, or one step, not {}", what, node.kind_name()));
  }
  index_.groups.emplace_back(graph_step.get(), "");
  return graph_step;
}

void Reading::graph(GraphStep& graph_step, const Node& map, const std::function<void()>& inside) {
  graph_step.form = GraphStep::Form::Map;
  if (!is(map, Node::Kind::Map, "steps", "a map of names to steps")) return;
  std::vector<const Member*> members;
  for (const Member& member : map.members)
    if (member.key.rfind("x-", 0) != 0) members.push_back(&member);
  if (members.empty()) error("E102", map.at, 1, "there is no step in it", "for example { a: { shell: make } }");
  NamesInScope::Level level;
  for (const Member* member : members) {
    check_name(member->key, member->at, "a step");
    if (names_.visible(member->key)) {
      int line = 0;
      for (const NamesInScope::Level& outer : names_.levels())
        if (auto known = outer.names.find(member->key); known != outer.names.end()) line = known->second;
      error("E206", member->at, member->key.size(),
            fmt::format("`{}` hides the step of that name on line {}", member->key, line), "choose another name");
    }
    level.names.emplace(member->key, member->at.line);
    level.nodes.emplace(member->key, &member->value);
  }
  NamesInScope::Body own(names_, std::move(level));
  struct Read {
    const Node* node;
    MentionSpan span;  ///< what it says anywhere inside it
  };
  std::vector<Read> read;
  for (const Member* member : members) {
    own->self = member->key;
    std::size_t from = index_.mentions.size();
    if (auto child = step(member->value, member->key, member->at)) {
      graph_step.children.push_back({std::move(child), {}, {}, {}});
      read.push_back({&member->value, {graph_step.children.back().step.get(), from, index_.mentions.size()}});
    }
    own->self.clear();
  }
  graph_step.link();
  Edges edges(*this, names_, index_, graph_step);
  for (std::size_t i = 0; i < read.size(); ++i) {
    edges.infer(i, read[i].span);
    edges.read(i, *read[i].node);
    check_sources(*this, *read[i].node, read[i].span);
  }
  if (inside) inside();
  graph_step.link();
  edges.check_cycles();
}

void Reading::sequence(GraphStep& graph_step, const Node& list, const std::function<void()>& inside) {
  graph_step.form = GraphStep::Form::List;
  if (!is(list, Node::Kind::List, "sequence", "a list of steps")) return;
  if (list.items.empty()) error("E102", list.at, 1, "there is no step in it", "for example [{ shell: make }]");
  NamesInScope::Body own(names_);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Node& item = list.items[i];
    const Node* id = item.find("id");
    std::string name = id ? values_.name(*id, "id") : fmt::format("_{}", i + 1);
    if (id && names_.visible(name))
      error("E206", id->at, name.size(), fmt::format("`{}` hides a step of that name", name), "choose another name");
    if (id)
      if (auto [known, first] = own->later.emplace(name, id->at.line); !first)
        error("E002", id->at, name.size(),
              fmt::format("`{}` is the name of the step on line {} already", name, known->second),
              "choose another name");
    names.push_back(std::move(name));
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Node& item = list.items[i];
    own->later.erase(names[i]);
    own->self = names[i];
    if (item.find("id")) {
      own->names.emplace(names[i], item.at.line);
      own->nodes.emplace(names[i], &item);
    }
    refuse_edges(*this, item, "a list runs from top to bottom", "make the list a map, or leave it out");
    std::size_t from = index_.mentions.size();
    const Member* id = item.member("id");
    std::unique_ptr<Step> child = step(item, names[i], id ? id->value.at : item.at);
    own->self.clear();
    if (!child) continue;
    check_sources(*this, item, {child.get(), from, index_.mentions.size()});
    std::size_t number = graph_step.children.size();
    graph_step.children.push_back({std::move(child), {}, {}, {}});
    GraphStep::Child& edges = graph_step.children.back();
    auto look = std::find_if(index_.mentions.begin() + static_cast<std::ptrdiff_t>(from), index_.mentions.end(),
                             [&](const Mention& mention) {
                               return mention.fallback_level < names_.levels().size() &&
                                      mention.reference.variable == "status" &&
                                      own->names.count(mention.reference.member) > 0 &&
                                      mention.reference.member != names[i];
                             });
    if (look != index_.mentions.end()) {
      for (std::size_t earlier = 0; earlier < number; ++earlier) edges.after.push_back(earlier);
      edges.reasons.push_back({number - 1, false, as_written(look->reference), look->expression.at().line});
    } else if (number > 0) {
      edges.needs.push_back(number - 1);
    }
  }
  if (inside) inside();
  graph_step.link();
}

}  // namespace flowrun
