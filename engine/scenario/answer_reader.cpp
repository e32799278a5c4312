#include "engine/scenario/answer_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/scenario/scenario_keys.h"

namespace flowrun {
namespace {

constexpr const char* kExample = "for example { status: 200, body: {} }, { exit: 1 }, { value: 5 }, { error: connect }";

/// What an attempt itself may fail with; all else follows from what it brings.
const std::vector<std::string> kErrors{"connect", "dns", "tls", "timeout", "parse", "spawn", "killed"};

}  // namespace

/// The keys of which one says what kind of answer it is, the first of those that are there.
struct AnswerReader::Kind {
  const char* key;
  ScriptedAnswer::Kind kind;
  std::vector<std::string> with;  ///< other keys that go along
};

const std::vector<AnswerReader::Kind>& AnswerReader::kinds() {
  static const std::vector<Kind> all{
      {"value", ScriptedAnswer::Kind::Value, {"status", "headers", "exit", "stdout", "stderr"}},
      {"status", ScriptedAnswer::Kind::Status, {"headers", "body"}},
      {"exit", ScriptedAnswer::Kind::Exit, {"stdout", "stderr", "file"}},
      {"error", ScriptedAnswer::Kind::Error, {"message"}},
      {"again", ScriptedAnswer::Kind::Again, {}},
      {"page", ScriptedAnswer::Kind::Page, {}},
      {"pass", ScriptedAnswer::Kind::Pass, {}},
  };
  return all;
}

std::vector<AnswerRule> AnswerReader::rules(const Node& node) {
  std::vector<AnswerRule> rules;
  if (!findings_.is(node, Node::Kind::Map, "answers", "a map of steps to answers")) return rules;
  for (const Member& member : node.members) {
    AnswerRule rule;
    rule.step = StepPattern(member.key);
    rule.place = ScenarioValues::place_of(member);
    rule.in_turn = member.value.is_list();
    if (rule.in_turn && member.value.items.empty())
      findings_.error("E102", member.at, member.key.size(), "the list of answers is empty", kExample);
    for (const Node& one : ScenarioValues::one_or_more(member.value)) rule.answers.push_back(answer(one));
    rules.push_back(std::move(rule));
  }
  return rules;
}

ScriptedAnswer AnswerReader::answer(const Node& node) {
  ScriptedAnswer answer;
  answer.place = ScenarioValues::place_of(node);
  if (node.is_scalar() && node.text == "pass") {
    answer.kind = ScriptedAnswer::Kind::Pass;
    return answer;
  }
  if (!node.is_map()) {
    findings_.error("E102", node.at, node.text.size(),
                    fmt::format("an answer must be a map or `pass`, not {}", node.kind_name()), kExample);
    return answer;
  }
  findings_.only(node, scenario_keys_within("answer"), "an answer");
  if (const Node* key = node.find("delay")) answer.delay = values_.duration(*key, "delay").value_or(Duration{0});
  const Kind* kind = kind_of(node);
  if (!kind) return answer;
  answer.kind = kind->kind;
  if (const Node* key = node.find("value")) answer.value = key->json();
  const bool valued = answer.kind == ScriptedAnswer::Kind::Value;
  if (answer.kind == ScriptedAnswer::Kind::Status || (valued && (node.find("status") || node.find("headers"))))
    http(node, answer);
  if (answer.kind == ScriptedAnswer::Kind::Exit ||
      (valued && (node.find("exit") || node.find("stdout") || node.find("stderr"))))
    process(node, answer);
  if (answer.kind == ScriptedAnswer::Kind::Error) error(node, answer);
  if (answer.kind == ScriptedAnswer::Kind::Page) page(*node.find("page"), answer);
  for (const char* word : {"pass", "again"})
    if (const Node* key = node.find(word); key && key->text != "true")
      findings_.error("E102", key->at, key->text.size(), fmt::format("`{}` is true, or left out", word));
  return answer;
}

const AnswerReader::Kind* AnswerReader::kind_of(const Node& node) {
  const auto goes_with = [](const Kind& kind, const std::string& key) {
    return std::find(kind.with.begin(), kind.with.end(), key) != kind.with.end();
  };
  const auto is_kind = [](const std::string& key) {
    return std::any_of(kinds().begin(), kinds().end(), [&](const Kind& kind) { return kind.key == key; });
  };
  const Kind* said = nullptr;
  for (const Kind& kind : kinds()) {
    const Member* key = node.member(kind.key);
    if (!key || (said && goes_with(*said, kind.key))) continue;
    if (said)
      findings_.error("E102", key->at, key->key.size(),
                      fmt::format("an answer has `{}` or `{}`, not both", said->key, kind.key));
    else
      said = &kind;
  }
  // What goes along with just one of them says which is meant.
  for (const Kind& kind : kinds())
    if (!said && kind.kind != ScriptedAnswer::Kind::Value && kind.kind != ScriptedAnswer::Kind::Error &&
        std::any_of(kind.with.begin(), kind.with.end(), [&](const std::string& key) { return node.find(key); }))
      said = &kind;
  if (!said) {
    findings_.error("E103", node.at, 1, "the answer does not say how the attempt ends", kExample);
    return nullptr;
  }
  for (const Kind& kind : kinds())
    for (const std::string& other : kind.with)
      if (const Member* key = node.member(other); key && !is_kind(other) && !goes_with(*said, other))
        findings_.error("E102", key->at, key->key.size(), fmt::format("`{}` does not go with `{}`", other, said->key));
  return said;
}

void AnswerReader::page(const Node& node, ScriptedAnswer& answer) {
  if (!findings_.is(node, Node::Kind::Map, "page", "a map such as { output: [1, 2] }")) return;
  findings_.only(node, scenario_keys_within("page"), "`page`");
  if (const Node* key = node.find("output")) answer.value = key->json();
  if (const Node* key = node.find("next")) answer.next = values_.text(*key, "next");
}

void AnswerReader::http(const Node& node, ScriptedAnswer& answer) {
  answer.code = 200;
  if (const Node* key = node.find("status"))
    answer.code = static_cast<int>(values_.number(*key, "status", 200, 599).value_or(200));
  bool typed = false;
  if (const Node* key = node.find("headers"); key && findings_.is(*key, Node::Kind::Map, "headers", "a map"))
    for (const Member& member : key->members) {
      std::string name = member.key;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      typed = typed || name == "content-type";
      answer.headers.emplace_back(std::move(name), values_.text(member.value, "headers"));
    }
  const Node* body = node.find("body");
  if (!body) return;
  answer.output = values_.said(*body);
  if (!typed) answer.headers.emplace_back("content-type", body->is_string() ? "text/plain" : "application/json");
}

void AnswerReader::process(const Node& node, ScriptedAnswer& answer) {
  if (const Node* key = node.find("exit"))
    answer.code = static_cast<int>(values_.number(*key, "exit", 0, 255).value_or(0));
  if (const Node* key = node.find("stdout")) answer.output = values_.said(*key);
  if (const Node* key = node.find("stderr")) answer.errors = values_.text(*key, "stderr");
  if (const Node* key = node.find("file")) answer.file = values_.said(*key);
}

void AnswerReader::error(const Node& node, ScriptedAnswer& answer) {
  const Node* key = node.find("error");
  answer.error = values_.text(*key, "error");
  answer.message = "as the scenario says";
  if (const Node* message = node.find("message")) answer.message = values_.text(*message, "message");
  if (answer.error.empty() || std::find(kErrors.begin(), kErrors.end(), answer.error) != kErrors.end()) return;
  const auto numbered = [&](const char* family) { return answer.error.starts_with(family); };
  findings_.error("E204", key->at, key->text.size(),
                  fmt::format("an attempt itself does not fail with `{}`", answer.error),
                  numbered("http.")   ? "write { status: " + answer.error.substr(5) + " }"
                  : numbered("exit.") ? "write { exit: " + answer.error.substr(5) + " }"
                                      : suggested(answer.error, kErrors));
}

}  // namespace flowrun
