#include "engine/scenario/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/jq/jq.h"
#include "engine/model/entry_reading.h"
#include "engine/model/error.h"
#include "engine/model/path.h"
#include "engine/run/history.h"
#include "engine/run/replay.h"
#include "engine/scenario/play.h"
#include "engine/scenario/recorded_answers.h"
#include "engine/scenario/scenario_reader.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAnything = "${ true }";

/// |json| as a scenario expects it: `${` of its own texts is not one of expressions.
Json as_expected(const Json& json) {
  if (json.is_string()) {
    std::string text = json.get<std::string>();
    for (std::size_t at = 0; (at = text.find("${", at)) != std::string::npos; at += 3) text.insert(at, "$");
    return text;
  }
  Json expected = json;
  if (json.is_structured())
    for (Json& one : expected) one = as_expected(one);
  return expected;
}

/// The same of |got|, and anything where |again| is another.
Json what_stays(const Json& got, const Json& again) {
  if (got == again) return as_expected(got);
  if (got.is_object() && again.is_object() && got.size() == again.size()) {
    Json same = Json::object();
    for (const auto& [key, value] : got.items()) {
      if (!again.contains(key)) return kAnything;
      same[key] = what_stays(value, again.at(key));
    }
    return same;
  }
  if (got.is_array() && again.is_array() && got.size() == again.size()) {
    Json same = Json::array();
    for (std::size_t i = 0; i < got.size(); ++i) same.push_back(what_stays(got[i], again[i]));
    return same;
  }
  return kAnything;
}

/// Steps in the order in which something ended at them.
std::vector<std::string> ends_of(const std::vector<Entry>& entries) {
  std::vector<std::string> paths;
  for (const Entry& entry : entries)
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled) paths.push_back(entry.path);
  return paths;
}

class Writer {
 public:
  Writer(const RecordedAnswers& recorded, const History& history, const Outcome& outcome, const Loaded& loaded,
         std::string to)
      : recorded_(recorded), history_(history), outcome_(outcome), loaded_(loaded), to_(std::move(to)) {}

  std::string text(const Json& output) const {
    const RunStarted& started = recorded_.started();
    std::string text = fmt::format("# What run {} was.\nflowrun_test: 1\nworkflow: {}\nscenarios:\n  {}:\n", started.id,
                                   yaml_of(workflow()), "as in run " + started.id);
    const auto line = [&](const char* key, const std::string& yaml) { text += fmt::format("    {}: {}\n", key, yaml); };
    if (!started.inputs.json().empty()) line("input", yaml_of(started.inputs.json()));
    if (const Json env = environment(); !env.empty()) line("env", yaml_of(env));
    line("now", timestamp(recorded_.started_at()));
    line("seed", yaml_of(started.seed));
    line("run", yaml_of(started.id));
    if (const std::string given = options(); !given.empty()) line("options", "{ " + given + " }");
    if (!recorded_.items().is_null()) line("stdin", yaml_of(recorded_.items()));
    if (!recorded_.answers().empty()) text += "    answers:\n";
    for (const auto& [path, answers] : recorded_.answers()) {
      if (answers.empty()) continue;
      text += fmt::format("      {}:\n", yaml_key(path));
      for (const RecordedAnswers::Answer& answer : answers) text += "        - " + answer.text() + "\n";
    }
    if (!recorded_.signals().empty()) text += "    signals:\n";
    for (const std::string& signal : recorded_.signals()) text += "      - " + signal + "\n";
    return text + expectations(output);
  }

 private:
  std::string workflow() const {
    const fs::path folder = fs::absolute(to_).lexically_normal().parent_path();
    const std::string path = fs::path(recorded_.started().file).lexically_relative(folder).string();
    return path.empty() ? recorded_.started().file : path;
  }

  /// What inputs of sub-workflows had from the environment.
  Json environment() const {
    Json env = Json::object();
    const Json& given = recorded_.started().sub_inputs.json();
    if (!given.is_object()) return env;
    for (const auto& child : loaded_.children)
      for (const InputSpec& spec : child->inputs)
        if (given.contains(child->path) && given.at(child->path).contains(spec.name)) {
          const Json& value = given.at(child->path).at(spec.name);
          env[spec.env] = value.is_string() ? value : Json(yaml_of(value));
        }
    return env;
  }

