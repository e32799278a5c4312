#include "tests/support/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/jq/jq.h"
#include "tests/support/catch.h"

namespace flowrun::test {

std::unique_ptr<Loaded> load_text(const std::string& text, const Texts& files, bool for_questions) {
  Diagnostics diagnostics({"scenario.yaml", text});
  std::optional<Loaded> loaded = load("/nowhere/scenario.yaml", diagnostics, nullptr, Lints::No, for_questions, &files);
  INFO(text << "\n" << diagnostics.text());
  REQUIRE(loaded);
  return std::make_unique<Loaded>(std::move(*loaded));
}

namespace {

std::string indented(const std::string& steps, const std::string& inputs) {
  std::string text = "flowrun: 1\ninput: {";
  const Json given = Json::parse(inputs);
  for (const auto& [name, value] : given.items()) text += " " + name + ": {},";
  text += " }\nsteps:\n";
  std::size_t from = 0;
  while (from < steps.size()) {
    std::size_t end = std::min(steps.find('\n', from), steps.size());
    text += "  " + steps.substr(from, end - from) + "\n";
    from = end + 1;
  }
  return text;
}

RunStarted started_with(const Loaded& loaded, const std::string& inputs) {
  RunStarted started;
  started.semantics = Machine::kSemantics;
  started.id = "scenario-1";
  started.name = loaded.workflow.name;
  started.seed = "00112233445566778899aabbccddeeff";
  started.token = "t1";
  started.inputs = Value::from_text(inputs);
  started.vars = Value::from_text("{}");
  started.folder = "/nowhere";
  started.run_dir = "/nowhere/run";
  started.measured = true;
  return started;
}

Played play(const std::string& steps, const std::string& inputs, const Texts& files) {
  std::string body =
      steps.substr(steps.find_first_not_of('\n') == std::string::npos ? 0 : steps.find_first_not_of('\n'));
  Played played;
  const std::string text = body.rfind("flowrun:", 0) == 0 ? body : indented(body, inputs);
  played.loaded = load_text(text, files);
  played.asked = load_text(text, files, true);
  played.evaluator = make_jq(played.loaded->programs);
  return played;
}

}  // namespace

Scenario::Scenario(const std::string& steps, const std::string& inputs, const Texts& files,
                   const std::string& sub_inputs)
    : Scenario(play(steps, inputs, files), inputs, sub_inputs) {}

Scenario::Scenario(Played played, const std::string& inputs, const std::string& sub_inputs)
    : Played(std::move(played)), Driver(loaded->workflow, *evaluator) {
  RunStarted started = started_with(*loaded, inputs);
  started.sub_inputs = Value::from_text(sub_inputs);
  happens(std::move(started));
}

Scenario::~Scenario() {
  if (!std::uncaught_exceptions()) check_replays();
}

void Scenario::check_replays() const {
  for (std::size_t count = 0; count <= log.size(); ++count) {
    INFO("replaying the first " << count << " of " << log.size() << " entries");
    CHECK_NOTHROW(replay_prefix(*loaded, log, count, *evaluator));
  }
  // What is kept for questions changes no decision.
  CHECK_NOTHROW(replay_prefix(*asked, log, log.size(), *evaluator));
}

void Scenario::happened(const Event& event, bool late) {
  Driver::happened(event, late);
  history_.add(log.back());
}

void Scenario::decide(Decision decision) {
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    started_.push_back(start->task.path);
    began_[start->task.path] = now_;
  }
  if (auto* stop = std::get_if<StopTask>(&decision.what)) stopped_.push_back(stop->path);
  if (auto* withdraw = std::get_if<WithdrawWaiting>(&decision.what)) withdrawn_.push_back(withdraw->path);
  Driver::decide(std::move(decision));
  history_.add(log.back());
}

void Scenario::end(const std::string& path, Result result) {
  REQUIRE(tasks_.count(path));
  result.began = began_[path];
  if (result.took.count() == 0) result.took = now_ - result.began;
  happens(TaskEnded{path, tasks_[path].attempt, std::move(result)});
}

void Scenario::succeed(const std::string& path, const std::string& value) {
  Result result;
  result.value = Value::from_text(value);
  end(path, std::move(result));
}

void Scenario::fail(const std::string& path, const std::string& type, const std::string& message) {
  Result result;
  result.failure = Failure{type, message};
  end(path, std::move(result));
}

void Scenario::reserved(const std::string& path) { happens(TaskReserved{path}); }

void Scenario::advance(Duration span) {
  Instant until = now_ + span;
  while (fire_timer(until)) {
  }
  now_ = until;
}

