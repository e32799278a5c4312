#include "engine/scenario/play.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>

#include "engine/model/error.h"
#include "engine/scenario/expectations.h"
#include "engine/scenario/real_steps.h"
#include "engine/scenario/scripted_result.h"
#include "engine/scenario/sent_request.h"
#include "engine/scenario/virtual_run.h"

namespace flowrun {
namespace {

/// An attempt that the scenario does not answer.
class Unanswered : public std::runtime_error {
 public:
  Unanswered(Place place, const std::string& what, std::string advice)
      : std::runtime_error(what), place(place), advice(std::move(advice)) {}
  const Place place;
  const std::string advice;
};

/// The scenario can not be played as it is written; it was told why.
struct Mistaken {};

class Player {
 public:
  Player(const Scenario& scenario, const Loaded& loaded, const WorkflowPlaces& places, Evaluator& jq,
         const Source& source, std::function<bool()> stop)
      : scenario_(scenario),
        loaded_(loaded),
        places_(places),
        jq_(jq),
        stop_(std::move(stop)),
        played_{scenario.name, scenario.place.at, Diagnostics(source), false, Duration{0}, {}} {}

  PlayedScenario play() {
    try {
      if (passes()) real_ = std::make_unique<RealSteps>(loaded_, scenario_.run, stop_);
      VirtualRun run(loaded_.workflow, jq_, started(), world(), scenario_.now);
      try {
        if (loaded_.workflow.stream && !scenario_.items)
          throw Unanswered(scenario_.place,
                           "the workflow reads its items from standard input, and the scenario has none",
                           "add `stdin:` with a list of items, or `stdin: []` for none");
        run.to_the_end();
        check_expectations(scenario_, run, places_, jq_, played_.findings);
        never(run);
        unused(run);
      } catch (const Unanswered& unanswered) {
        tell("unanswered", unanswered.place, unanswered.what(), unanswered.advice);
      } catch (const NoEnd& none) {
        const std::string place = places_.place_of(none.path);
        tell("end", scenario_.place, place.empty() ? none.what() : fmt::format("{} ({})", none.what(), place),
             none.advice);
      }
      played_.took = run.took();
      played_.entries = run.entries();
    } catch (const Mistaken&) {
      played_.mistaken = true;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      played_.mistaken = error.problem() == Problem::Invalid;
      tell("run", scenario_.place, first_line(error.what()), "");
    }
    return std::move(played_);
  }

 private:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  void tell(const char* what, const Place& place, const std::string& message, const std::string& advice) {
    played_.findings.error(what, place.at, static_cast<int>(std::min<std::size_t>(place.length, 200)), message, advice);
  }

  /// What was written for nothing: most likely a name is not what it should be, and something is not tested.
  void unused(const VirtualRun& run) {
    for (std::size_t i = 0; i < scenario_.answers.size(); ++i) {
      const AnswerRule& rule = scenario_.answers[i];
      // What a crash cut off asks for no answer.
      const bool begun = std::any_of(run.sent().begin(), run.sent().end(),
                                     [&](const VirtualRun::Sent& sent) { return rule.step.matches(sent.task.path); });
      const int used = std::max(used_[i], begun ? 1 : 0);
      if (rule.shared || (used > 0 && (!rule.in_turn || used >= static_cast<int>(rule.answers.size())))) continue;
      tell("unused", rule.place,
           used == 0 ? fmt::format("no attempt asks for the answers to {}", places_.named(rule.step.text()))
                     : fmt::format("of {} answers to {} there was need of {}", rule.answers.size(),
                                   places_.named(rule.step.text()), used),
           "take out what is not needed, or mend the name");
    }
    for (std::size_t i = 0; i < scenario_.signals.size(); ++i)
      if (!run.has_sent(i))
        tell(
            "unused", scenario_.signals[i].place,
            fmt::format("the signal `{}` was never sent: {}", scenario_.signals[i].signal.name,
                        scenario_.signals[i].after ? "what it comes after has not ended" : "no step has waited for it"),
            "take it out, or mend the name");
    if (scenario_.items && !loaded_.workflow.stream)
      tell("unused", scenario_.place, "the workflow reads nothing from standard input", "take `stdin` out");
  }

  void never(const VirtualRun& run) {
    if (scenario_.never.empty()) return;
    std::map<std::string, State> states;
    for (const StepHistory& step : run.history().steps()) states[step.path] = step.state;
    for (const Never& one : scenario_.never)
      if (one.rule.holds(run.machine().outcome().state, states, loaded_.workflow.name))
        tell("never", scenario_.place, "what is never to be has come about: " + one.rule.text(), "");
  }

  bool passes() const {
    return std::any_of(scenario_.answers.begin(), scenario_.answers.end(), [](const AnswerRule& rule) {
      return std::any_of(rule.answers.begin(), rule.answers.end(),
                         [](const ScriptedAnswer& one) { return one.kind == ScriptedAnswer::Kind::Pass; });
    });
  }

  /// What is wrong with the inputs is told, and Mistaken thrown.
  ResolvedInputs inputs() {
    GivenInputs given;
    given.values = scenario_.input;
    const auto environment = [&](const std::string& name) -> std::optional<std::string> {
      // One that the scenario gives itself counts; it stands last.
      const auto found = std::find_if(scenario_.env.rbegin(), scenario_.env.rend(),
                                      [&](const auto& variable) { return variable.first == name; });
      return found == scenario_.env.rend() ? std::nullopt : std::optional(found->second);
    };
    try {
      return resolve_inputs(loaded_, given, environment, jq_, scenario_.now);
    } catch (const Error& error) {
      if (error.problem() != Problem::Invalid) throw;
      std::istringstream lines(error.what());
      const std::string before = loaded_.file + ": error: ";
      for (std::string line; std::getline(lines, line);)
        if (line.starts_with(before)) tell("input", scenario_.input_place, line.substr(before.size()), "");
      throw Mistaken();
    }
  }

