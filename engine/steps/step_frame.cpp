#include "engine/steps/step_frame.h"

#include <fmt/format.h>

#include "engine/language/json_schema.h"
#include "engine/model/path.h"
#include "engine/steps/error_types.h"

namespace flowrun {

bool is_kept_for_retry(const Frame& frame) {
  const RetryRequest& request = frame.context().retry_request();
  return frame.keeps_frame() || request.leads_to(frame.path()) || (request.failed() && frame.has_failed());
}

bool goes_on_in(const Frame* body, const Frame& frame) {
  const RetryRequest& request = frame.context().retry_request();
  if (!body || (request.names(frame.path()) && is_finished(frame.settled().state))) return false;
  const bool left = !is_finished(body->settled().state) || frame.context().undone().any_below(frame.path()) ||
                    (request.failed() && body->has_failed());
  return left || (request.leads_to(frame.path()) && !request.names(frame.path()));
}

Settled stopped(Settled settled, const std::string& reason, const std::string& path) {
  // What a group's timeout stops has failed; what anything else stops was not to blame.
  bool failed = reason == "timeout";
  settled.state = failed ? State::Failed : State::Cancelled;
  settled.failure = std::make_shared<const Failure>(
      failed ? Failure{"timeout", "stopped by the timeout of its group", path, settled.attempts, {}}
             : Failure{"cancelled", "cancelled: " + reason, path, settled.attempts, {}});
  return settled;
}

void StepFrame::start() {
  ready_at_ = context().now();
  settled_.state = State::Running;
  auto holds = resolve_condition(options_.condition, scope(), evaluator());
  if (!holds) return settle({State::Failed, {}, holds.failure()}, "if", Journaled::No);
  if (!*holds) return settle({State::Skipped, {}, {}}, "if", Journaled::No);
  auto delay = resolve(options_.delay, scope(), evaluator(), Duration{0}, "delay");
  if (!delay) return fail(delay.failure());
  if (*delay > Duration{0}) {
    stage_ = Stage::Delayed;
    settled_.state = State::Sleeping;
    context().timers().arm(*this, TimerKind::Delay, *delay);
  } else {
    enter();
  }
}

void StepFrame::enter() {
  stage_ = Stage::Begun;
  settled_.state = State::Running;
  if (settled_.started_at == Instant{}) {
    settled_.started_at = context().now();
    worked_from_ = context().worked();
  }
  prepare();
  if (!traits_.times_itself && options_.timeout.written()) {
    auto timeout = resolve(options_.timeout, scope(), evaluator(), Duration{0}, "timeout");
    if (!timeout) return fail(timeout.failure());
    timeout_text_ = to_string(*timeout);
    context().timers().arm(*this, TimerKind::Timeout, *timeout);
  }
  begin();
}

void StepFrame::on_timer(TimerKind timer) {
  if (timer == TimerKind::Delay) return enter();
  if (timer == TimerKind::Timeout) timed_out();
}

void StepFrame::timed_out() {
  stop("timeout");
  fail({"timeout", "timed out after " + timeout_text_});
}

void StepFrame::on_child(Frame& child) {
  if (saga_ && &child == saga_->compensation.get()) return undone();
  if (&child != fallback_.get()) return;
  Settled stand_in = child.settled();
  former_fallback_ = std::move(fallback_);
  if (!child.is_kept()) former_fallback_.reset();
  fallback_took_ = stand_in.took;
  stood_in_ = stand_in.state == State::Succeeded;
  if (stood_in_) return settle({State::Succeeded, stand_in.output, {}}, "fallback", Journaled::No);
  Failure failure = stand_in.state == State::Failed && stand_in.failure ? *stand_in.failure : *error_;
  settle({State::Failed, settled_.output, std::move(failure)}, "fallback", Journaled::No);
}

Duration StepFrame::lived() const {
  return settled_.started_at == Instant{} ? Duration{0} : context().worked() - worked_from_;
}

void StepFrame::finish(Outcome outcome, std::string reason, Journaled journaled) {
  context().timers().disarm(*this, TimerKind::Timeout);
  if (outcome.state == State::Succeeded && options_.output && !traits_.maps_itself) {
    Evaluation mapped = options_.output->evaluate(FrameScope(*this, &outcome.output), evaluator());
    if (mapped) {
      outcome.output = *std::move(mapped);
    } else {
      outcome = {State::Failed, {}, std::move(mapped.failure())};
    }
    journaled = Journaled::No;
  }
  if (outcome.state == State::Succeeded && !traits_.maps_itself)
    if (auto failure = against_returns(outcome.output)) {
      outcome = {State::Failed, std::move(outcome.output), std::move(failure)};
      journaled = Journaled::No;
    }
  if (outcome.failure && outcome.failure->step.empty()) outcome.failure->step = path();
  bool good = outcome.state == State::Succeeded || outcome.state == State::Skipped;
  if (saga_ && !good && saga_->scope.waits() && context().running()) {
    stage_ = Stage::Undo;
    saga_->compensation = std::make_unique<Compensation>(context(), *this, saga_->scope.take(), outcome.failure);
    saga_->outcome = std::move(outcome);
    saga_->reason = std::move(reason);
    context().queue().start(*saga_->compensation);
    return;
  }
  close(std::move(outcome), std::move(reason), journaled);
}

void StepFrame::undone() {
  // What could not be undone is tried again with the next scope, and makes the run fail.
  for (Undoable& rest : saga_->compensation->take_rest()) {
    rest.due = true;
    saga_->scope.add(std::move(rest));
  }
  saga_->compensation.reset();
  close(std::move(saga_->outcome), std::move(saga_->reason), Journaled::No);
}

void StepFrame::close(Outcome outcome, std::string reason, Journaled journaled) {
  if (outcome.state == State::Failed && context().running())
    if (auto [stand_in, at] = fallback_for(*outcome.failure); stand_in) {
      stage_ = Stage::Fallback;
      settled_.output = outcome.output;
      error_ = std::make_unique<Failure>(std::move(*outcome.failure));
      fallback_ = stand_in->frame(context(), this, at);
      context().queue().start(*fallback_);
      return;
    }
  settle(std::move(outcome), std::move(reason), journaled);
}

std::pair<const Step*, std::string> StepFrame::fallback_for(const Failure& failure) const {
  std::string at = path();
  const Options* of = &options_;
  while (of->fallback) {
    at += ".fallback";
    if (of->fallback_on.empty() || is_listed(of->fallback_on, failure)) return {of->fallback.get(), std::move(at)};
    of = &dynamic_cast<const CommonStep&>(*of->fallback).options;
  }
  return {};
}

std::optional<Failure> StepFrame::against_returns(const Value& output) const {
  if (!options_.returns) return std::nullopt;
  std::vector<std::string> errors = schema_errors(*options_.returns, output.json());
  if (errors.empty()) return std::nullopt;
  std::string text = "the output is not what `returns` says: " + errors.front();
  if (errors.size() > 1) text += fmt::format(" (and {} more)", errors.size() - 1);
  return Failure{"returns", std::move(text)};
}

void StepFrame::settle(Outcome outcome, std::string reason, Journaled journaled) {
  if (outcome.failure && outcome.failure->step.empty()) outcome.failure->step = path();
  if (outcome.state == State::Failed) {
    auto tolerated = resolve(options_.continue_on_error, scope(), evaluator(), false, "continue_on_error");
    settled_.tolerated = tolerated && *tolerated;
  }
  settled_.state = outcome.state;
  settled_.ended_at = over_at();
  settled_.took = lived();
  settled_.output = outcome.output;
  settled_.failure = outcome.failure ? std::make_shared<const Failure>(*outcome.failure) : nullptr;
  amend();
  hand_over(false);
  remember();
  hold_foreseen();
  if (journaled == Journaled::No && !step().kind.empty()) {
    bool shown = traits_.shows_output || (options_.output && outcome.state == State::Succeeded);
    if (!shown) outcome.output = Value();
    context().decide(StepSettled{path(), step().kind, std::move(outcome), std::move(reason)});
  }
  if (!is_heard()) settled_.output = Value();
  context().queue().settled(*this);
}

void StepFrame::hand_over(bool due) {
  if (!saga_ || !saga_->scope.waits()) return;
  if (UndoScope* outer = undo_scope_around(*this)) saga_->scope.pass_to(*outer, due);
}

void StepFrame::remember() {
  if (!options_.undo || settled_.state == State::Skipped) return;
  if (settled_.state != State::Succeeded && !(options_.undo->on_started && has_acted())) return;
  hold_undo();
  remember_undo(*this, *options_.undo, settled_);
}

void StepFrame::cancel(const std::string& reason) {
  if (settled_.over()) return;
  if (stage_ == Stage::Begun) stop(reason);
  if (stage_ == Stage::Undo) {
    saga_->compensation->cancel(reason);
    for (Undoable& rest : saga_->compensation->take_rest()) saga_->scope.add(std::move(rest));
    saga_->compensation.reset();
  }
  if (fallback_) {
    fallback_->cancel(reason);
    fallback_.reset();
  }
  context().timers().disarm(*this, TimerKind::Delay);
  context().timers().disarm(*this, TimerKind::Timeout);
  settled_.took = lived();
  settled_ = stopped(std::move(settled_), reason, path());
  settled_.ended_at = context().now();
  amend();
  hand_over(true);
  remember();
  hold_foreseen();
  if (!step().kind.empty()) context().decide(StepSettled{path(), step().kind, {settled_.state, {}, {}}, reason});
}

void StepFrame::drain() {
  if (settled_.over()) return;
  if (stage_ == Stage::Begun) return drain_work();
  if (stage_ == Stage::Fallback || stage_ == Stage::Undo) return;
  // Not begun: it never will.
  context().timers().disarm(*this, TimerKind::Delay);
  settle({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain", Journaled::No);
}

void StepFrame::prepare() {
  if (options_.undo) context().undone().note_run(path());
  if (options_.atomic && !saga_) saga_ = std::make_unique<Saga>();
}

void StepFrame::reopen(std::string_view) {
  prepare();
  settled_.state = State::Running;
  settled_.started_at = context().now();
  worked_from_ = context().worked();
  fallback_took_ = Duration{0};
  settled_.tolerated = false;
  settled_.failure.reset();
  settled_.output = Value();
  stood_in_ = false;
  settled_.group.reset();
  error_.reset();
  former_fallback_.reset();
  stage_ = Stage::Begun;
}

void StepFrame::name_open(std::vector<std::string>& paths) const {
  if (settled_.over()) return;
  const std::size_t before = paths.size();
  if (stage_ == Stage::Begun) name_open_within(paths);
  if (fallback_) fallback_->name_open(paths);
  if (saga_ && saga_->compensation) saga_->compensation->name_open(paths);
  if (paths.size() == before) paths.push_back(path());
}

std::optional<Settled> StepFrame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  const Frame* stand_in = fallback_ ? fallback_.get() : former_fallback_.get();
  if (!stand_in) return look_within(rest);
  const std::string_view suffix = std::string_view(stand_in->path()).substr(path().size());
  if (!is_below(rest, suffix)) return look_within(rest);
  rest.remove_prefix(suffix.size());
  if (rest.starts_with('/')) rest.remove_prefix(1);
  return stand_in->look(rest);
}

Frame::Bound StepFrame::bind(const Reference& reference) const {
  if (reference.variable == "error" && error_) return Value(to_json(*error_));
  if (step().kind.empty()) return std::nullopt;  // a bare body: its step's own answers are meant
  if (reference.variable == "now")
    return Value(Json(std::chrono::duration_cast<std::chrono::seconds>(ready_at_.time_since_epoch()).count()));
  if (reference.variable == "uuid") return Value::string(context().chance().uuid(path() + "\nuuid"));
  if (reference.variable == "random") return Value(Json(context().chance().uniform(path() + "\nrandom")));
  return std::nullopt;
}

}  // namespace flowrun
