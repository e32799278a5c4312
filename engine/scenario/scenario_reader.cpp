#include "engine/scenario/scenario_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "engine/language/keys.h"
#include "engine/model/hash.h"
#include "engine/scenario/answer_reader.h"
#include "engine/scenario/expect_reader.h"
#include "engine/scenario/scenario_keys.h"

namespace flowrun {
namespace {

constexpr const char* kEnd = ".test";

/// `order.yaml` of `order.test.yaml`; empty: the name does not say.
std::string workflow_beside(const std::string& file) {
  const std::filesystem::path path(file);
  const std::string stem = path.stem().string();
  if (!stem.ends_with(kEnd)) return "";
  return stem.substr(0, stem.size() - std::string_view(kEnd).size()) + path.extension().string();
}

bool is_seed(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_run_id(const std::string& text) {
  const auto good = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("._-", c); };
  return !text.empty() && text.size() <= 100 && std::isalnum(static_cast<unsigned char>(text[0])) != 0 &&
         std::all_of(text.begin(), text.end(), good);
}

/// What all scenarios of a file have.
struct Shared {
  Json input = Json::object();
  Place input_place;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<AnswerRule> answers;
};

class FileOfScenarios {
 public:
  FileOfScenarios(const Node& root, Diagnostics& diagnostics)
      : root_(root),
        diagnostics_(diagnostics),
        findings_(diagnostics, ""),
        values_(findings_),
        answers_(findings_, values_),
        expect_(findings_, values_) {}

  std::optional<ScenarioFile> read(const std::string& file) {
    if (!root_.is_map()) {
      findings_.error(
          "E102", root_.at, root_.text.size(),
          fmt::format("the file must be a map with `flowrun_test: 1` and `scenarios:`, not {}", root_.kind_name()));
      return std::nullopt;
    }
    version(file);
    // Nothing in a workflow is a key of scenarios.
    if (!root_.find("flowrun_test") && root_.find("flowrun")) return std::nullopt;
    findings_.only(root_, scenario_keys_within("top"), "the file");
    ScenarioFile all;
    workflow(file, all);
    if (const Node* key = root_.find("description")) values_.text(*key, "description");
    shared();
    if (const Node* key = root_.find("never")) never(*key, all);
    if (const Member* key = root_.member("effects")) effects(*key, all);
    scenarios(all);
    for (Scenario& scenario : all.scenarios) scenario.never = all.never;
    if (!diagnostics_.ok()) return std::nullopt;
    return all;
  }

 private:
  void version(const std::string& file) {
    const Member* key = root_.member("flowrun_test");
    if (!key) {
      const bool is_workflow = root_.find("flowrun") != nullptr;
      const std::filesystem::path path(file);
      findings_.error("E100", root_.at, 1, "`flowrun_test: 1` is missing",
                      is_workflow ? fmt::format("this is a workflow; its scenarios are in a file beside it: {}{}{}",
                                                path.stem().string(), kEnd, path.extension().string())
                                  : "it says for which version of the format the file is written");
    } else if (key->value.text != "1") {
      findings_.error("E100", key->value.at, key->value.text.size(),
                      fmt::format("this flowrun reads version 1 of scenarios, not {}",
                                  key->value.is_scalar() ? "`" + key->value.text + "`" : key->value.kind_name()),
                      "write `flowrun_test: 1`");
    }
  }

  void workflow(const std::string& file, ScenarioFile& all) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (const Member* key = root_.member("workflow")) {
      all.workflow_place = ScenarioValues::place_of(key->value);
      const std::string name = values_.text(key->value, "workflow");
      all.workflow = (folder / name).lexically_normal().string();
      return;
    }
    all.workflow_place = {root_.at, 1};
    const std::string name = workflow_beside(file);
    if (!name.empty()) {
      all.workflow = (folder / name).lexically_normal().string();
    } else if (root_.find("flowrun_test")) {
      findings_.error("E103", root_.at, 1, "the file does not say which workflow it is about",
                      "add `workflow: FILE.yaml`, or call it FILE.test.yaml");
    }
  }

  void shared() {
    input(root_, shared_.input, shared_.input_place);
    env(root_, shared_.env);
    if (const Node* key = root_.find("answers")) shared_.answers = answers_.rules(*key);
    for (AnswerRule& rule : shared_.answers) rule.shared = true;
  }

