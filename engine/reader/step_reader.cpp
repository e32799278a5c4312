// A step as it is written: its kind, and the options around that. Knows no kind by itself.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/language/keys.h"
#include "engine/language/other_words.h"
#include "engine/model/hash.h"
#include "engine/reader/options.h"
#include "engine/reader/readers.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostSteps = 10000;  // flowrun-workflow(5), "Limits"
constexpr std::size_t kDeepest = 32;

/// The one key of a step without a kind that is nearly one; null when none is, or several are.
const Member* misspelled_kind(const Node& node) {
  const Member* found = nullptr;
  for (const Member& member : node.members) {
    if (find_key(member.key) || is_reserved(member.key) || !advice_for(member.key, 0).empty()) continue;
    if (nearest(member.key, all_kinds()).empty()) continue;
    if (found) return nullptr;
    found = &member;
  }
  return found;
}

/// What a step does in one line, from the value of its kind's key. Empty for groups: their steps show it.
std::string in_a_line(const Node& value, std::uint32_t kind) {
  constexpr std::size_t kLongest = 200;
  if (kind & kinds_with(kHoldsSteps)) return "";
  std::string line;
  if (value.is_map() && (kind & kFail)) {
    const Node* said = value.find("message");
    if (!said) said = value.find("type");
    line = said ? said->text : "";
  } else if (value.is_map()) {
    for (const Member& member : value.members) {
      if (line.size() > kLongest) break;
      line += (line.empty() ? "" : ", ") + member.key;
    }
    line = "{" + line + "}";
  } else if (value.is_list() && !(kind & kExec)) {
    line = fmt::format("{} {}", value.items.size(), value.items.size() == 1 ? "item" : "items");
  } else if (value.is_list()) {
    for (const Node& item : value.items) {
      if (line.size() > kLongest) break;
      line += (line.empty() ? "" : " ") + item.text;
    }
  } else {
    line = value.text;
  }
  std::size_t first = line.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  std::size_t end = std::min(line.find('\n', first), line.find_last_not_of(" \t\r\n") + 1);
  bool more = line.find_first_not_of(" \t\r\n", end) != std::string::npos;
  line = line.substr(first, end - first);
  if (line.size() > kLongest) {
    line.resize(whole_characters(line, kLongest));
    more = true;
  }
  return more ? line + " ..." : line;
}

}  // namespace

Reading::Reading(Diagnostics& diagnostics, const Node& root, std::string folder, SubWorkflow sub_workflow)
    : FileDiagnostics(diagnostics, std::move(folder)),
      root_(root),
      sub_workflow_(std::move(sub_workflow)),
      names_(root),
      uses_(*this, names_, index_, context_),
      values_(*this, uses_, index_, context_) {}

std::vector<const Member*> kinds_of(const Node& node) {
  std::vector<const Member*> kinds;
  for (const Member& member : node.members) {
    const std::uint32_t bit = kind_bit(member.key);
    // In a file that is older than the kind it is the name of a step.
    const bool name = (bit & kinds_with(kNamesToo)) && member.value.is_map() && !kinds_of(member.value).empty();
    if (bit && !name) kinds.push_back(&member);
  }
  return kinds;
}

bool Reading::count_steps(std::size_t more, Position at, std::size_t length) {
  if (index_.steps <= kMostSteps && index_.steps + more > kMostSteps)
    error("E008", at, length,
          fmt::format("more than {} steps{}", kMostSteps, more > 1 ? " with those of this file" : ""), "use for_each");
  index_.steps += more;
  return index_.steps <= kMostSteps;
}

std::unique_ptr<Step> Reading::step(const Node& node, const std::string& name, Position name_at) {
  if (!count_steps(1, name_at, name.size())) return nullptr;
  if (!node.is_map()) {
    error("E102", node.at, node.text.size(),
          fmt::format("step `{}` must be a map with a kind, not {}", name, node.kind_name()),
          "for example { shell: make }");
    return nullptr;
  }
  std::vector<const Member*> kinds = kinds_of(node);
  if (kinds.empty()) return step_without_kind(node, name, name_at);
  if (kinds.size() > 1) {
    error("E103", kinds[1]->at, kinds[1]->key.size(),
          fmt::format("step `{}` has two kinds, `{}` and `{}`", name, kinds[0]->key, kinds[1]->key),
          "make two steps of it");
    return nullptr;
  }
  if (++depth_ > kDeepest) {
    if (depth_ == kDeepest + 1)
      error("E008", name_at, name.size(), fmt::format("steps are nested more than {} deep", kDeepest));
    --depth_;
    return nullptr;
  }
  const std::string& kind = kinds[0]->key;
  const Node* id = node.find("id");
  bool in_list = id && id->at.line == name_at.line && id->at.column == name_at.column;
  check_keys(*this, node, kind, in_list);
  Node merged = with_defaults(root_, node, kind);
  std::size_t from = index_.mentions.size();
  // Of the fallback itself, and of its own fallback: what is within it sees only what can come from within.
  const std::size_t raised_from = std::exchange(context_.raised_from, std::nullopt).value_or(index_.raised.size());
  std::unique_ptr<CommonStep> read = read_kind(*this, merged, kind);
  if (read) {
    read->name = name;
    read->kind = kind;
    read->origin = {kinds[0]->at.line, kinds[0]->at.column};
    read->options.what = in_a_line(kinds[0]->value, kind_bit(kind));
    read_options(*this, *read, merged, raised_from);
    read->definition = definition_of(merged, kind);
    index_.spans.push_back({read.get(), from, index_.mentions.size()});
    if (auto* group = dynamic_cast<GroupSettings*>(read.get())) index_.groups.emplace_back(group, name);
  }
  --depth_;
  return read;
}

/// Says what was meant, as far as it can be seen.
std::unique_ptr<Step> Reading::step_without_kind(const Node& node, const std::string& name, Position name_at) {
  if (broken(node)) return nullptr;
  if (const Member* misspelled = misspelled_kind(node)) {
    const std::string near = nearest(misspelled->key, all_kinds());
    error("E103", misspelled->at, misspelled->key.size(),
          fmt::format("step `{}` has no kind: there is no `{}`", name, misspelled->key),
          "did you mean `" + near + "`?");
    // The rest is read as if the kind had been written right.
    Node corrected = node;
    corrected.members[static_cast<std::size_t>(misspelled - node.members.data())].key = near;
    --index_.steps;
    return step(corrected, name, name_at);
  }
  auto later = std::find_if(node.members.begin(), node.members.end(),
                            [](const Member& member) { return is_reserved(member.key); });
  if (later != node.members.end()) {
    error("E109", later->at, later->key.size(), fmt::format("`{}` is kept for a later version", later->key),
          advice_for(later->key, 0));
    return nullptr;
  }
  std::string suggestion = "one of " + kind_names(kEvery);
  // In a list a name was put before the step, as in a map.
  if (node.members.size() == 1 && name.starts_with('_') && !kinds_of(node.members.front().value).empty())
    suggestion = fmt::format("write `- id: {}`, and below it what the step does", node.members.front().key);
  for (const Member& member : node.members)
    if (std::string advice = advice_for(member.key, 0); !advice.empty())
      suggestion = "for `" + member.key + "` " + advice;
  error("E103", name_at, name.size(), fmt::format("step `{}` has no kind", name), suggestion);
  return nullptr;
}

}  // namespace flowrun
