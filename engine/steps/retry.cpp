#include "engine/steps/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace flowrun {
namespace {

// flowrun-workflow(5), "Error types": what may well go better next time.
constexpr std::array<std::string_view, 17> kTransient{
    "connect",  "dns",      "timeout",  "killed",   "http.408", "http.425", "http.429", "http.500", "http.502",
    "http.503", "http.504", "http.520", "http.521", "http.522", "http.523", "http.524", "http.529"};

template <typename... T>
const Failure* first_failure(const Fallible<T>&... all) {
  const Failure* first = nullptr;
  ((first = first || all ? first : &all.failure()), ...);
  return first;
}

}  // namespace

void RetryingFrame::stop(const std::string& reason) {
  stop_try(reason);
  context().timers().disarm(*this, TimerKind::Retry);
  context().timers().disarm(*this, TimerKind::Poll);
  context().timers().disarm(*this, TimerKind::Deadline);
}

bool RetryingFrame::arm_deadline() {
  if (deadline_at_ || !work_.deadline.written()) return true;
  auto deadline = resolve(work_.deadline, scope(), evaluator(), Duration{0}, "deadline");
  if (!deadline) {
    stop_try("deadline");
    give_up(std::move(deadline.failure()), {}, Journaled::No);
    return false;
  }
  deadline_at_ = context().worked() + *deadline;
  context().timers().arm(*this, TimerKind::Deadline, *deadline);
  return true;
}

void RetryingFrame::renew() {
  budget_from_ = settled_.attempts;
  polls_ = 0;
  deadline_at_.reset();
  tried_for_ = Duration{0};
  counts_from_.reset();
  refused_ = false;
}

void RetryingFrame::complete_poll(Result& result, Evaluator& evaluator) const {
  if (!work_.poll) return;
  const PollPolicy& poll = *work_.poll;
  if (!result.ok()) {
    const std::string& type = result.failure->type;
    result.again = !poll.errors_fail && (matches("transient", type) || matches("exit", type) || type == "child");
  } else {
    Json raw = keeps_raw() ? result.value.json() : Json();
    if (raw.is_object()) {
      raw["polls"] = polls_ + 1;
      raw["elapsed_ms"] = (tried_for_ + result.took).count();
    }
    Value value(std::move(raw));
    FrameScope scope(*this, &value);
    auto holds = [&](const std::optional<Expression>& condition, bool default_value) {
      if (!condition || result.failure) return default_value;
      Evaluation evaluation = condition->condition(scope, evaluator);
      if (evaluation) return evaluation->json().get<bool>();
      result.failure = std::move(evaluation.failure());
      return default_value;
    };
    if (holds(poll.fail_if, false)) result.failure = Failure{"expect", "`fail_if` holds: " + poll.fail_if->code()};
    result.again = !holds(poll.until, true) && !result.failure;
  }
  if (result.again) result.value = Value();
}

void RetryingFrame::poll_again() {
  const PollPolicy& poll = *work_.poll;
  ++polls_;
  // Each poll has its own tries.
  budget_from_ = settled_.attempts;
  auto attempts = resolve<std::int64_t>(poll.attempts, scope(), evaluator(), 0, "poll.attempts");
  auto every = resolve(poll.every, scope(), evaluator(), Duration{5000}, "poll.every");
  auto factor = resolve(poll.backoff, scope(), evaluator(), 1.0, "poll.backoff");
  auto most = resolve(poll.max_every, scope(), evaluator(), Duration::max(), "poll.max_every");
  if (const Failure* bad = first_failure(attempts, every, factor, most)) return give_up(*bad, {}, Journaled::No);
  if (std::int64_t limit = std::get<std::int64_t>(attempts); limit > 0 && polls_ >= limit)
    return give_up({"timeout", fmt::format("not yet after {} {}", polls_, polls_ == 1 ? "poll" : "polls")}, {},
                   Journaled::No);
  const Backoff backoff{*every, *factor, *most, false};
  settled_.state = State::Retrying;
  counts_from_ = context().worked();
  context().timers().arm(*this, TimerKind::Poll, wait_after(backoff, polls_, 0), polls_, "not yet");
}

Value RetryingFrame::raw_of(const Failure& failure, const Result& result) const {
  // What `expect` or `fail_if` refused is there as it came, whether or not it was refused before it became an entry.
  if (result.ok() || failure.type == "expect") return result.value;
  const Json& detail = failure.detail.json();
  if (detail.is_object() && detail.contains("http")) return Value(detail.at("http"));
  return failure.detail;
}

