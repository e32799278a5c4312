#include "engine/explore/stand.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "engine/explore/known_requests.h"
#include "engine/model/error.h"
#include "engine/model/hash.h"
#include "engine/scenario/play.h"
#include "engine/scenario/scenario_reader.h"
#include "engine/scenario/test_files.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

/// `order.test.yaml` of `order.yaml`, where that is a file; empty: it is not.
std::string scenarios_beside(const std::string& workflow) {
  const fs::path path(workflow);
  for (const char* extension : {".yaml", ".yml"}) {
    const fs::path beside = path.parent_path() / (path.stem().string() + ".test" + extension);
    std::error_code error;
    if (fs::is_regular_file(beside, error)) return beside.string();
  }
  return "";
}

/// The first scenario in which all goes well; else the first.
const Scenario* good_one(const std::vector<Scenario>& scenarios) {
  const auto good = std::find_if(scenarios.begin(), scenarios.end(), [](const Scenario& one) {
    return one.expect.state.value_or(State::Succeeded) == State::Succeeded && !one.expect.error && one.crashes.empty();
  });
  return good == scenarios.end() ? &scenarios.front() : &*good;
}

/// Without the last line break, which who tells it adds.
std::string told(const Diagnostics& found) {
  std::string text = found.text();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Diagnostics found_in(const std::string& file) { return Diagnostics({file, read_file(file, false)}); }

}  // namespace

ReadFiles::ReadFiles(const ExploreFiles& files) : workflow(files.workflow), inputs(files.inputs) {
  scenario_name = files.scenarios;
  if (is_test_file(workflow)) {
    if (!scenario_name.empty())
      throw Error(Problem::Usage, fmt::format("{} is a file of scenarios itself; leave --scenario out, or name the "
                                              "workflow",
                                              workflow));
    scenario_name = workflow;
  } else if (scenario_name.empty()) {
    scenario_name = scenarios_beside(workflow);
  }
  if (!scenario_name.empty()) {
    Diagnostics found = found_in(scenario_name);
    scenarios = read_scenarios(scenario_name, found);
    if (!scenarios || !found.ok()) throw Error(Problem::Invalid, told(found));
    if (is_test_file(workflow)) workflow = scenarios->workflow;
  }
  Diagnostics found = found_in(workflow);
  text = found.source().text;
  const std::unique_ptr<Jq> jq = make_jq();
  const std::optional<Loaded> loaded = load(workflow, found, jq.get());
  if (!loaded) throw Error(Problem::Invalid, told(found));
  sub_workflows = loaded->sources;
  if (!scenarios) return;
  Diagnostics names = found_in(scenario_name);
  check_names(*scenarios, *loaded, names);
  if (!names.ok()) throw Error(Problem::Invalid, told(names));
}

Stand::Stand(const ReadFiles& files, Json leaf, bool every) {
  Diagnostics none({files.workflow, files.text});
  loaded_ = load(files.workflow, none, nullptr, Lints::No, false, &files.sub_workflows);
  if (!loaded_) throw Error(Problem::Internal, "a workflow that was good is not: " + none.text());
  jq_ = make_jq(loaded_->programs);
  cache_ = std::make_unique<AnswerCache>(*jq_);
  std::map<std::string, bool> changes;
  if (files.scenarios) {
    const Scenario* first = good_one(files.scenarios->scenarios);
    scenarios_.push_back(first);
    for (const Scenario& one : files.scenarios->scenarios)
      if (&one != first) scenarios_.push_back(&one);
    changes = files.scenarios->effects;
    for (const Never& never : files.scenarios->never) never_.push_back(never.rule);
  }
  steps_ = std::make_unique<WrittenSteps>(*loaded_, changes);
  // Whoever wants to see every entry wants to see its questions, too.
  if (!every) know_requests(*loaded_, *steps_);
  endings_ = std::make_unique<Endings>(*steps_, scenarios_);
  endings_->make_up(std::move(leaf));
  places_ = std::make_unique<WorkflowPlaces>(loaded_->workflow, files.workflow);
  const Instant begin = scenarios_.empty() ? kScenarioBegins : scenarios_.front()->now;
  stage_ = std::make_unique<Stage>(
      Stage{loaded_->workflow, *steps_, *endings_, *cache_, started(files), {}, begin, every, {}});
  if (!scenarios_.empty() && scenarios_.front()->items)
    stage_->items = *scenarios_.front()->items;
  else if (loaded_->workflow.stream)
    stage_->items = {"one", "two"};
}

RunStarted Stand::started(const ReadFiles& files) {
  const Scenario* scenario = scenarios_.empty() ? nullptr : scenarios_.front();
  GivenInputs given = files.inputs;
  if (scenario)
    for (const auto& [name, value] : scenario->input.items())
      if (!given.values.contains(name)) given.values[name] = value;
  // What nobody gives is made up, where the file says of what type it is.
  for (const InputSpec& input : loaded_->inputs) {
    const bool said =
        std::any_of(given.texts.begin(), given.texts.end(), [&](const auto& text) { return text.first == input.name; });
    const bool outside = scenario && std::any_of(scenario->env.begin(), scenario->env.end(),
                                                 [&](const auto& variable) { return variable.first == input.env; });
    if (!input.default_value && !said && !outside && !given.values.contains(input.name))
      given.values[input.name] = value_of_schema(input.schema, "x");
  }
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    if (scenario)
      for (const auto& [variable, value] : scenario->env)
        if (variable == name) return value;
    return std::nullopt;
  };
  Scenario none;
  none.now = kScenarioBegins;
  none.seed = hash_name("explored");
  none.run = "explored";
  const Scenario& said = scenario ? *scenario : none;
  return started_of(*loaded_, resolve_inputs(*loaded_, given, environment, *cache_, said.now), said);
}

}  // namespace flowrun
