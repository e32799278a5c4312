#include "engine/scenario/expect_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/scenario/expected_value.h"
#include "engine/scenario/scenario_keys.h"

namespace flowrun {
namespace {

constexpr std::int64_t kMostTimes = 1'000'000;

}  // namespace

Expectations ExpectReader::read(const Node& node) {
  Expectations expect;
  if (!findings_.is(node, Node::Kind::Map, "expect", "a map such as { state: succeeded }")) return expect;
  findings_.only(node, scenario_keys_within("expect"), "`expect`");
  if (node.members.empty())
    findings_.error("E103", node.at, 1, "`expect` expects nothing", "for example { state: succeeded }");
  if (const Node* key = node.find("state")) state(*key, expect);
  if (const Member* key = node.member("output")) {
    expect.output = key->value;
    expect.output_place = ScenarioValues::place_of(*key);
    check_expected(key->value, findings_.diagnostics());
  }
  if (const Node* key = node.find("error")) {
    error(*key, expect);
    if (expect.state == State::Succeeded)
      findings_.error("E102", key->at, 1, "`error` is of a run that has not succeeded", "leave `state` out");
  }
  if (const Node* key = node.find("ran")) expect.ran = steps(*key, "ran");
  if (const Node* key = node.find("not_ran")) expect.not_ran = steps(*key, "not_ran");
  if (const Node* key = node.find("order")) order(*key, expect);
  if (const Node* key = node.find("requests")) requests(*key, expect);
  if (const Member* key = node.member("undone")) undone(*key, expect);
  if (const Member* key = node.member("time")) time(*key, expect);
  return expect;
}

bool ExpectReader::says_nothing(const Node& node, const char* what) {
  const bool nothing = (node.is_map() && node.members.empty()) || (node.is_list() && node.items.empty());
  if (nothing) findings_.error("E103", node.at, 1, fmt::format("`{}` expects nothing", what), "leave it out");
  return nothing;
}

void ExpectReader::state(const Node& node, Expectations& expect) {
  const std::string word = values_.word(node, "state", {"succeeded", "failed", "cancelled"});
  if (word.empty()) return;
  expect.state = state_from(word);
  expect.state_place = ScenarioValues::place_of(node);
}

void ExpectReader::error(const Node& node, Expectations& expect) {
  if (node.is_map())
    findings_.only(node, scenario_keys_within("error"), "`error`");
  else if (!node.is_string())
    return findings_.error("E102", node.at, node.text.size(),
                           fmt::format("`error` must be a type of error or a map, not {}", node.kind_name()),
                           "for example http.503, or { type: http.503, step: charge }");
  check_expected(node, findings_.diagnostics());
  expect.error = node;
}

std::vector<Expectations::Ran> ExpectReader::steps(const Node& node, const char* what) {
  std::vector<Expectations::Ran> steps;
  if (says_nothing(node, what)) return steps;
  if (node.is_map() && std::string_view(what) == "ran") {
    for (const Member& member : node.members) {
      const auto times = values_.number(member.value, member.key.c_str(), 0, kMostTimes);
      steps.push_back({StepPattern(member.key), times ? std::optional(static_cast<std::size_t>(*times)) : std::nullopt,
                       ScenarioValues::place_of(member)});
    }
    return steps;
  }
  for (const Node& one : ScenarioValues::one_or_more(node))
    steps.push_back({values_.step(one, what), std::nullopt, ScenarioValues::place_of(one)});
  return steps;
}

void ExpectReader::order(const Node& node, Expectations& expect) {
  constexpr std::string_view kBefore = " before ";
  if (says_nothing(node, "order")) return;
  for (const Node& one : ScenarioValues::one_or_more(node)) {
    std::vector<std::string> steps;
    std::size_t from = 0;
    for (std::size_t at; (at = one.text.find(kBefore, from)) != std::string::npos; from = at + kBefore.size())
      steps.push_back(one.text.substr(from, at - from));
    steps.push_back(one.text.substr(from));
    const auto empty = [](const std::string& step) { return step.empty() || step.find(' ') != std::string::npos; };
    if (!one.is_string() || steps.size() < 2 || std::any_of(steps.begin(), steps.end(), empty)) {
      findings_.error("E102", one.at, one.text.size(), "`order` must say which step comes before which",
                      "for example [charge before ship]");
      continue;
    }
    for (std::size_t i = 0; i + 1 < steps.size(); ++i)
      expect.order.push_back({StepPattern(steps[i]), StepPattern(steps[i + 1]), ScenarioValues::place_of(one)});
  }
}

void ExpectReader::requests(const Node& node, Expectations& expect) {
  if (!findings_.is(node, Node::Kind::Map, "requests", "a map of steps to what they send or start")) return;
  if (says_nothing(node, "requests")) return;
  for (const Member& member : node.members) {
    Expectations::Requests wanted;
    wanted.step = StepPattern(member.key);
    wanted.place = ScenarioValues::place_of(member);
    wanted.in_turn = member.value.is_list();
    wanted.wanted = ScenarioValues::one_or_more(member.value);
    for (Node& one : wanted.wanted) request(one);
    expect.requests.push_back(std::move(wanted));
  }
}

void ExpectReader::request(Node& node) {
  if (!findings_.is(node, Node::Kind::Map, "requests", "maps such as { method: POST }")) return;
  findings_.only(node, scenario_keys_within("request"), "a request");
  for (Member& part : node.members)
    if (part.key == "headers")
      for (Member& header : part.value.members)
        std::transform(header.key.begin(), header.key.end(), header.key.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  check_expected(node, findings_.diagnostics());
}

void ExpectReader::undone(const Member& key, Expectations& expect) {
  Expectations::Undone& undone = expect.undone.emplace();
  undone.place = ScenarioValues::place_of(key);
  for (const Node& one : ScenarioValues::one_or_more(key.value))
    undone.steps.push_back(values_.step(one, "undone").text());
}

void ExpectReader::time(const Member& key, Expectations& expect) {
  Expectations::Time& time = expect.time.emplace();
  if (!key.value.is_map()) {
    time.place = ScenarioValues::place_of(key.value);
    time.at_least = time.at_most = values_.duration(key.value, "time");
    return;
  }
  time.place = ScenarioValues::place_of(key);
  findings_.only(key.value, scenario_keys_within("time"), "`time`");
  if (const Node* least = key.value.find("at_least")) time.at_least = values_.duration(*least, "at_least");
  if (const Node* most = key.value.find("at_most")) time.at_most = values_.duration(*most, "at_most");
  if (says_nothing(key.value, "time")) return;
  if (time.at_least && time.at_most && *time.at_least > *time.at_most)
    findings_.error("E102", key.at, key.key.size(), "`at_least` is more than `at_most`, so no run takes so long");
}

}  // namespace flowrun
