#include "engine/reader/edges.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace flowrun {

std::string as_written(const Reference& reference) {
  std::string text = "$" + reference.variable;
  for (const std::string* field : {&reference.member, &reference.field})
    if (!field->empty()) text += "." + *field;
  return text;
}

void refuse_edges(FileDiagnostics& findings, const Node& node, const char* why, const char* suggestion) {
  for (const char* key : {"needs", "after"})
    if (const Member* member = node.member(key))
      findings.error("E304", member->at, 5, fmt::format("`{}` has no place here: {}", key, why), suggestion);
}

void Edges::infer(std::size_t i, const MentionSpan& span) {
  GraphStep::Child& child = graph_.children[i];
  auto has = [](const std::vector<std::size_t>& edges, std::size_t other) {
    return std::find(edges.begin(), edges.end(), other) != edges.end();
  };
  std::vector<std::size_t> observed;
  for (std::size_t m = span.from; m < span.to; ++m) {
    const Mention& mention = index_.mentions[m];
    bool needs = mention.reference.variable == "steps";
    if (mention.fallback_level >= names_.levels().size() || (!needs && mention.reference.variable != "status"))
      continue;
    auto sibling = graph_.find(mention.reference.member);
    if (!sibling || *sibling == i || has(needs ? child.needs : observed, *sibling)) continue;
    (needs ? child.needs : observed).push_back(*sibling);
    child.reasons.push_back({*sibling, needs, as_written(mention.reference), mention.expression.at().line});
  }
  for (std::size_t sibling : observed)
    if (!has(child.needs, sibling)) child.after.push_back(sibling);
  std::erase_if(child.reasons,
                [&](const GraphStep::Reason& reason) { return !reason.success && has(child.needs, reason.on); });
}

void Edges::read(std::size_t i, const Node& node) {
  GraphStep::Child& child = graph_.children[i];
  for (const char* key : {"needs", "after"}) {
    const Node* written = node.find(key);
    if (!written) continue;
    std::vector<const Node*> names;
    if (written->is_list()) {
      for (const Node& item : written->items) names.push_back(&item);
    } else if (written->is_string()) {
      names.push_back(written);
    } else {
      findings_.error("E102", written->at, written->text.size(),
                      fmt::format("`{}` must be a list of names of steps", key),
                      fmt::format("for example {}: [fetch]", key));
    }
    for (const Node* name : names) {
      if (name->text.find("${") != std::string::npos) {
        findings_.error("E210", name->at, name->text.size(), fmt::format("no expression is evaluated in `{}`", key),
                        "write the name of the step");
        continue;
      }
      auto sibling = graph_.find(name->text);
      if (!sibling) {
        no_sibling(*name);
      } else if (*sibling == i) {
        findings_.error("E302", name->at, name->text.size(),
                        fmt::format("step `{}` can not wait for itself", name->text), "leave it out");
      } else {
        bool needs = std::string(key) == "needs";
        auto& edges = needs ? child.needs : child.after;
        auto in = [&](const std::vector<std::size_t>& some) {
          return std::find(some.begin(), some.end(), *sibling) != some.end();
        };
        if (in(edges) || in(child.needs)) index_.implied_edges.push_back(name->at);
        if (in(edges)) continue;
        edges.push_back(*sibling);
        child.reasons.push_back({*sibling, needs, key, name->at.line});
      }
    }
  }
}

/// Tells that no step beside this one is called |name|.
void Edges::no_sibling(const Node& name) {
  // A sibling that could not be read has its own finding.
  const std::map<std::string, int>& known = names_.levels().back().names;
  if (known.count(name.text)) return;
  std::vector<std::string> siblings;
  for (const auto& [sibling_name, line] : known) siblings.push_back(sibling_name);
  std::string suggestion;
  if (names_.visible(name.text)) {
    suggestion = "it stands further out: give `needs` to the group around this step";
  } else if (std::optional<NamesInScope::Inside> place = names_.where_is(name.text)) {
    suggestion = fmt::format("it exists, but inside `{}`; name that", place->groups);
  } else if (std::string near = nearest(name.text, siblings); !near.empty()) {
    suggestion = fmt::format("did you mean `{}` (line {})?", near, known.at(near));
  }
  findings_.error("E203", name.at, name.text.size(), fmt::format("no step `{}` beside this one", name.text),
                  suggestion);
}

void Edges::check_cycles() {
  enum class Seen { Not, Open, Done };
  std::vector<Seen> seen(graph_.children.size(), Seen::Not);
  std::vector<std::size_t> path;
  // The stack is a vector, because ten thousand steps may wait for each other in one line.
  struct Visit {
    std::size_t child, edge;
  };
  for (std::size_t start = 0; start < seen.size(); ++start) {
    std::vector<Visit> stack;
    if (seen[start] == Seen::Not) stack.push_back({start, 0});
    while (!stack.empty()) {
      Visit& visit = stack.back();
      const GraphStep::Child& child = graph_.children[visit.child];
      seen[visit.child] = Seen::Open;
      if (visit.edge == child.needs.size() + child.after.size()) {
        seen[visit.child] = Seen::Done;
        stack.pop_back();
        continue;
      }
      std::size_t next =
          visit.edge < child.needs.size() ? child.needs[visit.edge] : child.after[visit.edge - child.needs.size()];
      ++visit.edge;
      if (seen[next] == Seen::Not) {
        stack.push_back({next, 0});
      } else if (seen[next] == Seen::Open) {
        std::string text;
        auto from = std::find_if(stack.begin(), stack.end(), [&](const Visit& one) { return one.child == next; });
        for (auto it = from; it != stack.end(); ++it) {
          const Step& one = *graph_.children[it->child].step;
          text += fmt::format("{} (line {}) waits for ", one.name, one.origin.line);
        }
        const Step& first = *graph_.children[next].step;
        findings_.error("E301", {first.origin.line, first.origin.column}, first.kind.size(),
                        fmt::format("a cycle: {}{}", text, first.name),
                        "one of them has to begin, so it can use nothing of the others");
        return;
      }
    }
  }
}

}  // namespace flowrun
