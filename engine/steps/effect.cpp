#include "engine/steps/effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/model/json_text.h"

namespace flowrun {
namespace {

// flowrun-workflow(5), "Error types": what may well go better next time.
constexpr std::array<std::string_view, 17> kTransient{
    "connect",  "dns",      "timeout",  "killed",   "http.408", "http.425", "http.429", "http.500", "http.502",
    "http.503", "http.504", "http.520", "http.521", "http.522", "http.523", "http.524", "http.529"};

class EffectFrame : public Life {
 public:
  EffectFrame(Machine& machine, Frame* parent, const EffectStep& step, std::string path)
      : Life(machine, parent, step, std::move(path)), effect_(step) {}

  void on_admitted() override;
  void on_reserved() override { start_attempt(); }
  void on_ended(const TaskEnded& ended) override;
  void weigh(Result& result) const override;
  void on_timer(TimerKind timer) override;
  void on_crashed(const RunResumed& resumed) override;
  void reopen(std::string_view only) override;
  bool keeps_frame() const override {
    return settled_.state == State::Failed || settled_.state == State::Cancelled || Frame::keeps_frame();
  }

 protected:
  void begin() override { machine().request_place(*this); }
  void stop(const std::string& reason) override;
  void drain_work() override;
  bool arms_timeout() const override { return false; }
  bool maps_output() const override { return false; }
  bool has_acted() const override { return settled_.attempts > 0; }

 private:
  bool keeps_raw() const {
    return options().output || effect_.expect_condition || effect_.retry.condition || effect_.paginate ||
           (effect_.poll && (effect_.poll->until || effect_.poll->fail_if));
  }
  void poll_again();
  void weigh_page(Result& result) const;
  void take_page(const Result& result);
  /// What `expect.if` has against a raw result.
  std::optional<Failure> unexpected(const FrameScope& raw, Evaluator& evaluator) const;
  void reserve();
  void start_attempt();
  void succeed(const Result& result);
  /// An attempt has failed: try again, or fail. |said|: the journal knows the failure from the attempt's end.
  void attempt_failed(Failure failure, const Result& result, Said said);
  bool wants_retry(const Failure& failure, const Result& result);
  Value raw_of(const Failure& failure, const Result& result) const;
  void give_up(Failure failure, Value output, Said said);

