#include "engine/steps/retry.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/steps/error_types.h"

namespace flowrun {
namespace {

template <typename... T>
const Failure* first_failure(const Fallible<T>&... all) {
  const Failure* first = nullptr;
  ((first = first || all ? first : &all.failure()), ...);
  return first;
}

}  // namespace

bool RetryLoop::keeps_raw() const {
  const auto& poll = settings_.poll;
  return settings_.retry.condition || (poll && (poll->until || poll->fail_if));
}

void RetryLoop::disarm() {
  Timers& timers = frame_.context().timers();
  timers.disarm(frame_, TimerKind::Retry);
  timers.disarm(frame_, TimerKind::Poll);
  timers.disarm(frame_, TimerKind::Deadline);
}

void RetryLoop::disarm_deadline() { frame_.context().timers().disarm(frame_, TimerKind::Deadline); }

std::optional<Failure> RetryLoop::arm_deadline() {
  if (deadline_at_ || !settings_.deadline.written()) return std::nullopt;
  auto deadline = resolve(settings_.deadline, scope(), evaluator(), Duration{0}, "deadline");
  if (!deadline) return std::move(deadline.failure());
  deadline_at_ = frame_.context().worked() + *deadline;
  frame_.context().timers().arm(frame_, TimerKind::Deadline, *deadline);
  return std::nullopt;
}

Failure RetryLoop::out_of_time() const {
  auto deadline = resolve(settings_.deadline, scope(), evaluator(), Duration{0}, "deadline");
  std::string span = deadline ? to_string(*deadline) : "";
  std::string what = fmt::format("deadline of {} reached after {} {}", span, settled_.attempts,
                                 settled_.attempts == 1 ? "try" : "tries");
  if (settled_.attempts == 0)
    what = fmt::format("deadline of {} reached before the first try: Retry-After holds `limit: {}` back", span,
                       frame_.step().limit ? frame_.step().limit->name : "");
  return {"deadline", std::move(what)};
}

Duration RetryLoop::tried_for() const {
  return tried_for_ + (counts_from_ ? frame_.context().worked() - *counts_from_ : Duration{0});
}

void RetryLoop::renew() {
  renew_tries();
  polls_ = 0;
  deadline_at_.reset();
  tried_for_ = Duration{0};
  counts_from_.reset();
  refused_ = false;
}

void RetryLoop::complete_poll(Result& result, bool raw, Evaluator& evaluator) const {
  if (!settings_.poll) return;
  const PollPolicy& poll = *settings_.poll;
  if (!result.ok()) {
    const std::string& type = result.failure->type;
    result.again = !poll.errors_fail && (matches("transient", type) || matches("exit", type) || type == "child");
  } else {
    Json seen = raw ? result.value.json() : Json();
    if (seen.is_object()) {
      seen["polls"] = polls_ + 1;
      seen["elapsed_ms"] = (tried_for_ + result.took).count();
    }
    Value value(std::move(seen));
    FrameScope scope(frame_, &value);
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

std::optional<Failure> RetryLoop::poll_again() {
  const PollPolicy& poll = *settings_.poll;
  ++polls_;
  renew_tries();
  auto attempts = resolve<std::int64_t>(poll.attempts, scope(), evaluator(), 0, "poll.attempts");
  auto every = resolve(poll.every, scope(), evaluator(), Duration{5000}, "poll.every");
  auto factor = resolve(poll.backoff, scope(), evaluator(), 1.0, "poll.backoff");
  auto most = resolve(poll.max_every, scope(), evaluator(), Duration::max(), "poll.max_every");
  if (const Failure* bad = first_failure(attempts, every, factor, most)) return *bad;
  if (std::int64_t limit = std::get<std::int64_t>(attempts); limit > 0 && polls_ >= limit)
    return Failure{"timeout", fmt::format("not yet after {} {}", polls_, polls_ == 1 ? "poll" : "polls")};
  const Backoff backoff{*every, *factor, *most, false};
  settled_.state = State::Retrying;
  count_from_now();
  frame_.context().timers().arm(frame_, TimerKind::Poll, wait_after(backoff, polls_, 0), polls_, "not yet");
  return std::nullopt;
}

Value RetryLoop::raw_of(const Failure& failure, const Result& result) const {
  // What `expect` or `fail_if` refused is there as it came, whether or not it was refused before it became an entry.
  if (result.ok() || failure.type == "expect") return result.value;
  const Json& detail = failure.detail.json();
  if (detail.is_object() && detail.contains("http")) return Value(detail.at("http"));
  return failure.detail;
}

bool RetryLoop::wants_retry(const Failure& failure, const Result& result) const {
  const RetryPolicy& policy = settings_.retry;
  if (policy.only_unsent && result.sent) return false;
  // To older programs `child` said all that there was.
  const bool whole = frame_.context().rules().errors_are_seen_through();
  const bool listed = is_listed(policy.on, whole ? failure : Failure{failure.type, ""});
  if (!listed || !policy.condition) return listed;
  Value raw = raw_of(failure, result);
  Evaluation wanted = policy.condition->condition(FrameScope(frame_, &raw, &failure), evaluator());
  return wanted && wanted->json().get<bool>();
}

std::optional<RetryLoop::End> RetryLoop::try_again(Failure failure, const Result& result, Journaled journaled) {
  failure.step = frame_.path();
  failure.attempt = settled_.attempts;
  int failed = settled_.attempts - budget_from_;
  refused_ = result.code >= 400 && result.code < 500 && !matches("transient", failure.type) && result.code != 409;
  const RetryPolicy& policy = settings_.retry;
  auto attempts = resolve<std::int64_t>(policy.attempts, scope(), evaluator(), 1, "retry.attempts");
  auto delay = resolve(policy.delay, scope(), evaluator(), Duration{500}, "retry.delay");
  auto factor = resolve(policy.backoff, scope(), evaluator(), 2.0, "retry.backoff");
  Duration unwritten{30000};
  if (delay && frame_.context().rules().delays_are_kept()) unwritten = std::max(unwritten, *delay);
  auto most = resolve(policy.max_delay, scope(), evaluator(), unwritten, "retry.max_delay");
  if (const Failure* bad = first_failure(attempts, delay, factor, most)) return End{*bad, Journaled::No};
  if (failed >= std::get<std::int64_t>(attempts) || !wants_retry(failure, result))
    return End{std::move(failure), journaled};

  Context& context = frame_.context();
  const Backoff backoff{*delay, *factor, *most, policy.jitter};
  double chance = context.chance().uniform(fmt::format("{}\nattempt {}", frame_.path(), settled_.attempts));
  Duration wait = wait_after(backoff, failed, chance);
  if (result.retry_after) wait = std::max(wait, *result.retry_after);
  if (deadline_at_ && context.worked() + wait > *deadline_at_ && result.retry_after && wait == *result.retry_after) {
    failure.message += fmt::format("; the server asks to wait {}, longer than the deadline leaves", to_string(wait));
    // The end of the attempt says less than that.
    return End{std::move(failure), Journaled::No};
  }
  settled_.state = State::Retrying;
  count_from_now();
  context.timers().arm(frame_, TimerKind::Retry, wait, settled_.attempts, failure.type);
  return std::nullopt;
}

void RetryLoop::waited() {
  tried_for_ = tried_for();
  counts_from_.reset();
}

Outcome RetryLoop::failed(Failure failure, Value output) {
  disarm();
  failure.step = frame_.path();
  failure.attempt = settled_.attempts;
  return {State::Failed, std::move(output), std::move(failure)};
}

}  // namespace flowrun