  std::string options() const {
    const RunStarted& started = recorded_.started();
    std::string text;
    const auto add = [&](const char* key, const std::string& value) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, value);
    };
    if (started.jobs > 0) add("jobs", std::to_string(started.jobs));
    if (started.concurrency > 0) add("concurrency", std::to_string(started.concurrency));
    if (started.cpus != RunOptions().cpus) add("cpus", std::to_string(started.cpus));
    if (started.timeout) add("timeout", to_string(*started.timeout));
    if (started.fail_fast == FailFast::Cancel) add("fail_fast", "true");
    if (started.fail_fast == FailFast::Drain) add("fail_fast", "drain");
    if (started.fail_fast == FailFast::Continue) add("fail_fast", "false");
    return text;
  }

  std::string expectations(const Json& output) const {
    std::string text = "    expect:\n";
    text += fmt::format("      state: {}\n", to_string(outcome_.state));
    if (outcome_.failure) text += fmt::format("      error: {}\n", yaml_of(as_expected(outcome_.failure->type)));
    text += fmt::format("      output: {}\n", yaml_of(output));
    std::map<std::string, int> attempts;
    for (const StepHistory& step : history_.steps())
      if (step.attempts > 0) attempts[without_keys(step.path)] += step.attempts;
    if (!attempts.empty()) text += "      ran:\n";
    for (const auto& [path, count] : attempts) text += fmt::format("        {}: {}\n", yaml_key(path), count);
    return text;
  }

  const RecordedAnswers& recorded_;
  const History& history_;
  const Outcome& outcome_;
  const Loaded& loaded_;
  const std::string to_;
};

/// Plays the one scenario of |text|. With |ends| each attempt ends when it did, however long it waits before it begins.
PlayedScenario play_again(const std::string& text, const std::string& to, const Loaded& loaded, Evaluator& jq,
                          const RecordedAnswers* ends = nullptr) {
  Diagnostics mistakes({to, text});
  std::optional<ScenarioFile> file = read_scenarios(to, mistakes);
  if (file) check_names(*file, loaded, mistakes);
  if (!file || !mistakes.ok()) throw Error(Problem::Internal, "what was recorded can not be read:\n" + mistakes.text());
  if (ends)
    for (AnswerRule& rule : file->scenarios.front().answers)
      for (const auto& [path, answers] : ends->answers())
        if (path == rule.step.text())
          for (std::size_t i = 0; i < std::min(answers.size(), rule.answers.size()); ++i)
            rule.answers[i].ends = answers[i].ends;
  return play(file->scenarios.front(), loaded, WorkflowPlaces(loaded.workflow, file->workflow), jq, {to, text});
}

}  // namespace

namespace {

/// Takes over how long each attempt took in |played|, where it began when it could.
void take_delays(RecordedAnswers& recorded, const std::vector<Entry>& played) {
  std::map<std::string, std::vector<Duration>> took;
  for (const Entry& entry : played)
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::LateEnd)
      took[entry.path].push_back(as<TaskEnded>(entry).result.took);
  for (auto& [path, answers] : recorded.answers())
    for (std::size_t i = 0; i < std::min(answers.size(), took[path].size()); ++i)
      if (answers[i].ends) answers[i].delay = took[path][i];
}

}  // namespace

RecordedScenario record(const Journal& journal, const RunRecord& run, const std::string& to) {
  const auto impossible = [&](const char* why) {
    throw Error(Problem::Impossible, fmt::format("run {} {}: no scenario can tell of that", run.id, why));
  };
  if (!has_ended(run.state)) impossible("has not ended");
  if (run.file.empty() || was_piped(run.file)) impossible("is of a workflow in no file");
  const Loaded loaded = own_copy(journal, run);
  const std::unique_ptr<Jq> jq = make_jq(loaded.programs);
  std::vector<Entry> all;
  History history;
  for (const Entry& entry : entries(journal, run)) {
    history.add(entry);
    all.push_back(entry);
  }
  RecordedAnswers recorded;
  recorded.add(all);
  const Outcome outcome = as<RunEnded>(all.back()).outcome;

  const Writer writer(recorded, history, outcome, loaded, to);
  RecordedScenario scenario;
  take_delays(recorded,
              play_again(writer.text(as_expected(outcome.output.json())), to, loaded, *jq, &recorded).entries);
  const PlayedScenario played = play_again(writer.text(as_expected(outcome.output.json())), to, loaded, *jq);
  Json again;
  if (!played.entries.empty() && played.entries.back().kind == EntryKind::RunEnded)
    again = as<RunEnded>(played.entries.back()).outcome.output.json();
  const Json expected = what_stays(outcome.output.json(), again);
  if (expected != as_expected(outcome.output.json()))
    scenario.notes.push_back(fmt::format("what differs each time is `{}` in the expected output", kAnything));
  scenario.text = writer.text(expected);
  try {
    if (read_file(run.file, false) != loaded.text)
      scenario.notes.push_back(
          fmt::format("{} is another now than when it ran, and the scenario is of what it was", run.file));
  } catch (const Error& gone) {
    scenario.notes.push_back(gone.what());
  }
  const std::vector<std::string> one = ends_of(all), other = ends_of(played.entries);
  const auto [a, b] = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
  if (a != one.end() || b != other.end())
    scenario.notes.push_back(fmt::format("number {} to end was {}, and is {} in the scenario", a - one.begin() + 1,
                                         a == one.end() ? "none" : *a, b == other.end() ? "none" : *b));
  if (const PlayedScenario last = play_again(scenario.text, to, loaded, *jq); !last.good())
    scenario.notes.push_back("the scenario does not hold as it is; flowrun test says where");
  return scenario;
}

}  // namespace flowrun