  const EffectStep& effect_;
  int rerun_ = 0;
  int budget_from_ = 0;  ///< attempts that were used up before the step was reopened
  int polls_ = 0;        ///< that said: not yet
  bool tried_ = false;   ///< since it was started or reopened
  Pages pages_;
  int undone_ = 0;        ///< how often the step had been undone when its pages began
  int generation_ = 0;    ///< grows when a refused step is reopened: its old key would bring the old answer
  bool refused_ = false;  ///< the last failure was a definite refusal
  std::optional<Instant> deadline_at_;
};

void EffectFrame::on_admitted() {
  if (!effect_.strict()) return start_attempt();
  reserve();
}

void EffectFrame::reserve() {
  ReservePlace place = effect_.reservation();
  place.path = path();
  machine().reserve(*this, std::move(place));
}

void EffectFrame::start_attempt() {
  settled_.state = State::Running;
  std::string name = path();
  if (int generation = generation_ + this->generation() + machine().times_undone(path()); generation > 0)
    name += fmt::format("\ngeneration {}", generation);
  if (polls_ > 0) name += fmt::format("\npoll {}", polls_);
  if (pages_.current() > 1) name += fmt::format("\npage {}", pages_.current());
  std::string key = effect_.keyed() ? machine().chance().uuid(name) : "";
  auto work = effect_.resolve(scope(), evaluator(), *this, key, pages_.next);
  if (auto* failure = std::get_if<Failure>(&work)) return give_up(std::move(*failure), {}, Said::Nothing);
  auto timeout = resolve(options().timeout, scope(), evaluator(), Duration{0}, "timeout");
  if (auto* failure = std::get_if<Failure>(&timeout)) return give_up(std::move(*failure), {}, Said::Nothing);

  if (rerun_ == 0) ++settled_.attempts;
  Task task;
  task.path = path();
  task.attempt = settled_.attempts;
  task.rerun = rerun_;
  if (effect_.paginate) task.page = static_cast<int>(pages_.current());
  task.idempotency_key = std::move(key);
  if (options().timeout.written()) task.timeout = std::get<Duration>(timeout);
  task.keep_raw = keeps_raw();
  task.strict = effect_.strict();
  task.work = std::move(std::get<EffectStep::Work>(work));
  machine().start_task(*this, std::move(task), effect_.on_crash);
  tried_ = true;
  if (!deadline_at_ && effect_.deadline.written()) {
    auto deadline = resolve(effect_.deadline, scope(), evaluator(), Duration{0}, "deadline");
    if (auto* failure = std::get_if<Failure>(&deadline)) {
      machine().stop_task(*this, "deadline");
      return give_up(std::move(*failure), {}, Said::Nothing);
    }
    deadline_at_ = machine().now() + std::get<Duration>(deadline);
    machine().arm(*this, TimerKind::Deadline, std::get<Duration>(deadline));
  }
}

void EffectFrame::on_ended(const TaskEnded& ended) {
  rerun_ = 0;
  if (ended.result.again) {
    poll_again();
  } else if (ended.result.ok() && ended.result.page > 0) {
    take_page(ended.result);
  } else if (ended.result.ok()) {
    succeed(ended.result);
  } else {
    Failure failure = *ended.result.failure;
    attempt_failed(std::move(failure), ended.result, Said::All);
  }
}

void EffectFrame::succeed(const Result& result) {
  auto good = [&](Value output, Said said) {
    if (auto failure = against_returns(output)) return attempt_failed(std::move(*failure), result, Said::Nothing);
    machine().disarm(*this, TimerKind::Deadline);
    finish({State::Succeeded, std::move(output), {}}, "", said);
  };
  if (!keeps_raw()) return good(result.value, Said::All);
  FrameScope raw(*this, &result.value);
  if (auto failure = unexpected(raw, evaluator())) return attempt_failed(std::move(*failure), result, Said::Nothing);
  if (!options().output) return good(Value(result.value.json().at(effect_.default_output())), Said::All);
  Evaluation mapped = options().output->evaluate(raw, evaluator());
  if (auto* failure = std::get_if<Failure>(&mapped)) return attempt_failed(std::move(*failure), result, Said::Nothing);
  good(std::get<Value>(std::move(mapped)), Said::Nothing);
}

std::optional<Failure> EffectFrame::unexpected(const FrameScope& raw, Evaluator& evaluator) const {
  if (!effect_.expect_condition) return std::nullopt;
  Evaluation expected = effect_.expect_condition->condition(raw, evaluator);
  if (auto* failure = std::get_if<Failure>(&expected)) return std::move(*failure);
  if (std::get<Value>(expected).json().get<bool>()) return std::nullopt;
  return Failure{"expect", "the answer is not what `expect` asks for: " + effect_.expect_condition->code(), "", 0, {}};
}

void EffectFrame::weigh(Result& result) const {
  if (effect_.paginate) return weigh_page(result);
  if (!effect_.poll) return;
  const PollPolicy& poll = *effect_.poll;
  if (!result.ok()) {
    const std::string& type = result.failure->type;
    result.again = !poll.errors_fail && (matches("transient", type) || matches("exit", type));
  } else {
    Json raw = keeps_raw() ? result.value.json() : Json();
    if (raw.is_object()) {
      raw["polls"] = polls_ + 1;
      raw["elapsed_ms"] = (machine().now() - settled_.started_at).count() + result.took.count();
    }
    Value value(std::move(raw));
    FrameScope scope(*this, &value);
    auto holds = [&](const std::optional<Expression>& condition, bool otherwise) {
      if (!condition || result.failure) return otherwise;
      Evaluation evaluation = condition->condition(scope, machine().unrecorded());
      if (auto* failure = std::get_if<Failure>(&evaluation)) {
        result.failure = std::move(*failure);
        return otherwise;
      }
      return std::get<Value>(evaluation).json().get<bool>();
    };
    if (holds(poll.fail_if, false))
      result.failure = Failure{"expect", "`fail_if` holds: " + poll.fail_if->code(), "", 0, {}};
    result.again = !holds(poll.until, true) && !result.failure;
  }
  if (result.again) result.value = Value();
}

void EffectFrame::poll_again() {
  const PollPolicy& poll = *effect_.poll;
  ++polls_;
  // Each poll has its own tries.
  budget_from_ = settled_.attempts;
  auto attempts = resolve<std::int64_t>(poll.attempts, scope(), evaluator(), 0, "poll.attempts");
  auto every = resolve(poll.every, scope(), evaluator(), Duration{5000}, "poll.every");
  auto factor = resolve(poll.backoff, scope(), evaluator(), 1.0, "poll.backoff");
  auto most = resolve(poll.max_every, scope(), evaluator(), Duration::max(), "poll.max_every");
  for (const Failure* bad : {std::get_if<Failure>(&attempts), std::get_if<Failure>(&every),
                             std::get_if<Failure>(&factor), std::get_if<Failure>(&most)})
    if (bad) return give_up(*bad, {}, Said::Nothing);
  if (std::int64_t limit = std::get<std::int64_t>(attempts); limit > 0 && polls_ >= limit)
    return give_up({"timeout", fmt::format("not yet after {} {}", polls_, polls_ == 1 ? "poll" : "polls"), "", 0, {}},
                   {}, Said::Nothing);
  Backoff backoff{std::get<Duration>(every), std::get<double>(factor), std::get<Duration>(most), false};
  settled_.state = State::Retrying;
  machine().arm(*this, TimerKind::Poll, wait_after(backoff, polls_, 0), polls_, "not yet");
}

/// The entry of a page brings its output and what comes next, so that a replay asks nothing and the pages before need
/// not be kept as they came.
void EffectFrame::weigh_page(Result& result) const {
  if (!result.ok()) return;
  Json tree = result.value.json();
  tree["page"] = pages_.current();
  Value raw(std::move(tree));
  FrameScope scope(*this, &raw);
  Evaluator& evaluator = machine().unrecorded();
  if ((result.failure = unexpected(scope, evaluator))) return;
  Evaluation output = options().output ? options().output->evaluate(scope, evaluator)
                                       : Evaluation(Value(raw.json().at(effect_.default_output())));
  auto next = next_page(*effect_.paginate, raw, pages_.next, scope, evaluator);
  for (const Failure* failure : {std::get_if<Failure>(&output), std::get_if<Failure>(&next)})
    if (failure && result.ok()) result.failure = *failure;
  if (!result.ok()) return;
  // As text alone: the pages are kept until the last has come, and a tree is many times as large.
  result.value = Value::from_text(std::get<Value>(output).text());
  result.page = static_cast<int>(pages_.current());
  result.next = std::get<std::string>(std::move(next));
}

void EffectFrame::take_page(const Result& result) {
  pages_.outputs.push_back(result.value);
  pages_.next = result.next;
  // Each page has its own tries.
  budget_from_ = settled_.attempts;
  if (pages_.next.empty()) {
    // Whatever is wrong with the whole: who tries again begins at the first page.
    Value whole = joined(std::exchange(pages_, Pages()).outputs);
    if (auto failure = against_returns(whole)) return give_up(std::move(*failure), std::move(whole), Said::Nothing);
    machine().disarm(*this, TimerKind::Deadline);
    return finish({State::Succeeded, std::move(whole), {}}, "", Said::All);
  }
  auto most = resolve<std::int64_t>(effect_.paginate->max_pages, scope(), evaluator(), 500, "paginate.max_pages");
  if (auto* failure = std::get_if<Failure>(&most)) return give_up(*failure, {}, Said::Nothing);
  auto counted = static_cast<std::int64_t>(pages_.outputs.size() - pages_.counted_from);
  if (counted >= std::get<std::int64_t>(most))
    return give_up({"expect",
                    fmt::format("there are more pages than `max_pages` allows, {}; what has come is kept, and "
                                "`flowrun retry` goes on with as many more",
                                std::get<std::int64_t>(most)),
                    "",
                    0,
                    {}},
                   {}, Said::Nothing);
  machine().request_place(*this);
}

Value EffectFrame::raw_of(const Failure& failure, const Result& result) const {
  // What `expect` or `fail_if` refused is there as it came, whether or not it was refused before it became an entry.
  if (result.ok() || failure.type == "expect") return result.value;
  const Json& detail = failure.detail.json();
  if (detail.is_object() && detail.contains("http")) return Value(detail.at("http"));
  return failure.detail;
}

bool EffectFrame::wants_retry(const Failure& failure, const Result& result) {
  const RetryPolicy& policy = effect_.retry;
  if (policy.only_unsent && result.sent) return false;
  bool listed = std::any_of(policy.on.begin(), policy.on.end(),
                            [&](const std::string& pattern) { return matches(pattern, failure.type); });
  if (!listed || !policy.condition) return listed;
  Value raw = raw_of(failure, result);
  Evaluation wanted = policy.condition->condition(FrameScope(*this, &raw, &failure), evaluator());
  return std::holds_alternative<Value>(wanted) && std::get<Value>(wanted).json().get<bool>();
}

void EffectFrame::attempt_failed(Failure failure, const Result& result, Said said) {
  failure.step = path();
  failure.attempt = settled_.attempts;
  int failed = settled_.attempts - budget_from_;
  refused_ = result.code >= 400 && result.code < 500 && !matches("transient", failure.type) && result.code != 409;
  const RetryPolicy& policy = effect_.retry;
  auto attempts = resolve<std::int64_t>(policy.attempts, scope(), evaluator(), 1, "retry.attempts");
  auto delay = resolve(policy.delay, scope(), evaluator(), Duration{500}, "retry.delay");
  auto factor = resolve(policy.backoff, scope(), evaluator(), 2.0, "retry.backoff");
  auto most = resolve(policy.max_delay, scope(), evaluator(), Duration{30000}, "retry.max_delay");
  for (const Failure* bad : {std::get_if<Failure>(&attempts), std::get_if<Failure>(&delay),
                             std::get_if<Failure>(&factor), std::get_if<Failure>(&most)})
    if (bad) return give_up(*bad, result.value, Said::Nothing);
  if (failed >= std::get<std::int64_t>(attempts) || !wants_retry(failure, result))
    return give_up(std::move(failure), result.value, said);

  Backoff backoff{std::get<Duration>(delay), std::get<double>(factor), std::get<Duration>(most), policy.jitter};
  double chance = machine().chance().uniform(fmt::format("{}\nattempt {}", path(), settled_.attempts));
  Duration wait = wait_after(backoff, failed, chance);
  if (result.retry_after) wait = std::max(wait, *result.retry_after);
  if (deadline_at_ && machine().now() + wait > *deadline_at_ && result.retry_after && wait == *result.retry_after) {
    failure.message += fmt::format("; the server asks to wait {}, longer than the deadline leaves", spell(wait));
    return give_up(std::move(failure), result.value, Said::Nothing);
  }
  settled_.state = State::Retrying;
  machine().arm(*this, TimerKind::Retry, wait, settled_.attempts, failure.type);
}

void EffectFrame::give_up(Failure failure, Value output, Said said) {
  machine().disarm(*this, TimerKind::Deadline);
  machine().disarm(*this, TimerKind::Retry);
  machine().disarm(*this, TimerKind::Poll);
  failure.step = path();
  failure.attempt = settled_.attempts;
  finish({State::Failed, std::move(output), std::move(failure)}, "", said);
}

void EffectFrame::on_timer(TimerKind timer) {
  if (timer == TimerKind::Retry || timer == TimerKind::Poll) {
    machine().request_place(*this);
  } else if (timer == TimerKind::Deadline) {
    machine().withdraw(*this);
    machine().stop_task(*this, "deadline");
    auto deadline = resolve(effect_.deadline, scope(), evaluator(), Duration{0}, "deadline");
    std::string span = std::holds_alternative<Duration>(deadline) ? spell(std::get<Duration>(deadline)) : "";
    give_up({"deadline",
             fmt::format("deadline of {} reached after {} {}", span, settled_.attempts,
                         settled_.attempts == 1 ? "try" : "tries"),
             "",
             0,
             {}},
            {}, Said::Nothing);
  } else {
    Life::on_timer(timer);
  }
}

void EffectFrame::on_crashed(const RunResumed& resumed) {
  auto mark = std::find_if(resumed.marks.begin(), resumed.marks.end(), [&](const Mark& m) { return m.path == path(); });
  bool marked = mark != resumed.marks.end();
  if (marked && !mark->rerun) {
    rerun_ = 0;
    if (mark->done) {
      machine().disarm(*this, TimerKind::Deadline);
      return finish({State::Succeeded, mark->output, {}}, "marked done");
    }
    return give_up({"crash", "marked as failed after the run was cut off", "", 0, {}}, {}, Said::Nothing);
  }
  OnCrash answer = effect_.on_crash == OnCrash::Ask ? resumed.on_crash : effect_.on_crash;
  if (marked) answer = OnCrash::Rerun;
  if (answer == OnCrash::Rerun) {
    ++rerun_;
    // A pool may have a rate, or be held back by a server: that goes for what is begun again as well.
    if (effect_.limit && !effect_.limit->name.empty()) {
      machine().request_place(*this, true);
    } else if (effect_.strict()) {
      reserve();
    } else {
      start_attempt();
    }
    return;
  }
  rerun_ = 0;
  give_up({"crash", "was running when the run was cut off", "", 0, {}}, {}, Said::Nothing);
}

void EffectFrame::stop(const std::string& reason) {
  machine().withdraw(*this);
  machine().stop_task(*this, reason);
  machine().disarm(*this, TimerKind::Retry);
  machine().disarm(*this, TimerKind::Poll);
  machine().disarm(*this, TimerKind::Deadline);
}

void EffectFrame::drain_work() {
  // A leaf that has not been tried yet has not started; one that has may finish, its retries included.
  if (tried_ || !machine().waits_for_place(*this)) return;
  machine().withdraw(*this);
  finish({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain");
}

void EffectFrame::reopen(std::string_view only) {
  Life::reopen(only);
  budget_from_ = settled_.attempts;
  rerun_ = 0;
  polls_ = 0;
  tried_ = false;
  // What has been undone with the step has to come again.
  if (int undone = machine().times_undone(path()); undone != std::exchange(undone_, undone)) pages_ = {};
  pages_.counted_from = pages_.outputs.size();
  deadline_at_.reset();
  if (refused_) ++generation_;
  refused_ = false;
  machine().request_place(*this);
}

}  // namespace

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

std::unique_ptr<Frame> EffectStep::frame(Machine& machine, Frame* parent, std::string path) const {
  return std::make_unique<EffectFrame>(machine, parent, *this, std::move(path));
}

}  // namespace flowrun