  void never(const Node& node, ScenarioFile& all) {
    for (const Node& one : ScenarioValues::one_or_more(node)) {
      const std::string text = values_.text(one, "never");
      std::variant<NeverRule, std::string> rule = NeverRule::read(text);
      if (const auto* wrong = std::get_if<std::string>(&rule))
        findings_.error("E102", one.at, std::max<std::size_t>(1, one.text.size()), "`never`: " + *wrong,
                        "for example: charge succeeded and run failed and charge not undone");
      else
        all.never.push_back({std::get<NeverRule>(std::move(rule)), ScenarioValues::place_of(one)});
    }
  }

  void effects(const Member& key, ScenarioFile& all) {
    all.effects_place = ScenarioValues::place_of(key);
    if (!findings_.is(key.value, Node::Kind::Map, "effects", "a map of steps to true or false")) return;
    for (const Member& member : key.value.members)
      if (findings_.is(member.value, Node::Kind::Boolean, "effects", "true or false for each step"))
        all.effects[member.key] = member.value.text == "true";
  }

  void input(const Node& node, Json& input, Place& place) {
    const Member* key = node.member("input");
    if (!key || !findings_.is(key->value, Node::Kind::Map, "input", "a map of names to values")) return;
    place = ScenarioValues::place_of(*key);
    for (const Member& member : key->value.members) input[member.key] = member.value.json();
  }

  void env(const Node& node, std::vector<std::pair<std::string, std::string>>& env) {
    const Node* key = node.find("env");
    if (!key || !findings_.is(*key, Node::Kind::Map, "env", "a map of variables")) return;
    for (const Member& member : key->members) env.emplace_back(member.key, values_.text(member.value, "env"));
  }

  void scenarios(ScenarioFile& all) {
    const Member* key = root_.member("scenarios");
    if (!key) {
      if (root_.find("flowrun_test")) findings_.error("E103", root_.at, 1, "`scenarios` is missing");
      return;
    }
    if (!findings_.is(key->value, Node::Kind::Map, "scenarios", "a map: what is promised, and below it how")) return;
    if (key->value.members.empty())
      findings_.error("E103", key->at, key->key.size(), "there is no scenario in the file");
    for (const Member& member : key->value.members) all.scenarios.push_back(scenario(member));
  }

  Scenario scenario(const Member& member) {
    Scenario scenario;
    scenario.name = member.key;
    scenario.place = ScenarioValues::place_of(member);
    scenario.input = shared_.input;
    scenario.input_place = shared_.input_place.at.line > 0 ? shared_.input_place : scenario.place;
    scenario.env = shared_.env;
    scenario.seed = hash_name(member.key);
    scenario.run = "scenario";
    const Node& node = member.value;
    if (!node.is_map()) {
      findings_.error("E102", member.at, member.key.size(),
                      fmt::format("a scenario must be a map, not {}", node.kind_name()),
                      "for example { expect: { state: succeeded } }");
      return scenario;
    }
    findings_.only(node, scenario_keys_within("scenario"), "a scenario");
    if (const Node* key = node.find("description")) values_.text(*key, "description");
    input(node, scenario.input, scenario.input_place);
    env(node, scenario.env);
    circumstances(node, scenario);
    if (const Node* key = node.find("options")) options(*key, scenario.options);
    if (const Node* key = node.find("answers")) scenario.answers = answers_.rules(*key);
    // The first rule for a step counts.
    scenario.answers.insert(scenario.answers.end(), shared_.answers.begin(), shared_.answers.end());
    if (const Node* key = node.find("signals")) signals(*key, scenario);
    if (const Node* key = node.find("crash"))
      for (const Node& one : ScenarioValues::one_or_more(*key)) crash(one, scenario);
    if (const Node* key = node.find("expect"))
      scenario.expect = expect_.read(*key);
    else
      findings_.error("E103", member.at, member.key.size(), "the scenario expects nothing, so it can not fail",
                      "add `expect:` with what must hold, for example { state: succeeded }");
    return scenario;
  }

  void circumstances(const Node& node, Scenario& scenario) {
    if (const Node* key = node.find("stdin"); key && findings_.is(*key, Node::Kind::List, "stdin", "a list of items")) {
      scenario.items.emplace();
      for (const Node& item : key->items) scenario.items->push_back(item.json());
    }
    if (const Node* key = node.find("now")) scenario.now = values_.instant(*key, "now").value_or(kScenarioBegins);
    if (const Node* key = node.find("seed")) {
      if (is_seed(key->text))
        scenario.seed = key->text;
      else
        findings_.error("E102", key->at, key->text.size(), "`seed` must be 32 hexadecimal digits in small letters");
    }
    if (const Node* key = node.find("run")) {
      if (is_run_id(key->text))
        scenario.run = key->text;
      else
        findings_.error("E102", key->at, key->text.size(), "`run` must be an id: letters, digits, `.`, `_` and `-`");
    }
  }

