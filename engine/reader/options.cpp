#include "engine/reader/options.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/language/json_schema.h"
#include "engine/language/keys.h"
#include "engine/language/other_words.h"
#include "engine/model/hash.h"
#include "engine/reader/edges.h"
#include "engine/reader/readers.h"
#include "engine/reader/secret_output.h"
#include "engine/steps/effect.h"
#include "engine/steps/for_each.h"

namespace flowrun {
namespace {

void append_node(std::string& text, const Node& node) {
  text += fmt::format("{}:{}:", static_cast<int>(node.kind), node.text.size()) + node.text;
  for (const Member& member : node.members) append_node((text += fmt::format(".{}:", member.key)), member.value);
  for (const Node& item : node.items) append_node((text += "-"), item);
}

/// Adds the members of |more| that |node| lacks; merges maps of headers and variables.
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

/// Reads a fallback or an undo. It runs later than the step that it belongs to, if at all, so it makes no edges.
std::unique_ptr<Step> later_step(Reading& reading, const Node& node, const std::string& name) {
  NamesInScope::Binding error(reading.names(), {"error"});
  Reading::Within later(reading,
                        [&](ReadingContext& context) { context.fallback_level = reading.names().levels().size(); });
  return reading.step(node, name, node.at);
}

void read_undo(Reading& reading, CommonStep& step, const Node& node) {
  const Member* undo = node.member("undo");
  if (const Member* when = node.member("undo_on"); when && !undo)
    reading.error("E110", when->at, when->key.size(), "`undo_on` without `undo`",
                  "say with `undo` what undoes this step");
  if (!undo) return;
  if (const char* no_undo = reading.context().no_undo)
    return reading.error("E303", undo->at, undo->key.size(), fmt::format("this undo can never run: {}", no_undo),
                         "leave it out");
  refuse_edges(reading, undo->value, "an undo runs when its scope has failed", "leave it out");
  UndoPolicy policy;
  const FileIndex& index = reading.index();
  std::size_t from = index.mentions.size();
  {
    Reading::Within undo_itself(
        reading, [](ReadingContext& context) { context.no_undo = "what undoes a step is not undone itself"; });
    // An undo is the one place where a step may name itself.
    NamesInScope::SelfInSight self(reading.names());
    policy.step = later_step(reading, undo->value, step.name + ".undo");
  }
  if (!policy.step) return;
  if (const Node* when = node.find("undo_on"))
    policy.on_started = reading.values().word(*when, "undo_on", {"succeeded", "started"}) == "started";
  auto* settings = dynamic_cast<RetrySettings*>(policy.step.get());
  if (settings && dynamic_cast<Effect*>(policy.step.get()) &&
      !with_defaults(reading.root(), undo->value, policy.step->kind).find("retry")) {
    // Giving up here costs more than trying: flowrun-workflow(5), "Undo".
    settings->retry.attempts = Setting<std::int64_t>(5);
    settings->retry.on = {"transient"};
    settings->retry.only_unsent = false;
  }
  const NamesInScope& in_scope = reading.names();
  std::set<std::string> names;
  auto add = [&](const Reference& reference) {
    // What is kept is for all that name it, whatever each of them looks at.
    if (names.insert(as_written(reference)).second) policy.references.emplace_back(reference).sight = nullptr;
  };
  for (std::size_t m = from; m < index.mentions.size(); ++m) {
    const Reference& reference = index.mentions[m].reference;
    bool of_step = reference.variable == "steps" || reference.variable == "status";
    // `$run` is left out: a file that is a step of another would see the run's own.
    bool of_file = reference.variable == "input" || reference.variable == "vars" || reference.variable == "secrets";
    if (of_step ? in_scope.visible(reference.member) : of_file || in_scope.is_bound(reference.variable)) add(reference);
  }
  // Processes are told which item they are for.
  for (const char* name : {"item", "index", "key"})
    if (in_scope.is_bound(name)) add({name, "", ""});
  step.options.undo = std::move(policy);
}

}  // namespace

std::string definition_of(const Node& node, const std::string& kind) {
  static constexpr std::array<std::string_view, 22> kElse{"id",
                                                          "name",
                                                          "description",
                                                          "needs",
                                                          "after",
                                                          "if",
                                                          "delay",
                                                          "timeout",
                                                          "deadline",
                                                          "retry",
                                                          "fallback",
                                                          "on_crash",
                                                          "continue_on_error",
                                                          "undo",
                                                          "undo_on",
                                                          "limit",
                                                          "leave",
                                                          "weight",
                                                          "memo",
                                                          "memo_unsafe",
                                                          "reads",
                                                          "writes"};
  if (!(kind_bit(kind) & kinds_with(kReusable))) return "";
  std::string text = kind;
  for (const Member& member : node.members)
    if (std::find(kElse.begin(), kElse.end(), member.key) == kElse.end())
      append_node((text += fmt::format(".{}:", member.key)), member.value);
  return hex16(hash64(text));
}

Node with_defaults(const Node& root, const Node& step, const std::string& kind) {
  Node merged = step;
  std::uint32_t bit = kind_bit(kind);
  if (const Node* defaults = root.find("defaults"); defaults && defaults->is_map()) {
    if (const Node* own = defaults->find(kind); own && own->is_map()) merge(merged, *own, bit);
    if (const Node* all = defaults->find("all"); all && all->is_map()) merge(merged, *all, bit);
  }
  if (const Node* env = root.find("env"); env && env->is_map() && (bit & kProcess)) {
    Node wrapped;
    wrapped.kind = Node::Kind::Map;
    wrapped.members.push_back({"env", env->at, *env});
    merge(merged, wrapped, bit);
  }
  return merged;
}

void check_keys(FileDiagnostics& findings, const Node& node, const std::string& kind, bool in_list) {
  std::uint32_t bit = kind_bit(kind);
  for (const Member& member : node.members) {
    if (member.key.rfind("x-", 0) == 0) continue;
    const Key* key = find_key(member.key);
    std::string advice = advice_for(member.key, bit);
    if (key && !(key->kinds & bit)) {
      findings.error("E104", member.at, member.key.size(),
                     fmt::format("`{}` is an option of {}, not of {}", member.key, kind_names(key->kinds), kind),
                     advice);
    } else if (key && member.key == "on") {
      findings.error("E101", member.at, 2, "`on` says for which errors a fallback is, and stands within it",
                     "write fallback: { on: [timeout], ... }, or retry: { on: [timeout] }");
    } else if (key && member.key == "id" && !in_list) {
      findings.error("E101", member.at, 2, "`id` names a step in a list; in a map the key is its name", "leave it out");
    } else if (!key && is_reserved(member.key)) {
      findings.error("E109", member.at, member.key.size(), fmt::format("`{}` is kept for a later version", member.key),
                     advice.empty() ? "leave it out" : advice);
    } else if (!key) {
      std::vector<std::string> names;
      for (const Key& one : step_keys())
        if (one.kinds & bit) names.push_back(one.name);
      std::string near = nearest(member.key, names);
      if (advice.empty() && !near.empty()) advice = "did you mean `" + near + "`?";
      if (advice.empty() && find_top_key(member.key)) advice = "it is a key of the file: it stands beside `steps`";
      findings.error("E101", member.at, member.key.size(),
                     fmt::format("unknown key `{}` in a step of kind {}", member.key, kind), advice);
    }
  }
}

void read_options(Reading& reading, CommonStep& step, const Node& node, std::size_t raised_from) {
  Options& options = step.options;
  if (const Node* key = node.find("if")) options.condition = reading.values().condition(*key);
  if (const Node* key = node.find("delay")) options.delay = reading.values().duration(*key, "delay");
  if (const Node* key = node.find("timeout")) options.timeout = reading.values().duration(*key, "timeout");
  if (const Node* key = node.find("continue_on_error"))
    options.continue_on_error = reading.values().boolean(*key, "continue_on_error");
  if (const Node* key = node.find("output")) {
    RawBinding raw(reading, node);
    options.output = reading.values().value(*key);
  }
  if (const Node* key = node.find("returns")) {
    check_schema_keywords(*key, false, reading.diagnostics());
    options.returns = key->json();
  }
  if (const Node* key = node.find("name")) options.title = reading.values().plain_text(*key, "name");
  if (const Node* key = node.find("description"))
    options.description = reading.values().plain_text(*key, "description");
  if (const Node* key = node.find("fallback")) {
    refuse_edges(reading, *key, "a fallback runs when its step has failed", "leave it out");
    Node fallback = *key;
    if (const Node* on = key->find("on")) {
      options.fallback_on = read_error_types(reading, *on, caught_types(), raised_from);
      if (options.fallback_on.empty())
        reading.error("E102", on->at, 1, "`on` is empty, so it is for no error", "leave it out");
    }
    std::erase_if(fallback.members, [](const Member& member) { return member.key == "on"; });
    Reading::Within of_the_same(reading, [&](ReadingContext& context) { context.raised_from = raised_from; });
    options.fallback = later_step(reading, fallback, step.name + ".fallback");
  }
  if (const Node* key = node.find("atomic"))
    if (std::optional<bool> atomic = reading.values().plain_boolean(*key, "atomic")) {
      // Each item of a for_each is a scope of its own.
      auto* each = dynamic_cast<ForEachStep*>(&step);
      auto* body = each ? dynamic_cast<CommonStep*>(each->body.get()) : &step;
      if (body) body->options.atomic = *atomic;
    }
  read_undo(reading, step, node);
  read_secret_output(reading, step, node);
}

}  // namespace flowrun
