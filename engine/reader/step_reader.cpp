// Steps and bodies as they are written: kinds, options, defaults, names, edges. Knows no kind by itself.
#include <fmt/format.h>
#include <strings.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "engine/language/json_schema.h"
#include "engine/model/hash.h"
#include "engine/reader/reading.h"
#include "engine/steps/effect.h"
#include "engine/steps/for_each.h"

namespace flowrun {
namespace {

constexpr std::size_t kMostSteps = 10000;  // flowrun-workflow(5), "Limits"
constexpr std::size_t kDeepest = 32;

std::vector<const Member*> kinds_of(const Node& node) {
  std::vector<const Member*> kinds;
  for (const Member& member : node.members)
    if (kind_bit(member.key)) kinds.push_back(&member);
  return kinds;
}

std::vector<std::string> names_of_kinds() {
  std::vector<std::string> names;
  for (const Key& key : step_keys())
    if (kind_bit(key.name)) names.emplace_back(key.name);
  return names;
}

/// The one key of a step without a kind that is nearly one; null when none is, or several are.
const Member* misspelled_kind(const Node& node) {
  const Member* found = nullptr;
  for (const Member& member : node.members) {
    if (find_key(member.key) || is_reserved(member.key) || !advice_for(member.key, 0).empty()) continue;
    if (nearest(member.key, names_of_kinds()).empty()) continue;
    if (found) return nullptr;
    found = &member;
  }
  return found;
}

/// Whether a map of `do`, `steps`... holds steps by name, although one of the names is that of a kind.
bool holds_named_steps(const Node& map) {
  bool steps = std::all_of(map.members.begin(), map.members.end(), [](const Member& member) {
    return member.value.is_map() && !kinds_of(member.value).empty();
  });
  // { set: { set: 1 }, fallback: { set: 2 } } is one step all the same.
  return steps && std::any_of(map.members.begin(), map.members.end(),
                              [](const Member& member) { return find_key(member.key) == nullptr; });
}

std::string as_written(const Reference& reference) {
  std::string text = "$" + reference.variable;
  for (const std::string* field : {&reference.member, &reference.field})
    if (!field->empty()) text += "." + *field;
  return text;
}

/// What a step does in one line, from the value of its kind's key. Groups say it by their steps.
std::string in_a_line(const Node& value, std::uint32_t kind) {
  constexpr std::size_t kLongest = 200;
  if (kind & (kParallel | kRace | kSequence | kSwitch)) return "";
  std::string line;
  if (value.is_map()) {
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

void append_node(std::string& text, const Node& node) {
  text += fmt::format("{}:{}:", static_cast<int>(node.kind), node.text.size()) + node.text;
  for (const Member& member : node.members) append_node((text += fmt::format(".{}:", member.key)), member.value);
  for (const Node& item : node.items) append_node((text += "-"), item);
}

/// A hash of what decides the result of a step: not when it runs, how often it is tried, or what happens afterwards.
std::string definition_of(const Node& node, const std::string& kind) {
  static constexpr std::array<std::string_view, 17> kElse{
      "id",       "name",     "description",       "needs", "after",   "if",    "delay", "timeout", "deadline", "retry",
      "fallback", "on_crash", "continue_on_error", "undo",  "undo_on", "limit", "leave"};
  if (!(kind_bit(kind) & (kHttp | kProcess | kWait | kSleep))) return "";
  std::string text = kind;
  for (const Member& member : node.members)
    if (std::find(kElse.begin(), kElse.end(), member.key) == kElse.end())
      append_node((text += fmt::format(".{}:", member.key)), member.value);
  return hex16(hash64(text));
}

/// Members of |more| that |node| lacks; maps of headers and variables are merged.
void merge(Node& node, const Node& more, std::uint32_t kind) {
  for (const Member& member : more.members) {
    const Key* key = find_key(member.key);
    if (key && !(key->kinds & kind)) continue;
    auto own = std::find_if(node.members.begin(), node.members.end(),
                            [&](const Member& one) { return one.key == member.key; });
    if (own == node.members.end()) {
      node.members.push_back(member);
    } else if ((member.key == "headers" || member.key == "env") && own->value.is_map() && member.value.is_map()) {
      // Names of headers are the same in any case; those of variables are not.
      const bool any_case = member.key == "headers";
      for (const Member& inner : member.value.members)
        if (std::none_of(own->value.members.begin(), own->value.members.end(), [&](const Member& one) {
              return any_case ? strcasecmp(one.key.c_str(), inner.key.c_str()) == 0 : one.key == inner.key;
            }))
          own->value.members.push_back(inner);
    }
  }
}

}  // namespace

Node Reading::with_defaults(const Node& node, const std::string& kind) {
  Node merged = node;
  std::uint32_t bit = kind_bit(kind);
  if (const Node* defaults = root_.find("defaults"); defaults && defaults->is_map()) {
    if (const Node* own = defaults->find(kind); own && own->is_map()) merge(merged, *own, bit);
    if (const Node* all = defaults->find("all"); all && all->is_map()) merge(merged, *all, bit);
  }
  if (const Node* env = root_.find("env"); env && env->is_map() && (bit & kProcess)) {
    Node wrapped;
    wrapped.kind = Node::Kind::Map;
    wrapped.members.push_back({"env", env->at, *env});
    merge(merged, wrapped, bit);
  }
  return merged;
}

void Reading::check_keys(const Node& node, const std::string& kind, bool in_list) {
  std::uint32_t bit = kind_bit(kind);
  for (const Member& member : node.members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    const Key* key = find_key(member.key);
    std::string advice = advice_for(member.key, bit);
    if (key && !(key->kinds & bit)) {
      error("E104", member.at, member.key.size(),
            fmt::format("`{}` is an option of {}, not of {}", member.key, kind_names(key->kinds), kind), advice);
    } else if (key && member.key == "id" && !in_list) {
      error("E101", member.at, 2, "`id` names a step in a list; in a map the key is its name");
    } else if (!key && is_reserved(member.key)) {
      error("E109", member.at, member.key.size(), fmt::format("`{}` is kept for a later version", member.key), advice);
    } else if (!key) {
      std::vector<std::string> names;
      for (const Key& one : step_keys())
        if (one.kinds & bit) names.push_back(one.name);
      std::string near = nearest(member.key, names);
      if (advice.empty() && !near.empty()) advice = "did you mean `" + near + "`?";
      if (advice.empty() && find_top_key(member.key)) advice = "it is a key of the file: it stands beside `steps`";
      error("E101", member.at, member.key.size(),
            fmt::format("unknown key `{}` in a step of kind {}", member.key, kind), advice);
    }
  }
}

bool Reading::count_steps(std::size_t more, Position at, std::size_t length) {
  if (steps <= kMostSteps && steps + more > kMostSteps)
    error("E008", at, length,
          fmt::format("more than {} steps{}", kMostSteps, more > 1 ? " with those of this file" : ""), "use for_each");
  steps += more;
  return steps <= kMostSteps;
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
  if (kinds.empty() && broken(node)) return nullptr;
  if (const Member* misspelled = kinds.empty() ? misspelled_kind(node) : nullptr) {
    const std::string meant = nearest(misspelled->key, names_of_kinds());
    error("E103", misspelled->at, misspelled->key.size(),
          fmt::format("step `{}` has no kind: there is no `{}`", name, misspelled->key),
          "did you mean `" + meant + "`?");
    // The rest is read as if it had been written so.
    Node corrected = node;
    corrected.members[static_cast<std::size_t>(misspelled - node.members.data())].key = meant;
    --steps;
    return step(corrected, name, name_at);
  }
  if (kinds.empty()) {
    auto later = std::find_if(node.members.begin(), node.members.end(),
                              [](const Member& member) { return is_reserved(member.key); });
    if (later != node.members.end()) {
      error("E109", later->at, later->key.size(), fmt::format("`{}` is kept for a later version", later->key),
            advice_for(later->key, 0));
      return nullptr;
    }
    std::string suggestion = "one of " + kind_names(kEvery);
    // A name as in a map, in a list.
    if (node.members.size() == 1 && name.starts_with('_') && !kinds_of(node.members.front().value).empty())
      suggestion = fmt::format("write `- id: {}`, and below it what the step does", node.members.front().key);
    for (const Member& member : node.members)
      if (std::string advice = advice_for(member.key, 0); !advice.empty())
        suggestion = "for `" + member.key + "` " + advice;
    error("E103", name_at, name.size(), fmt::format("step `{}` has no kind", name), suggestion);
    return nullptr;
  }
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
  check_keys(node, kind, in_list);
  Node merged = with_defaults(node, kind);
  std::size_t from = mentions.size();
  std::unique_ptr<LivingStep> read = read_kind(*this, merged, kind);
  if (read) {
    read->name = name;
    read->kind = kind;
    read->origin = {kinds[0]->at.line, kinds[0]->at.column};
    read->options.what = in_a_line(kinds[0]->value, kind_bit(kind));
    read_options(*read, merged);
    read->definition = definition_of(merged, kind);
    spans.push_back({read.get(), from, mentions.size()});
    if (auto* group = dynamic_cast<GroupStep*>(read.get())) groups.emplace_back(group, name);
  }
  --depth_;
  return read;
}

void Reading::read_options(LivingStep& step, const Node& node) {
  Options& options = step.options;
  if (const Node* key = node.find("if")) options.condition = condition(*key);
  if (const Node* key = node.find("delay")) options.delay = duration(*key, "delay");
  if (const Node* key = node.find("timeout")) options.timeout = duration(*key, "timeout");
  if (const Node* key = node.find("continue_on_error")) options.continue_on_error = boolean(*key, "continue_on_error");
  if (const Node* key = node.find("output")) {
    RawBinding raw(*this, node);
    options.output = value(*key);
  }
  if (const Node* key = node.find("returns")) {
    check_schema_keywords(*key, false, diagnostics);
    options.returns = key->json();
  }
  if (const Node* key = node.find("name")) options.title = plain_text(*key, "name");
  if (const Node* key = node.find("description")) options.description = plain_text(*key, "description");
  if (const Node* key = node.find("fallback")) options.fallback = fallback(*key, step.name + ".fallback", key->at);
  if (const Node* key = node.find("atomic"))
    if (std::optional<bool> atomic = plain_boolean(*key, "atomic")) {
      // Of a for_each each item is a scope of its own.
      auto* each = dynamic_cast<ForEachStep*>(&step);
      auto* body = each ? dynamic_cast<LivingStep*>(each->body.get()) : &step;
      if (body) body->options.atomic = *atomic;
    }
  read_undo(step, node);
}

std::unique_ptr<Step> Reading::fallback(const Node& node, const std::string& name, Position at) {
  no_edges(node, "a fallback runs when its step has failed", "leave it out");
  return later_step(node, name, at);
}

std::unique_ptr<Step> Reading::later_step(const Node& node, const std::string& name, Position at) {
  Binding raw(*this, {"error"});
  std::size_t outer = std::exchange(fallback_level_, levels_.size());
  std::unique_ptr<Step> read = step(node, name, at);
  fallback_level_ = outer;
  return read;
}

void Reading::read_undo(LivingStep& step, const Node& node) {
  const Member* undo = node.member("undo");
  if (const Member* when = node.member("undo_on"); when && !undo)
    error("E110", when->at, when->key.size(), "`undo_on` without `undo`", "say with `undo` what undoes this step");
  if (!undo) return;
  if (no_undo)
    return error("E303", undo->at, undo->key.size(), fmt::format("this undo can never run: {}", no_undo),
                 "leave it out");
  no_edges(undo->value, "an undo runs when its scope has failed", "leave it out");
  UndoPolicy policy;
  std::size_t from = mentions.size();
  no_undo = "what undoes a step is not undone itself";
  // It is the one place where a step may name itself.
  std::string self = levels_.empty() ? "" : std::exchange(levels_.back().self, "");
  policy.step = later_step(undo->value, step.name + ".undo", undo->value.at);
  if (!levels_.empty()) levels_.back().self = self;
  no_undo = nullptr;
  if (!policy.step) return;
  if (const Node* when = node.find("undo_on"))
    policy.on_started = word(*when, "undo_on", {"succeeded", "started"}) == "started";
  auto* effect = dynamic_cast<EffectStep*>(policy.step.get());
  if (effect && !with_defaults(undo->value, effect->kind).find("retry")) {
    // Giving up here costs more than trying: flowrun-workflow(5), "Undo".
    effect->retry.attempts = Setting<std::int64_t>(5);
    effect->retry.on = {"transient"};
    effect->retry.only_unsent = false;
  }
  std::set<std::string> names;
  auto add = [&](const Reference& reference) {
    if (names.insert(as_written(reference)).second) policy.references.push_back(reference);
  };
  for (std::size_t m = from; m < mentions.size(); ++m) {
    const Reference& reference = mentions[m].reference;
    bool of_step = reference.variable == "steps" || reference.variable == "status";
    // The run's own would be seen from a file that is a step of another.
    bool of_file = reference.variable == "input" || reference.variable == "vars" || reference.variable == "secrets";
    if (of_step ? visible(reference.member) : of_file || is_bound(reference.variable)) add(reference);
  }
  // Processes are told which item they are for.
  for (const char* name : {"item", "index", "key"})
    if (is_bound(name)) add({name, "", ""});
  step.options.undo = std::move(policy);
}

void Reading::no_edges(const Node& node, const char* why, const char* suggestion) {
  for (const char* key : {"needs", "after"})
    if (const Member* member = node.member(key))
      error("E304", member->at, 5, fmt::format("`{}` has no place here: {}", key, why), suggestion);
}

void Reading::must_exist(const Node& node, const std::string& path, const char* code) {
  if (path.empty() || path.find("${") != std::string::npos) return;
  struct stat status {};
  std::string whole = path[0] == '/' ? path : folder + "/" + path;
  if (stat(whole.c_str(), &status) != 0)
    error(code, node.at, node.text.size(), fmt::format("there is no file {}", whole));
}

std::unique_ptr<GraphStep> Reading::body(const Node& node, const char* what, const std::function<void()>& inside) {
  auto graph_step = std::make_unique<GraphStep>();
  graph_step->origin = {node.at.line, node.at.column};
  graph_step->inherited = nearest_fail_fast;
  if (node.is_list()) {
    sequence(*graph_step, node, inside);
  } else if (node.is_map() && !kinds_of(node).empty() && !holds_named_steps(node)) {
    graph_step->form = GraphStep::Form::Single;
    no_edges(node, "the step stands by itself", "name it and its siblings in a map, or leave it out");
    levels_.emplace_back();
    if (auto child = step(node, "_1", kinds_of(node).front()->at)) add_child(*graph_step, std::move(child));
    if (inside) inside();
    levels_.pop_back();
    graph_step->link();
  } else if (node.is_map()) {
    graph(*graph_step, node, inside);
  } else {
    error("E102", node.at, node.text.size(),
          fmt::format("`{}` must be a map of steps, a list of steps, or one step, not {}", what, node.kind_name()));
  }
  groups.emplace_back(graph_step.get(), "");
  return graph_step;
}

void Reading::graph(GraphStep& graph_step, const Node& map, const std::function<void()>& inside) {
  graph_step.form = GraphStep::Form::Map;
  if (!is(map, Node::Kind::Map, "steps", "a map of names to steps")) return;
  std::vector<const Member*> members;
  for (const Member& member : map.members)
    if (member.key.rfind("x-", 0) != 0) members.push_back(&member);
  if (members.empty()) error("E102", map.at, 1, "there is no step in it", "for example { a: { shell: make } }");
  Level level;
  for (const Member* member : members) {
    check_name(member->key, member->at, "a step");
    if (visible(member->key)) {
      int line = 0;
      for (const Level& outer : levels_)
        if (auto known = outer.names.find(member->key); known != outer.names.end()) line = known->second;
      error("E206", member->at, member->key.size(),
            fmt::format("`{}` hides the step of that name on line {}", member->key, line), "choose another name");
    }
    level.names.emplace(member->key, member->at.line);
    level.nodes.emplace(member->key, &member->value);
  }
  levels_.push_back(std::move(level));
  std::size_t own = levels_.size() - 1;
  struct Read {
    const Node* node;
    std::size_t from, to;  ///< of mentions: what it says anywhere inside it
  };
  std::vector<Read> read;
  for (const Member* member : members) {
    levels_[own].self = member->key;
    std::size_t from = mentions.size();
    if (auto child = step(member->value, member->key, member->at)) {
      add_child(graph_step, std::move(child));
      read.push_back({&member->value, from, mentions.size()});
    }
    levels_[own].self.clear();
  }
  graph_step.link();
  for (std::size_t i = 0; i < read.size(); ++i) {
    inferred_edges(graph_step, i, read[i].from, read[i].to);
    written_edges(graph_step, i, *read[i].node);
    check_sources(*read[i].node, read[i].from, read[i].to);
  }
  if (inside) inside();
  levels_.pop_back();
  graph_step.link();
  check_cycles(graph_step);
}

void Reading::check_sources(const Node& node, std::size_t from, std::size_t to) {
  for (const char* key : {"if", "fallback", "continue_on_error"})
    if (node.find(key)) return;
  for (const Member* kind : kinds_of(node))
    if (!(kind_bit(kind->key) & (kHttp | kProcess | kWait | kSet | kFail))) return;
  for (std::size_t m = from; m < to; ++m) {
    const Mention& mention = mentions[m];
    const Use* path = mention.expression.plain_path();
    if (mention.place != Mention::Place::Text || mention.fallback_level > 0 || !path ||
        path->reference.variable != "steps")
      continue;
    auto source = levels_.back().nodes.find(path->reference.member);
    const Node* condition = source == levels_.back().nodes.end() ? nullptr : source->second->find("if");
    if (condition && condition->kind == Node::Kind::Boolean && !condition->json().get<bool>())
      error("E303", path->at, path->length,
            fmt::format("this can never be text: step `{}` never runs (`if: false`), and its output is null",
                        path->reference.member),
            "use `// \"default\"`, or give this step an `if`, too");
  }
}

void Reading::inferred_edges(GraphStep& graph_step, std::size_t i, std::size_t from, std::size_t to) {
  GraphStep::Child& child = graph_step.children[i];
  auto has = [](const std::vector<std::size_t>& edges, std::size_t other) {
    return std::find(edges.begin(), edges.end(), other) != edges.end();
  };
  std::vector<std::size_t> observed;
  for (std::size_t m = from; m < to; ++m) {
    const Mention& mention = mentions[m];
    bool needs = mention.reference.variable == "steps";
    if (mention.fallback_level >= levels_.size() || (!needs && mention.reference.variable != "status")) continue;
    auto sibling = graph_step.find(mention.reference.member);
    if (!sibling || *sibling == i || has(needs ? child.needs : observed, *sibling)) continue;
    (needs ? child.needs : observed).push_back(*sibling);
    child.reasons.push_back({*sibling, needs, as_written(mention.reference), mention.expression.at().line});
  }
  for (std::size_t sibling : observed)
    if (!has(child.needs, sibling)) child.after.push_back(sibling);
  std::erase_if(child.reasons,
                [&](const GraphStep::Reason& reason) { return !reason.success && has(child.needs, reason.on); });
}

void Reading::written_edges(GraphStep& graph_step, std::size_t i, const Node& node) {
  GraphStep::Child& child = graph_step.children[i];
  for (const char* key : {"needs", "after"}) {
    const Node* written = node.find(key);
    if (!written) continue;
    std::vector<const Node*> names;
    if (written->is_list()) {
      for (const Node& item : written->items) names.push_back(&item);
    } else if (written->is_string()) {
      names.push_back(written);
    } else {
      error("E102", written->at, written->text.size(), fmt::format("`{}` must be a list of names of steps", key));
    }
    for (const Node* name : names) {
      if (name->text.find("${") != std::string::npos) {
        error("E210", name->at, name->text.size(), fmt::format("no expression is evaluated in `{}`", key),
              "write the name of the step");
        continue;
      }
      auto sibling = graph_step.find(name->text);
      if (!sibling) {
        // A sibling that could not be read has been complained of.
        const std::map<std::string, int>& known = levels_.back().names;
        if (known.count(name->text)) continue;
        std::vector<std::string> siblings;
        for (const auto& [sibling_name, line] : known) siblings.push_back(sibling_name);
        std::string suggestion;
        if (visible(name->text)) {
          suggestion = "it stands further out: give `needs` to the group around this step";
        } else if (std::optional<Place> place = where_is(name->text)) {
          suggestion = fmt::format("it exists, but inside `{}`; name that", place->groups);
        } else if (std::string near = nearest(name->text, siblings); !near.empty()) {
          suggestion = fmt::format("did you mean `{}` (line {})?", near, known.at(near));
        }
        error("E203", name->at, name->text.size(), fmt::format("no step `{}` beside this one", name->text), suggestion);
      } else if (*sibling == i) {
        error("E302", name->at, name->text.size(), fmt::format("step `{}` can not wait for itself", name->text));
      } else {
        bool needs = std::string(key) == "needs";
        auto& edges = needs ? child.needs : child.after;
        auto in = [&](const std::vector<std::size_t>& some) {
          return std::find(some.begin(), some.end(), *sibling) != some.end();
        };
        if (in(edges) || in(child.needs)) implied_edges.push_back(name->at);
        if (in(edges)) continue;
        edges.push_back(*sibling);
        child.reasons.push_back({*sibling, needs, key, name->at.line});
      }
    }
  }
}

void Reading::check_cycles(const GraphStep& graph_step) {
  enum class Seen { Not, Open, Done };
  std::vector<Seen> seen(graph_step.children.size(), Seen::Not);
  std::vector<std::size_t> path;
  // An own stack: ten thousand steps may stand in one line.
  struct Visit {
    std::size_t child, edge;
  };
  for (std::size_t start = 0; start < seen.size(); ++start) {
    std::vector<Visit> stack;
    if (seen[start] == Seen::Not) stack.push_back({start, 0});
    while (!stack.empty()) {
      Visit& visit = stack.back();
      const GraphStep::Child& child = graph_step.children[visit.child];
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
          const Step& one = *graph_step.children[it->child].step;
          text += fmt::format("{} (line {}) waits for ", one.name, one.origin.line);
        }
        const Step& first = *graph_step.children[next].step;
        error("E301", {first.origin.line, first.origin.column}, first.kind.size(),
              fmt::format("a cycle: {}{}", text, first.name));
        return;
      }
    }
  }
}

void Reading::sequence(GraphStep& graph_step, const Node& list, const std::function<void()>& inside) {
  graph_step.form = GraphStep::Form::List;
  if (!is(list, Node::Kind::List, "sequence", "a list of steps")) return;
  if (list.items.empty()) error("E102", list.at, 1, "there is no step in it", "for example [{ shell: make }]");
  levels_.emplace_back();
  std::size_t own = levels_.size() - 1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Node& item = list.items[i];
    const Node* id = item.find("id");
    std::string name = id ? this->name(*id, "id") : fmt::format("_{}", i + 1);
    if (id && visible(name))
      error("E206", id->at, name.size(), fmt::format("`{}` hides a step of that name", name), "choose another name");
    if (id)
      if (auto [known, first] = levels_[own].later.emplace(name, id->at.line); !first)
        error("E002", id->at, name.size(),
              fmt::format("`{}` is the name of the step on line {} already", name, known->second),
              "choose another name");
    names.push_back(std::move(name));
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Node& item = list.items[i];
    levels_[own].later.erase(names[i]);
    levels_[own].self = names[i];
    if (item.find("id")) {
      levels_[own].names.emplace(names[i], item.at.line);
      levels_[own].nodes.emplace(names[i], &item);
    }
    no_edges(item, "a list runs from top to bottom", "make the list a map, or leave it out");
    std::size_t from = mentions.size();
    const Member* id = item.member("id");
    std::unique_ptr<Step> child = step(item, names[i], id ? id->value.at : item.at);
    levels_[own].self.clear();
    if (!child) continue;
    check_sources(item, from, mentions.size());
    std::size_t number = graph_step.children.size();
    add_child(graph_step, std::move(child));
    GraphStep::Child& edges = graph_step.children.back();
    auto look =
        std::find_if(mentions.begin() + static_cast<std::ptrdiff_t>(from), mentions.end(), [&](const Mention& mention) {
          return mention.fallback_level < levels_.size() && mention.reference.variable == "status" &&
                 levels_[own].names.count(mention.reference.member) > 0 && mention.reference.member != names[i];
        });
    if (look != mentions.end()) {
      for (std::size_t earlier = 0; earlier < number; ++earlier) edges.after.push_back(earlier);
      edges.reasons.push_back({number - 1, false, as_written(look->reference), look->expression.at().line});
    } else if (number > 0) {
      edges.needs.push_back(number - 1);
    }
  }
  if (inside) inside();
  levels_.pop_back();
  graph_step.link();
}

}  // namespace flowrun