  RunStarted started() {
    RunStarted started = started_of(loaded_, inputs(), scenario_);
    if (!real_) return started;
    started.run_dir = real_->run_dir();
    started.secrets = real_->marks(scenario_.seed);
    return started;
  }

  World world() {
    World world;
    world.answer = [this](const Task& task, int nth, Instant now) { return answer(task, nth, now); };
    for (const ScriptedSignal& one : scenario_.signals) {
      World::Signal signal{one.signal, one.at, {}};
      if (one.after) signal.after = [step = *one.after](const std::string& path) { return step.matches_whole(path); };
      world.signals.push_back(std::move(signal));
    }
    world.items = scenario_.items.value_or(std::vector<Json>{});
    for (const Crash& one : scenario_.crashes) world.crashes.push_back({one.after, one.down, one.on_crash});
    return world;
  }

  /// Of the scenario's own before those of the file. A path goes before patterns: the key of an item may look like one.
  std::vector<AnswerRule>::const_iterator rule_for(const std::string& path) const {
    const auto& rules = scenario_.answers;
    for (const bool shared : {false, true}) {
      const auto first = [&](auto fits) {
        return std::find_if(rules.begin(), rules.end(),
                            [&](const AnswerRule& one) { return one.shared == shared && fits(one); });
      };
      auto rule = first([&](const AnswerRule& one) { return one.step.text() == path; });
      if (rule == rules.end()) rule = first([&](const AnswerRule& one) { return one.step.matches(path); });
      if (rule != rules.end()) return rule;
    }
    return rules.end();
  }

  Result answer(const Task& task, int nth, Instant now) {
    const auto rule = rule_for(task.path);
    const bool process = std::holds_alternative<Process>(*task.work);
    if (rule == scenario_.answers.end())
      throw Unanswered(scenario_.place,
                       fmt::format("step {} would {} {}, and nothing answers it", places_.named(task.path),
                                   process ? "start" : "send", sent_text(task)),
                       fmt::format("add to `answers`: {}: {}, or {}: pass", task.path,
                                   process ? "{ exit: 0 }" : "{ status: 200, body: {} }", task.path));
    int& used = used_[static_cast<std::size_t>(rule - scenario_.answers.begin())];
    used = std::max(used, nth);
    const auto count = static_cast<int>(rule->answers.size());
    if (rule->in_turn && nth > count)
      throw Unanswered(rule->place,
                       fmt::format("step {} begins attempt {}, and there {} for it", places_.named(task.path), nth,
                                   count == 1 ? "is one answer" : fmt::format("are {} answers", count)),
                       "without a list, one answer is for all attempts");
    ScriptedAnswer answer = rule->answers[rule->in_turn ? static_cast<std::size_t>(nth) - 1 : 0];
    if (answer.ends) answer.delay = std::max(scenario_.now + *answer.ends - now, Duration{0});
    if (!fits(answer, process))
      throw Unanswered(answer.place,
                       fmt::format("step {} is {}, which does not end like this", places_.named(task.path),
                                   process ? "a process" : "a request"),
                       process ? "for example { exit: 1, stderr: no }" : "for example { status: 503 }");
    if (answer.kind != ScriptedAnswer::Kind::Pass) {
      if (real_ && task.secret_output) learn(answer, task, now);
      return scripted_result(answer, task, now);
    }
    Result result = real_->carry_out(task);
    result.took = answer.delay;
    return result;
  }

  void learn(const ScriptedAnswer& answer, Task task, Instant now) {
    task.keep_raw = task.secret_output->of_raw;
    if (const Result result = scripted_result(answer, task, now); result.ok()) real_->learn(task, result.value);
  }

  const Scenario& scenario_;
  const Loaded& loaded_;
  const WorkflowPlaces& places_;
  Evaluator& jq_;
  const std::function<bool()> stop_;
  std::vector<int> used_ = std::vector<int>(scenario_.answers.size());  ///< by rule: the last attempt that it answered
  std::unique_ptr<RealSteps> real_;
  PlayedScenario played_;
};

}  // namespace

RunStarted started_of(const Loaded& loaded, ResolvedInputs resolved, const Scenario& scenario) {
  RunStarted started;
  started.semantics = Machine::kSemantics;
  started.id = scenario.run;
  started.name = loaded.workflow.name;
  started.seed = scenario.seed;
  started.token = "t1";
  started.inputs = std::move(resolved.inputs);
  started.vars = std::move(resolved.vars);
  started.sub_inputs = std::move(resolved.sub_inputs);
  started.file = loaded.file;
  started.folder = loaded.folder;
  started.run_dir = "/flowrun-test/runs/" + scenario.run;
  started.cpus = scenario.options.cpus;
  started.jobs = scenario.options.jobs;
  started.concurrency = scenario.options.concurrency;
  started.timeout = scenario.options.timeout;
  started.fail_fast = scenario.options.fail_fast;
  started.measured = true;
  for (const SecretSource& secret : loaded.secrets) started.secrets.push_back({secret.name, "", secret.optional});
  return started;
}

PlayedScenario play(const Scenario& scenario, const Loaded& loaded, const WorkflowPlaces& places, Evaluator& jq,
                    const Source& source, std::function<bool()> stop) {
  return Player(scenario, loaded, places, jq, source, std::move(stop)).play();
}

}  // namespace flowrun
