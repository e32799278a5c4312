#include "engine/machine/machine.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "engine/machine/frame.h"
#include "engine/machine/run_frame.h"
#include "engine/machine/task_frame.h"

namespace flowrun {

Machine::Machine(const Workflow& workflow, Evaluator& evaluator)
    : workflow_(workflow), context_(workflow.limits, evaluator) {}

Machine::~Machine() { context_.abandoned_.forget_all(); }

bool Machine::take(Event event, EventSink& sink) {
  if (!expects(event)) return false;
  bool late = false;
  if (auto* ended = std::get_if<TaskEnded>(&event.fact)) {
    const TaskFrame* frame = context_.attempts_.find(ended->path)->frame;
    late = !frame;
    // A result of another run was completed there.
    if (frame && !ended->result.is_taken()) frame->complete_result(ended->result);
  }
  sink.happened(event, late);
  conclude_from(event, sink);
  return true;
}

bool Machine::apply(const Event& event, DecisionSink& sink) {
  if (!expects(event)) return false;
  conclude_from(event, sink);
  return true;
}

/// A fact is told to one frame at most. What that leads to is queued, and told from the queue.
void Machine::conclude_from(const Event& event, DecisionSink& sink) {
  context_.recorder_.begin(sink);
  context_.time_.advance(event.at);
  std::visit([this](const auto& fact) { on(fact); }, event.fact);
  run_queue();
  finish_if_idle();
  context_.recorder_.end();
}

bool Machine::expects(const Event& event) const {
  struct {
    const Machine& machine;
    const Context& run;
    bool operator()(const RunStarted&) const { return machine.phase_ == Phase::New; }
    bool operator()(const RunResumed&) const { return run.running_ || machine.phase_ == Phase::Suspended; }
    bool operator()(const RunFrozen&) const { return run.running_; }
    bool operator()(const SecretRead&) const { return run.running_; }
    bool operator()(const RunReopened&) const { return machine.phase_ == Phase::Ended; }
    bool operator()(const TaskReserved& reserved) const { return run.attempts_.expects_place(reserved.path); }
    bool operator()(const TaskEnded& ended) const { return run.attempts_.expects(ended.path, ended.attempt); }
    bool operator()(const TaskWithdrawn& withdrawn) const {
      return run.attempts_.expects(withdrawn.path, withdrawn.attempt);
    }
    bool operator()(const TaskInterrupted& interrupted) const {
      return machine.suspending_ && run.attempts_.expects(interrupted.path, interrupted.attempt);
    }
    bool operator()(const TimerFired& fired) const { return run.timers_.expects(fired); }
    bool operator()(const SuspendRequested&) const { return run.running_ && !machine.suspending_; }
    bool operator()(const SignalReceived&) const { return run.running_; }
    bool operator()(const CancelRequested&) const {
      return run.running_ && (!machine.root_->settled().over() || !run.abandoned_.tidying().empty());
    }
    bool operator()(const UndoRequested&) const { return machine.phase_ == Phase::Ended; }
    bool operator()(const ItemsArrived& arrived) const {
      const ItemStream* stream = run.signals_.stream();
      return run.running_ && stream && stream->stream_path() == arrived.path;
    }
  } expecting{*this, context_};
  return std::visit(expecting, event.fact);
}

bool Machine::late(const TaskEnded& ended) const {
  const Attempts::Attempt* attempt = context_.attempts_.find(ended.path);
  return attempt && !attempt->frame;
}

void Machine::on(const RunStarted& started) {
  context_.run_ = started;
  context_.time_.start(started.measured);
  context_.chance_.emplace(started.seed);
  context_.abandoned_.let_tidy(context_.rules().files_tidy_up());
  jobs_ = started.jobs;
  concurrency_option_ = started.concurrency;
  set_options(0, 0);
  enter(Phase::Running);
  root_ = workflow_.root->frame(context_, nullptr, "");
  run_frame_ = &dynamic_cast<RunFrame&>(*root_);
  context_.queue_.start(*root_);
}

void Machine::set_options(int jobs, int concurrency) {
  RunStarted& run = context_.run_;
  run.jobs = jobs > 0 ? jobs : jobs_;
  run.concurrency = concurrency > 0 ? concurrency : concurrency_option_;
  concurrency_ = static_cast<std::size_t>(run.concurrency > 0 ? run.concurrency : workflow_.concurrency);
}

void Machine::lose(Duration span) {
  context_.time_.lose(span);
  context_.timers_.postpone_limits_of_work(span);
}

void Machine::on(const RunFrozen& frozen) { lose(frozen.span); }

void Machine::on(const RunResumed& resumed) {
  enter(Phase::Running);
  suspending_ = false;
  RunStarted& run = context_.run_;
  run.token = resumed.token;
  set_options(resumed.jobs, resumed.concurrency);
  if (!resumed.folder.empty()) run.folder = resumed.folder;
  if (!resumed.run_dir.empty()) run.run_dir = resumed.run_dir;
  context_.keeps_keys_ |= resumed.keeps_keys;
  if (!resumed.secrets.empty()) run.secrets = resumed.secrets;
  go_elsewhere(resumed.on);
  lose(resumed.down);
  if (resumed.cancel) {
    if (resumed.cancel->now) context_.abandoned_.stop_all();
    context_.attempts_.interrupt_all();
    run_frame_->on_cancel(*resumed.cancel);
  }
  begin_again(resumed);
  context_.abandoned_.tell();
}

void Machine::begin_again(const RunResumed& resumed) {
  const std::set<std::string_view> queued(resumed.queued.begin(), resumed.queued.end());
  for (auto& [path, attempt] : context_.attempts_.take_all()) {
    if (!attempt.frame) continue;  // abandoned before: its process is gone with the last drive
    if (std::find(resumed.unbegun.begin(), resumed.unbegun.end(), path) != resumed.unbegun.end())
      context_.attempts_.put_back(path, attempt);
    else if (queued.count(path) > 0)
      attempt.frame->on_withdrawn();
    else if (attempt.number == 0)
      context_.attempts_.reserve(*attempt.frame, attempt.reservation);
    else
      attempt.frame->on_crashed(resumed);
  }
}

/// |on| as RunResumed has it.
void Machine::go_elsewhere(const std::string& on) {
  if (!on.empty()) context_.run_.on = on == "here" ? "" : on;
}

template <class Fact>
void Machine::run_again(const Fact& fact) {
  enter(Phase::Running);
  suspending_ = false;
  context_.run_.token = fact.token;
  if (!fact.folder.empty()) context_.run_.folder = fact.folder;
  if (!fact.run_dir.empty()) context_.run_.run_dir = fact.run_dir;
  context_.keeps_keys_ |= fact.keeps_keys;
  context_.abandoned_.let_tidy(context_.rules().files_tidy_up());
  context_.time_.lose_since_last_fact();
}

void Machine::on(const RunReopened& reopened) {
  run_again(reopened);
  set_options(reopened.jobs, reopened.concurrency);
  if (!reopened.secrets.empty()) context_.run_.secrets = reopened.secrets;
  go_elsewhere(reopened.on);
  context_.retry_request_ = RetryRequest(reopened);
  context_.was_reopened_ = true;
  root_->reopen(reopened.exact ? std::string_view() : reopened.path);
}

void Machine::on(const UndoRequested& undo) {
  run_again(undo);
  run_frame_->on_undo(undo);
}

void Machine::on(const ItemsArrived& arrived) { context_.signals_.stream()->on_items(arrived); }

void Machine::on(const TaskReserved& reserved) { context_.attempts_.end(reserved.path).frame->on_reserved(); }

void Machine::on(const TaskEnded& ended) {
  const Attempts::Attempt attempt = context_.attempts_.end(ended.path);
  // Who sends one of a pool away would send the others away, too.
  if (ended.result.retry_after && attempt.limit && !attempt.limit->name.empty())
    context_.slots_.hold(*attempt.limit, *ended.result.retry_after);
  if (!attempt.frame) return context_.abandoned_.tell();
  attempt.frame->on_ended(ended);
}

void Machine::on(const TaskInterrupted& interrupted) {
  if (context_.attempts_.find(interrupted.path)->frame) return context_.attempts_.interrupt(interrupted.path);
  context_.attempts_.end(interrupted.path);
  context_.abandoned_.tell();
}

void Machine::on(const TaskWithdrawn& withdrawn) {
  const Attempts::Attempt attempt = context_.attempts_.end(withdrawn.path);
  if (!attempt.frame) return context_.abandoned_.tell();
  attempt.frame->on_withdrawn();
}

void Machine::on(const TimerFired& fired) {
  // Of a pool: admit() follows anyway.
  if (Frame* frame = context_.timers_.fire(fired)) frame->on_timer(fired.timer);
}

void Machine::on(const SuspendRequested&) {
  suspending_ = true;
  // Nothing more is to begin.
  context_.attempts_.withdraw_waiting("");
  context_.attempts_.interrupt_reservations();
}

bool Machine::can_be_cancelled() const { return run_frame_->open_to().cancel; }

void Machine::on(const SignalReceived& signal) { context_.signals_.receive(signal); }

void Machine::on(const CancelRequested& cancel) {
  if (cancel.now) context_.abandoned_.stop_all();
  run_frame_->on_cancel(cancel);
  context_.abandoned_.tell();
}

void Machine::enter(Phase phase) {
  phase_ = phase;
  context_.running_ = phase == Phase::Running;
}

void Machine::run_queue() {
  do {
    context_.queue_.run();
    admit();
  } while (!context_.queue_.empty());
}

void Machine::admit() {
  if (suspending_) return;
  for (std::size_t taken; (taken = context_.attempts_.weight()) < concurrency_;) {
    TaskFrame* frame = context_.slots_.admit(concurrency_ - taken, concurrency_);
    if (!frame) return;
    frame->on_admitted();
  }
}

void Machine::finish_if_idle() {
  if (phase_ != Phase::Running || context_.attempts_.busy() > 0) return;
  if (root_->settled().over() && context_.abandoned_.tidying().empty()) {
    const Settled& settled = root_->settled();
    outcome_ = {settled.state, settled.output, std::nullopt};
    if (settled.failure) outcome_.failure = *settled.failure;
    enter(Phase::Ended);
    context_.decide(RunEnded{outcome_});
  } else if (suspending_) {
    enter(Phase::Suspended);
    context_.decide(RunSuspended{});
  }
}

}  // namespace flowrun