void Scenario::arrive(const std::string& path, const std::string& items, bool last,
                      std::vector<RepeatedItem> repeated) {
  happens(ItemsArrived{path, Value::from_text(items), std::move(repeated), last});
}

void Scenario::signal(const std::string& name, const std::string& data, const std::string& path) {
  happens(SignalReceived{name, path, Value::from_text(data), "tester", std::nullopt});
}

void Scenario::reject(const std::string& name, const std::string& why) {
  happens(SignalReceived{name, "", {}, "tester", why});
}

void Scenario::cancel(bool undo, bool now) { happens(CancelRequested{undo, now, "tester"}); }

void Scenario::undo() { happens(UndoRequested{"again", "tester"}); }

void Scenario::suspend() { happens(SuspendRequested{2}); }

void Scenario::interrupt(const std::string& path) { happens(TaskInterrupted{path, tasks_[path].attempt}); }

void Scenario::withdraw(const std::string& path) { happens(TaskWithdrawn{path, tasks_[path].attempt}); }

void Scenario::read_again(const std::string& path, std::optional<Failure> failure) {
  happens(SecretRead{path, 1, 12ms, std::move(failure)});
}

void Scenario::freeze(Duration span) {
  now_ += span;
  happens(RunFrozen{span});
}

void Scenario::crash_and_resume(RunResumed how, Duration down) {
  now_ += down;
  how.token = "t2";
  how.down = down;
  happens(std::move(how));
}

void Scenario::retry_inexactly(const std::string& path) { happens(RunReopened{"t3", path}); }

void Scenario::retry(const std::string& path) { retry(RunReopened{"", path}); }

void Scenario::retry(RunReopened asked) {
  asked.token = "t3";
  asked.exact = true;
  Foresight foresight = foresight_of(log);
  foresight.add(asked);
  play_anew(std::move(foresight));
  happens(std::move(asked));
}

void Scenario::expect_started(const std::vector<std::string>& paths) {
  CHECK(started_ == paths);
  started_.clear();
}

void Scenario::expect_stopped(const std::vector<std::string>& paths) {
  CHECK(stopped_ == paths);
  stopped_.clear();
}

void Scenario::expect_withdrawn(const std::vector<std::string>& paths) {
  CHECK(withdrawn_ == paths);
  withdrawn_.clear();
}

void Scenario::expect_state(const std::string& path, State state) {
  INFO(path);
  CHECK(to_string(this->state(path)) == to_string(state));
}

void Scenario::expect_running() { CHECK(machine_->phase() == Machine::Phase::Running); }

void Scenario::expect_success(const std::string& output) {
  REQUIRE(machine_->phase() == Machine::Phase::Ended);
  const Outcome& outcome = machine_->outcome();
  INFO((outcome.failure ? outcome.failure->message : ""));
  CHECK(to_string(outcome.state) == "succeeded");
  if (!output.empty()) CHECK(outcome.output.json() == Json::parse(output));
}

void Scenario::expect_failure(const std::string& type, const std::string& step) {
  REQUIRE(machine_->phase() == Machine::Phase::Ended);
  CHECK(to_string(machine_->outcome().state) == "failed");
  REQUIRE(machine_->outcome().failure);
  CHECK(machine_->outcome().failure->type == type);
  if (!step.empty()) CHECK(machine_->outcome().failure->step == step);
}

void Scenario::expect_cancelled() {
  REQUIRE(machine_->phase() == Machine::Phase::Ended);
  CHECK(to_string(machine_->outcome().state) == "cancelled");
}

void Scenario::expect_suspended() { CHECK(machine_->phase() == Machine::Phase::Suspended); }

State Scenario::state(const std::string& path) const {
  if (auto settled = view().look(path)) return settled->state;
  const StepHistory* step = history_.find(path);
  return step ? step->state : State::Pending;
}

Json Scenario::output(const std::string& path) const {
  struct Silent : DecisionSink {
    void decide(Decision) override {}
  } silent;
  Machine machine(asked->workflow, *evaluator);
  machine.foresee(foresight_of(log));
  for (const Entry& entry : log)
    if (is_fact(entry.kind)) machine.apply(to_event(entry), silent);
  auto settled = MachineView(machine).look(path);
  return settled ? settled->output.json() : Json();
}

std::string Scenario::reason(const std::string& path) const {
  const StepHistory* step = history_.find(path);
  return step ? step->reason : "";
}

Duration Scenario::timer(const std::string& path, TimerKind kind) const {
  for (const PendingTimer& timer : machine_->timers().pending())
    if (timer.path == path && timer.timer == kind) return timer.due - now_;
  return Duration{-1};
}

}  // namespace flowrun::test