  void options(const Node& node, RunOptions& options) {
    constexpr std::int64_t kMost = 100'000;
    if (!findings_.is(node, Node::Kind::Map, "options", "a map such as { jobs: 2 }")) return;
    findings_.only(node, scenario_keys_within("options"), "`options`");
    for (const auto& [name, to] :
         {std::pair{"jobs", &options.jobs}, {"concurrency", &options.concurrency}, {"cpus", &options.cpus}})
      if (const Node* key = node.find(name)) *to = static_cast<int>(values_.number(*key, name, 1, kMost).value_or(1));
    if (const Node* key = node.find("timeout")) options.timeout = values_.duration(*key, "timeout");
    if (const Node* key = node.find("fail_fast")) {
      const std::string word = values_.word(*key, "fail_fast", {"true", "drain", "false"});
      options.fail_fast = word == "true" ? FailFast::Cancel : word == "drain" ? FailFast::Drain : FailFast::Continue;
    }
  }

  void signals(const Node& list, Scenario& scenario) {
    for (const Node& node : ScenarioValues::one_or_more(list)) {
      if (!findings_.is(node, Node::Kind::Map, "signals", "a list such as [{ name: approval }]")) continue;
      findings_.only(node, scenario_keys_within("signal"), "a signal");
      ScriptedSignal one;
      one.place = {node.at, 1};
      one.signal.by = "scenario";
      if (const Node* key = node.find("name")) {
        one.place = ScenarioValues::place_of(*key);
        one.signal.name = values_.text(*key, "name");
      } else {
        findings_.error("E103", node.at, 1, "the signal has no `name`", "for example { name: approval }");
      }
      if (const Node* key = node.find("data")) one.signal.data = Value(key->json());
      if (const Node* key = node.find("reject")) one.signal.rejected = values_.text(*key, "reject");
      if (const Node* key = node.find("step")) one.signal.path = values_.text(*key, "step");
      if (const Node* key = node.find("at")) one.at = values_.duration(*key, "at");
      if (const Node* key = node.find("after")) one.after = values_.step(*key, "after");
      scenario.signals.push_back(std::move(one));
    }
  }

  /// `after 12`, or a map.
  void crash(const Node& node, Scenario& scenario) {
    constexpr std::int64_t kMost = 1'000'000;
    Crash crash;
    crash.place = ScenarioValues::place_of(node);
    if (node.is_map()) {
      findings_.only(node, scenario_keys_within("crash"), "`crash`");
      const Node* key = node.find("after");
      if (!key) return findings_.error("E103", node.at, 1, "`crash` does not say after how many entries", kCrash);
      crash.place = ScenarioValues::place_of(*key);
      crash.after = static_cast<std::size_t>(values_.number(*key, "after", 1, kMost).value_or(1));
      if (const Node* down = node.find("down")) crash.down = values_.duration(*down, "down").value_or(crash.down);
      if (const Node* word = node.find("on_crash"))
        crash.on_crash = values_.word(*word, "on_crash", {"rerun", "fail"}) == "fail" ? OnCrash::Fail : OnCrash::Rerun;
    } else {
      std::size_t count = 0;
      const std::string number = node.text.starts_with("after ") ? node.text.substr(6) : "";
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
      if (number.empty() || error != std::errc() || end != number.data() + number.size() || count < 1 || count > kMost)
        return findings_.error("E102", node.at, node.text.size(), "`crash` must say after how many entries", kCrash);
      crash.after = count;
    }
    const auto before = [&](const Crash& earlier) { return earlier.after >= crash.after; };
    if (std::any_of(scenario.crashes.begin(), scenario.crashes.end(), before))
      findings_.error("E102", crash.place.at, crash.place.length, "a crash comes after the one before it");
    scenario.crashes.push_back(crash);
  }

  static constexpr const char* kCrash = "for example `after 12`, or { after: 12, down: 2h }";

  const Node& root_;
  Diagnostics& diagnostics_;
  FileDiagnostics findings_;
  ScenarioValues values_;
  AnswerReader answers_;
  ExpectReader expect_;
  Shared shared_;
};

}  // namespace

std::optional<ScenarioFile> read_scenarios(const std::string& file, Diagnostics& diagnostics) {
  const std::optional<Node> root = read_yaml(diagnostics);
  if (!root) return std::nullopt;
  return FileOfScenarios(*root, diagnostics).read(file);
}

}  // namespace flowrun
