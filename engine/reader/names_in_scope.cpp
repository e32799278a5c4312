#include "engine/reader/names_in_scope.h"

#include <algorithm>
#include <utility>

#include "engine/language/keys.h"

namespace flowrun {
namespace {

using Inside = NamesInScope::Inside;

std::optional<Inside> in_body(const Node& body, const std::string& name, const Inside& around);

/// Looks for the step |name| below a step that |around| describes.
std::optional<Inside> in_step(const Node& step, const std::string& name, Inside around) {
  for (const char* key : {"parallel", "race", "sequence", "do"})
    if (const Node* body = step.find(key))
      if (auto found = in_body(*body, name, around)) return found;
  const Node* ways = step.find("switch");
  if (!ways) return std::nullopt;
  around.of_switch = true;
  for (const Node& way : ways->items)
    for (const char* key : {"do", "else"})
      if (const Node* body = way.find(key))
        if (auto found = in_body(*body, name, around)) return found;
  return std::nullopt;
}

std::optional<Inside> in_body(const Node& body, const std::string& name, const Inside& around) {
  auto look = [&](const std::string& own, const Node& step) -> std::optional<Inside> {
    if (own == name && !around.groups.empty()) return around;
    Inside below = around;
    below.innermost = own;
    below.groups += (around.groups.empty() ? "" : ".") + own;
    below.of_switch = false;
    return in_step(step, name, below);
  };
  bool single = std::any_of(body.members.begin(), body.members.end(),
                            [](const Member& member) { return kind_bit(member.key) != 0; });
  if (single) return in_step(body, name, around);
  for (const Member& member : body.members)
    if (auto found = look(member.key, member.value)) return found;
  for (const Node& item : body.items) {
    const Node* id = item.find("id");
    if (auto found = id ? look(id->text, item) : in_step(item, name, around)) return found;
  }
  return std::nullopt;
}

}  // namespace

NamesInScope::SelfInSight::SelfInSight(NamesInScope& names)
    : level_(names.levels_.empty() ? nullptr : &names.levels_.back()) {
  if (level_) self_ = std::exchange(level_->self, "");
}

NamesInScope::SelfInSight::~SelfInSight() {
  if (level_) level_->self = self_;
}

bool NamesInScope::is_bound(const std::string& name) const {
  return std::find(bound_.begin(), bound_.end(), name) != bound_.end();
}

bool NamesInScope::visible(const std::string& name) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& level) { return level.names.count(name) > 0; });
}

std::vector<std::string> NamesInScope::visible_names() const {
  std::vector<std::string> names;
  for (const Level& level : levels_)
    for (const auto& [known, line] : level.names) names.push_back(known);
  return names;
}

const Node* NamesInScope::node_of(const std::string& name) const {
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level)
    if (auto step = level->nodes.find(name); step != level->nodes.end()) return step->second;
  return nullptr;
}

bool NamesInScope::is_around(const std::string& name) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& level) { return level.self == name; });
}

std::optional<NamesInScope::Inside> NamesInScope::where_is(const std::string& name) const {
  const Node* steps_node = root_.find("steps");
  return steps_node ? in_body(*steps_node, name, {}) : std::nullopt;
}

}  // namespace flowrun