bool RetryingFrame::wants_retry(const Failure& failure, const Result& result) {
  const RetryPolicy& policy = work_.retry;
  if (policy.only_unsent && result.sent) return false;
  bool listed = std::any_of(policy.on.begin(), policy.on.end(),
                            [&](const std::string& pattern) { return matches(pattern, failure.type); });
  if (!listed || !policy.condition) return listed;
  Value raw = raw_of(failure, result);
  Evaluation wanted = policy.condition->condition(FrameScope(*this, &raw, &failure), evaluator());
  return wanted && wanted->json().get<bool>();
}

void RetryingFrame::attempt_failed(Failure failure, const Result& result, Journaled journaled,
                                   std::optional<Value> shown) {
  const Value& output = shown ? *shown : result.value;
  failure.step = path();
  failure.attempt = settled_.attempts;
  int failed = settled_.attempts - budget_from_;
  refused_ = result.code >= 400 && result.code < 500 && !matches("transient", failure.type) && result.code != 409;
  const RetryPolicy& policy = work_.retry;
  auto attempts = resolve<std::int64_t>(policy.attempts, scope(), evaluator(), 1, "retry.attempts");
  auto delay = resolve(policy.delay, scope(), evaluator(), Duration{500}, "retry.delay");
  auto factor = resolve(policy.backoff, scope(), evaluator(), 2.0, "retry.backoff");
  auto most = resolve(policy.max_delay, scope(), evaluator(), Duration{30000}, "retry.max_delay");
  if (const Failure* bad = first_failure(attempts, delay, factor, most)) return give_up(*bad, output, Journaled::No);
  if (failed >= std::get<std::int64_t>(attempts) || !wants_retry(failure, result))
    return give_up(std::move(failure), output, journaled);

  const Backoff backoff{*delay, *factor, *most, policy.jitter};
  double chance = context().chance().uniform(fmt::format("{}\nattempt {}", path(), settled_.attempts));
  Duration wait = wait_after(backoff, failed, chance);
  if (result.retry_after) wait = std::max(wait, *result.retry_after);
  if (deadline_at_ && context().worked() + wait > *deadline_at_ && result.retry_after && wait == *result.retry_after) {
    failure.message += fmt::format("; the server asks to wait {}, longer than the deadline leaves", to_string(wait));
    return give_up(std::move(failure), output, Journaled::No);
  }
  settled_.state = State::Retrying;
  counts_from_ = context().worked();
  context().timers().arm(*this, TimerKind::Retry, wait, settled_.attempts, failure.type);
}

void RetryingFrame::give_up(Failure failure, Value output, Journaled journaled) {
  context().timers().disarm(*this, TimerKind::Deadline);
  context().timers().disarm(*this, TimerKind::Retry);
  context().timers().disarm(*this, TimerKind::Poll);
  failure.step = path();
  failure.attempt = settled_.attempts;
  finish({State::Failed, std::move(output), std::move(failure)}, "", journaled);
}

void RetryingFrame::on_timer(TimerKind timer) {
  if (timer == TimerKind::Retry || timer == TimerKind::Poll) {
    if (counts_from_) tried_for_ += context().worked() - *counts_from_;
    counts_from_.reset();
    try_now();
  } else if (timer == TimerKind::Deadline) {
    stop_try("deadline");
    auto deadline = resolve(work_.deadline, scope(), evaluator(), Duration{0}, "deadline");
    std::string span = deadline ? to_string(*deadline) : "";
    std::string what = fmt::format("deadline of {} reached after {} {}", span, settled_.attempts,
                                   settled_.attempts == 1 ? "try" : "tries");
    if (settled_.attempts == 0)
      what = fmt::format("deadline of {} reached before the first try: Retry-After holds `limit: {}` back", span,
                         step().limit ? step().limit->name : "");
    give_up({"deadline", std::move(what)}, {}, Journaled::No);
  } else {
    StepFrame::on_timer(timer);
  }
}

bool is_refusal(std::string_view type) {
  return matches("http.4xx", type) && !matches("transient", type) && type != "http.409";
}

bool matches(std::string_view pattern, std::string_view type) {
  if (pattern == type) return true;
  if (pattern == "any") return type != "expression" && type != "internal";
  if (pattern == "transient") return std::find(kTransient.begin(), kTransient.end(), type) != kTransient.end();
  std::size_t dot = type.find('.');
  if (dot == std::string_view::npos) return false;
  if (pattern == type.substr(0, dot)) return true;
  // http.5xx
  return pattern.size() == 8 && pattern.substr(6) == "xx" && type.size() == 8 &&
         pattern.substr(0, 6) == type.substr(0, 6);
}

}  // namespace flowrun
