#include "engine/steps/effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/machine/enclosure.h"
#include "engine/machine/task_frame.h"
#include "engine/steps/asked_by.h"

namespace flowrun {
namespace {

class EffectFrame final : public StepFrame, public TaskFrame {
 public:
  EffectFrame(Context& context, Frame* parent, const CommonStep& step, const RetrySettings& retry, const Effect& effect,
              std::string path)
      : StepFrame(context, parent, step, std::move(path), {.times_itself = true, .maps_itself = true, .reopens = true}),
        TaskFrame(static_cast<Frame&>(*this)),
        effect_(effect),
        definition_(step.definition),
        has_deadline_(retry.deadline.written()),
        loop_(*this, settled_, retry) {}

  void on_admitted() override;
  void on_timer(TimerKind timer) override;
  bool keeps_frame() const override { return can_try_again(settled_) || Frame::keeps_frame(); }
  void on_held() override {
    if (context().rules().deadlines_count_holds()) arm_deadline();
  }
  void on_reserved() override { start_attempt(); }
  void on_ended(const TaskEnded& ended) override;
  void on_withdrawn() override;
  void complete_result(Result& result) const override;
  void on_crashed(const RunResumed& resumed) override;
  void reopen(std::string_view only) override;

 protected:
  void begin() override { try_now(); }
  void stop(const std::string& reason) override;
  void drain_work() override;
  bool has_acted() const override { return settled_.attempts > 0; }
  Duration lived() const override;
  Instant over_at() const override;

 private:
  void try_now() {
    if (auto mark = context().retry_request().take_mark(path()); !mark || !obey(*mark))
      context().slots().request(*this);
  }
  void stop_try(const std::string& reason);
  void arm_deadline();
  /// Tries again, or fails with |shown|.
  void attempt_failed(Failure failure, const Result& result, Journaled journaled, const Value& shown);
  void give_up(Failure failure, Value output, Journaled journaled) {
    finish(loop_.failed(std::move(failure), std::move(output)), "", journaled);
  }
  /// Whether expressions want the raw result of a try.
  bool keeps_raw() const {
    if (step().secret) return false;  // it is taken out of the raw result where that stays
    return options().output || loop_.keeps_raw() || effect_.expect_condition || effect_.paginate;
  }
  /// Started only when the executor has a place, and then at once: what must not be begun twice is known to have begun,
  /// and a deadline does not count the wait.
  bool is_strict() const {
    return effect_.on_crash != OnCrash::Rerun || (has_deadline_ && effect_.reservation().process);
  }
  /// What a person says of the step is what becomes of it. False: it is to run.
  bool obey(const Mark& mark);
  bool shares_with_file() const { return effect_.shares_with_file() && shares_cpus_at(this); }
  /// An attempt that began has ended.
  void note_time(const Result& result);
  void complete_page(Result& result) const;
  void take_page(const Result& result);
  /// What `expect.if` has against a raw result.
  std::optional<Failure> unexpected(const FrameScope& raw, Evaluator& evaluator) const;
  void reserve();
  void start_attempt();
  void settle_drained();
  void succeed(const Result& result);

