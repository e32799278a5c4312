// Holds the names in a file of scenarios against the workflow that it is about. Belongs to scenario_reader.h.
#include <fmt/format.h>

#include <algorithm>

#include "engine/language/json_schema.h"
#include "engine/reader/file_diagnostics.h"
#include "engine/run/step_paths.h"
#include "engine/scenario/scenario_reader.h"
#include "engine/scenario/scripted_result.h"
#include "engine/scenario/workflow_places.h"

namespace flowrun {
namespace {

bool acts(const OutlineRow& row) { return row.kind == "http" || row.kind == "shell" || row.kind == "exec"; }

class NameCheck {
 public:
  NameCheck(const ScenarioFile& file, const Loaded& workflow, Diagnostics& diagnostics)
      : workflow_(workflow), findings_(diagnostics, ""), places_(workflow.workflow, file.workflow) {
    for (const OutlineRow& row : places_.rows()) known_.push_back(row.path);
    for (const Scenario& scenario : file.scenarios) check(scenario);
    for (const auto& [path, changes] : file.effects) effect(path, file.effects_place);
    for (const Never& never : file.never)
      for (const NeverRule::Clause& clause : never.rule.clauses())
        if (clause.step.text() != "run" && clause.step.text() != workflow.workflow.name) step(clause.step, never.place);
  }

 private:
  void check(const Scenario& scenario) {
    inputs(scenario);
    for (const AnswerRule& rule : scenario.answers) answers(rule);
    for (const ScriptedSignal& signal : scenario.signals) check(signal);
    const Expectations& expect = scenario.expect;
    for (const Expectations::Ran& one : expect.ran) step(one.step, one.place);
    for (const Expectations::Ran& one : expect.not_ran) step(one.step, one.place);
    for (const Expectations::Before& one : expect.order) {
      step(one.first, one.place);
      step(one.then, one.place);
    }
    for (const Expectations::Requests& one : expect.requests) step(one.step, one.place);
    if (expect.undone)
      for (const std::string& one : expect.undone->steps) step(StepPattern(one), expect.undone->place);
  }

  void inputs(const Scenario& scenario) {
    std::vector<std::string> names;
    for (const InputSpec& spec : workflow_.inputs) names.push_back(spec.name);
    for (const auto& [name, value] : scenario.input.items())
      if (std::find(names.begin(), names.end(), name) == names.end())
        findings_.error("E204", scenario.input_place.at, scenario.input_place.length,
                        fmt::format("the workflow has no input `{}`", name), suggested(name, names));
  }

  void effect(const std::string& path, const Place& place) {
    if (!step(StepPattern(path), place)) return;
    const bool some = std::any_of(places_.rows().begin(), places_.rows().end(),
                                  [&](const OutlineRow& row) { return row.path == path && acts(row); });
    if (!some)
      findings_.error("E302", place.at, place.length,
                      fmt::format("`effects`: {} is no step that sends or starts anything", path),
                      "only http, shell and exec have effects, each under its path without keys of items");
  }

  /// False: the workflow has none such, and that is told.
  bool step(const StepPattern& pattern, const Place& place) {
    const auto meant = [&](const std::string& path) { return pattern.may_match(path); };
    if (pattern.text().empty() || std::any_of(known_.begin(), known_.end(), meant)) return true;
    findings_.error("E302", place.at, place.length, fmt::format("the workflow has no step `{}`", pattern.text()),
                    suggested(pattern.text(), known_));
    return false;
  }

  void answers(const AnswerRule& rule) {
    if (!step(rule.step, rule.place)) return;
    const OutlineRow* first = nullptr;  // that acts
    for (const OutlineRow& row : places_.rows())
      if (!first && acts(row) && rule.step.may_match(row.path)) first = &row;
    if (!first)
      return findings_.error("E302", rule.place.at, rule.place.length,
                             fmt::format("step {} neither sends nor starts anything", places_.named(rule.step.text())),
                             "only http, shell and exec are answered");
    const bool process = first->kind != "http";
    for (const ScriptedAnswer& answer : rule.answers)
      if (!fits(answer, process) && !is_pattern(rule.step.text()))
        findings_.error("E302", answer.place.at, answer.place.length,
                        fmt::format("step {} is {}, which does not end like this", places_.named(first->path),
                                    process ? "a process" : "a request"),
                        process ? "for example { exit: 1, stderr: no }" : "for example { status: 503 }");
  }

  void check(const ScriptedSignal& signal) {
    if (signal.after) step(*signal.after, signal.place);
    if (is_pattern(signal.signal.path))
      findings_.error("E102", signal.place.at, signal.place.length, "`step` of a signal is one step, without * and ?",
                      "leave it out: whoever waits for the signal gets it");
    else if (!signal.signal.path.empty())
      step(StepPattern(signal.signal.path), signal.place);
    std::vector<std::string> names;
    for (const Signal& known : workflow_.workflow.signals) {
      names.push_back(known.name);
      if (known.name != signal.signal.name || signal.signal.rejected) continue;
      for (const std::string& why : schema_errors(known.accept, signal.signal.data.json()))
        findings_.error("E102", signal.place.at, signal.place.length,
                        fmt::format("the signal `{}` is not what `accept` says: {}", known.name, why));
    }
    if (std::find(names.begin(), names.end(), signal.signal.name) == names.end())
      findings_.error("E204", signal.place.at, signal.place.length,
                      fmt::format("no step waits for a signal `{}`", signal.signal.name),
                      suggested(signal.signal.name, names));
  }

  const Loaded& workflow_;
  FileDiagnostics findings_;
  const WorkflowPlaces places_;
  std::vector<std::string> known_;
};

}  // namespace

void check_names(const ScenarioFile& file, const Loaded& workflow, Diagnostics& diagnostics) {
  NameCheck(file, workflow, diagnostics);
}

}  // namespace flowrun