  const Effect& effect_;
  const std::string& definition_;
  const bool has_deadline_;
  RetryLoop loop_;
  int rerun_ = 0;
  bool tried_ = false;  ///< since it was started or reopened: an attempt has ended, or was cut off
  bool drained_ = false;
  bool begun_ = false;  ///< since it was started or reopened an attempt has ended that had begun
  Instant over_at_{};   ///< when the newest attempt ended, of which
  Instant told_at_{};   ///< the machine was told then
  Pages pages_;
  int undone_ = 0;      ///< how often the step had been undone when its pages began
  int generation_ = 0;  ///< grows when a refused step is reopened: its old key would bring the old answer
};

void EffectFrame::on_admitted() {
  if (!is_strict()) return start_attempt();
  reserve();
}

void EffectFrame::reserve() {
  ReservePlace place = effect_.reservation();
  place.path = path();
  place.shares_cpus = place.shares_cpus || shares_with_file();
  context().attempts().reserve(*this, std::move(place));
}

void EffectFrame::start_attempt() {
  settled_.state = State::Running;
  std::string name = path();
  if (int generation = generation_ + generation_at(this) + context().undone().times(path()); generation > 0)
    name += fmt::format("\ngeneration {}", generation);
  if (loop_.polls() > 0) name += fmt::format("\npoll {}", loop_.polls());
  if (pages_.current() > 1) name += fmt::format("\npage {}", pages_.current());
  std::string key = effect_.keyed() ? context().chance().uuid(name) : "";
  auto work = effect_.resolve(scope(), evaluator(), *this, key, pages_.next);
  if (!work) return give_up(std::move(work.failure()), {}, Journaled::No);
  auto timeout = resolve(options().timeout, scope(), evaluator(), Duration{0}, "timeout");
  if (!timeout) return give_up(std::move(timeout.failure()), {}, Journaled::No);
  Task task;
  if (effect_.memo) {
    const auto* process = std::get_if<Process>(&*work);
    auto memo =
        memo_request(*effect_.memo, definition_, process ? process->cwd : folder_of(*this), scope(), evaluator());
    if (!memo) return give_up(std::move(memo.failure()), {}, Journaled::No);
    task.memo = *std::move(memo);
  }
  if (rerun_ == 0) ++settled_.attempts;
  task.path = path();
  task.attempt = settled_.attempts;
  task.rerun = rerun_;
  if (effect_.paginate) task.page = static_cast<int>(pages_.current());
  task.idempotency_key = std::move(key);
  if (options().timeout.written()) task.timeout = *timeout;
  task.keep_raw = keeps_raw();
  task.strict = is_strict();
  task.pool = effect_.pool;
  if (step().secret) task.secret_output = SecretOutput{options().output.has_value(), effect_.secret_part};
  *task.work = std::move(*work);
  if (!task.idempotency_key.empty())
    set_idempotency_key(task, context().key_for(std::move(name), asked_by(task, context().run())));
  if (auto* process = std::get_if<Process>(&*task.work)) process->shares_cpus |= shares_with_file();
  loop_.count_from_now();
  context().attempts().start(*this, std::move(task), effect_.on_crash);
  arm_deadline();
}

void EffectFrame::note_time(const Result& result) {
  loop_.count_no_more();
  loop_.add_time(result.took);
  if (!context().run().measured || result.began == Instant{}) return;
  if (!std::exchange(begun_, true)) settled_.started_at = result.began;
  over_at_ = result.began + result.took;
  told_at_ = context().now();
}

Duration EffectFrame::lived() const {
  if (!context().run().measured) return StepFrame::lived();
  return loop_.tried_for() + fallback_took();
}

Instant EffectFrame::over_at() const {
  return told_at_ != Instant{} && told_at_ == context().now() ? over_at_ : context().now();
}

void EffectFrame::on_ended(const TaskEnded& ended) {
  note_time(ended.result);
  rerun_ = 0;
  tried_ = true;
  if (ended.result.again) {
    if (auto failure = loop_.poll_again()) give_up(std::move(*failure), {}, Journaled::No);
  } else if (ended.result.ok() && ended.result.page > 0) {
    take_page(ended.result);
  } else if (ended.result.ok()) {
    succeed(ended.result);
  } else {
    Failure failure = *ended.result.failure;
    attempt_failed(std::move(failure), ended.result, Journaled::Yes, ended.result.value);
  }
}

void EffectFrame::on_withdrawn() {
  // The number goes to the attempt that does begin. One that began before a crash has its number already.
  if (rerun_ == 0) --settled_.attempts;
  loop_.count_no_more();
  // A step that was tried before keeps its remaining tries even in a drain; a step outside of a drain queues again.
  if (!drained_ || tried_) return context().slots().request(*this, true);
  settle_drained();
}

void EffectFrame::settle_drained() {
  loop_.disarm_deadline();
  // It waited for its first attempt: it has not started.
  if (settled_.attempts == 0 && context().rules().items_are_their_steps()) settled_.started_at = {};
  finish({State::Cancelled, {}, Failure{"cancelled", "cancelled: drain", path(), 0, {}}}, "drain");
}

void EffectFrame::succeed(const Result& result) {
  auto good = [&](Value output, Journaled journaled) {
    if (auto failure = against_returns(output))
      return attempt_failed(std::move(*failure), result, Journaled::No, result.value);
    loop_.disarm_deadline();
    finish({State::Succeeded, std::move(output), {}}, "", journaled);
  };
  if (!keeps_raw()) return good(result.value, Journaled::Yes);
  FrameScope raw(*this, &result.value);
  const Value part(result.value.json().at(effect_.default_output()));
  if (auto failure = unexpected(raw, evaluator()))
    return attempt_failed(std::move(*failure), result, Journaled::No, part);
  if (!options().output) return good(part, Journaled::Yes);
  Evaluation mapped = options().output->evaluate(raw, evaluator());
  if (!mapped) return attempt_failed(std::move(mapped.failure()), result, Journaled::No, part);
  good(*std::move(mapped), Journaled::No);
}

std::optional<Failure> EffectFrame::unexpected(const FrameScope& raw, Evaluator& evaluator) const {
  if (!effect_.expect_condition) return std::nullopt;
  Evaluation expected = effect_.expect_condition->condition(raw, evaluator);
  if (!expected) return std::move(expected.failure());
  if (expected->json().get<bool>()) return std::nullopt;
  return Failure{"expect", "the answer is not what `expect` asks for: " + effect_.expect_condition->code()};
}

void EffectFrame::complete_result(Result& result) const {
  if (step().secret) result.value = result.ok() ? concealed_output() : Value();
  if (effect_.paginate) return complete_page(result);
  loop_.complete_poll(result, keeps_raw(), context().evaluator().unrecorded());
}

/// The entry of a page brings its output and what comes next, so that a replay asks nothing and the pages before need
/// not be kept as they came.
void EffectFrame::complete_page(Result& result) const {
  if (!result.ok()) return;
  Json tree = result.value.json();
  tree["page"] = pages_.current();
  Value raw(std::move(tree));
  FrameScope scope(*this, &raw);
  Evaluator& evaluator = context().evaluator().unrecorded();
  if ((result.failure = unexpected(scope, evaluator))) return;
  Evaluation output = options().output ? options().output->evaluate(scope, evaluator)
                                       : Evaluation(Value(raw.json().at(effect_.default_output())));
  auto next = next_page(*effect_.paginate, raw, pages_.next, scope, evaluator);
  if (!output || !next) {
    result.failure = std::move(output ? next.failure() : output.failure());
    return;
  }
  // As text alone: the pages are kept until the last has come, and a tree is many times as large.
  result.value = Value::from_text(output->text());
  result.page = static_cast<int>(pages_.current());
  result.next = *std::move(next);
}

void EffectFrame::take_page(const Result& result) {
  pages_.outputs.push_back(result.value);
  pages_.next = result.next;
  loop_.renew_tries();
  if (pages_.next.empty()) {
    // Whatever is wrong with the whole: who tries again begins at the first page.
    Value whole = joined(std::exchange(pages_, Pages()).outputs);
    if (auto failure = against_returns(whole)) return give_up(std::move(*failure), std::move(whole), Journaled::No);
    loop_.disarm_deadline();
    return finish({State::Succeeded, std::move(whole), {}}, "", Journaled::Yes);
  }
  auto most = resolve<std::int64_t>(effect_.paginate->max_pages, scope(), evaluator(), 500, "paginate.max_pages");
  if (!most) return give_up(most.failure(), {}, Journaled::No);
  auto counted = static_cast<std::int64_t>(pages_.outputs.size() - pages_.counted_from);
  if (counted >= *most)
    return give_up(
        {"expect", fmt::format("there are more pages than `max_pages` allows, {}; what has come is kept, and "
                               "`flowrun retry` goes on with as many more",
                               *most)},
        {}, Journaled::No);
  try_now();
}

void EffectFrame::on_crashed(const RunResumed& resumed) {
  loop_.count_no_more();
  auto mark = std::find_if(resumed.marks.begin(), resumed.marks.end(), [&](const Mark& m) { return m.path == path(); });
  bool marked = mark != resumed.marks.end();
  if (marked && obey(*mark)) return;
  OnCrash answer = effect_.on_crash == OnCrash::Ask ? resumed.on_crash : effect_.on_crash;
  if (marked) answer = OnCrash::Rerun;
  if (answer == OnCrash::Rerun) {
    ++rerun_;
    tried_ = true;
    // A pool may have a rate, or be held back by a server: that goes for what is begun again as well.
    if (step().limit && !step().limit->name.empty()) {
      context().slots().request(*this, true);
    } else if (is_strict()) {
      reserve();
    } else {
      start_attempt();
    }
    return;
  }
  rerun_ = 0;
  give_up({"crash", "was running when the run was cut off"}, {}, Journaled::No);
}

bool EffectFrame::obey(const Mark& mark) {
  if (mark.rerun) return false;
  rerun_ = 0;
  if (mark.done) {
    loop_.disarm_deadline();
    finish({State::Succeeded, step().secret ? concealed_output() : mark.output, {}}, "marked done");
  } else {
    give_up({"crash", "marked as failed after the run was cut off"}, {}, Journaled::No);
  }
  return true;
}

void EffectFrame::on_timer(TimerKind timer) {
  if (timer == TimerKind::Retry || timer == TimerKind::Poll) {
    loop_.waited();
    try_now();
  } else if (timer == TimerKind::Deadline) {
    stop_try("deadline");
    give_up(loop_.out_of_time(), {}, Journaled::No);
  } else {
    StepFrame::on_timer(timer);
  }
}

void EffectFrame::arm_deadline() {
  auto failure = loop_.arm_deadline();
  if (!failure) return;
  stop_try("deadline");
  give_up(std::move(*failure), {}, Journaled::No);
}

void EffectFrame::attempt_failed(Failure failure, const Result& result, Journaled journaled, const Value& shown) {
  if (auto end = loop_.try_again(std::move(failure), result, journaled))
    give_up(std::move(end->failure), shown, end->journaled);
}

void EffectFrame::stop(const std::string& reason) {
  stop_try(reason);
  loop_.disarm();
}

void EffectFrame::stop_try(const std::string& reason) {
  context().slots().withdraw(*this);
  context().attempts().stop(*this, reason);
}

void EffectFrame::drain_work() {
  // A leaf that has not been tried yet has not started; one that has may finish, its retries included. Of an attempt in
  // flight the executor knows which it is.
  drained_ = true;
  if (tried_) return;
  if (context().slots().waits(*this)) {
    context().slots().withdraw(*this);
  } else if (context().attempts().is_reserving(*this)) {
    context().attempts().stop(*this, "drain");
  } else {
    return;
  }
  settle_drained();
}

void EffectFrame::reopen(std::string_view only) {
  StepFrame::reopen(only);
  rerun_ = 0;
  tried_ = drained_ = begun_ = false;
  // What has been undone with the step has to come again.
  if (int undone = context().undone().times(path()); undone != std::exchange(undone_, undone)) pages_ = {};
  pages_.counted_from = pages_.outputs.size();
  if (loop_.refused()) ++generation_;
  loop_.renew();
  try_now();
}

}  // namespace

std::unique_ptr<Frame> effect_frame(Context& context, Frame* parent, const CommonStep& step, const RetrySettings& retry,
                                    const Effect& effect, std::string path) {
  return std::make_unique<EffectFrame>(context, parent, step, retry, effect, std::move(path));
}

}  // namespace flowrun
