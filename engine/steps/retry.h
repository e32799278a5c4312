// What http, shell, exec and workflow share: tries, the waits between them, polls, the deadline of all. Does not know
// what a try does.
#pragma once

#include <string>
#include <vector>

#include "engine/machine/backoff.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

struct RetryPolicy {
  Setting<std::int64_t> attempts{1};  ///< the first try included
  Setting<Duration> delay{Duration{500}};
  Setting<double> backoff{2.0};
  Setting<Duration> max_delay{Duration{30000}};
  bool jitter = true;
  std::vector<std::string> on;  ///< error types: `transient`, `http.503`, `exit`, ...
  bool only_unsent = false;     ///< and only when nothing can have reached the other side
  std::optional<Expression> condition;
};

/// The step is repeated until something holds.
struct PollPolicy {
  std::optional<Expression> until, fail_if;
  Setting<Duration> every{Duration{5000}};
  Setting<double> backoff{1.0};
  Setting<Duration> max_every;
  Setting<std::int64_t> attempts;  ///< polls; not written: no limit
  bool errors_fail = false;        ///< else what may well go better next time means: not yet
};

/// Whether a server that answered like this has done nothing and would say the same again to the same key.
bool is_refusal(std::string_view type);

/// Whether |pattern| of `retry.on` stands for errors of |type|: itself, its class (`http`, `http.5xx`, `exit`),
/// `transient` or `any`. flowrun-workflow(5), "Error types".
bool matches(std::string_view pattern, std::string_view type);

class RetryingStep : public CommonStep {
 public:
  RetryPolicy retry;
  std::optional<PollPolicy> poll;
  Setting<Duration> deadline;
};

/// A step that tries and tries again. Kinds say how a try begins and is stopped, and tell of its end.
class RetryingFrame : public StepFrame {
 public:
  RetryingFrame(Context& context, Frame* parent, const RetryingStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path)), work_(step) {}

  void on_timer(TimerKind timer) override;
  bool keeps_frame() const override {
    return settled_.state == State::Failed || settled_.state == State::Cancelled || Frame::keeps_frame();
  }

  bool reopens() const override { return true; }

 protected:
  /// A try may begin: at once, or when there is a slot.
  virtual void try_now() = 0;
  /// Ends the try that runs, or waits to begin. What comes of it changes nothing any more.
  virtual void stop_try(const std::string& reason) = 0;
  /// Whether expressions want the raw result of a try.
  virtual bool keeps_raw() const {
    return options().output || work_.retry.condition || (work_.poll && (work_.poll->until || work_.poll->fail_if));
  }

  void begin() override { try_now(); }
  void stop(const std::string& reason) override;
  bool arms_timeout() const override { return false; }
  bool maps_output() const override { return false; }
  bool has_acted() const override { return settled_.attempts > 0; }

  /// The deadline runs from the first try, or from when a server holds the step's pool back before that. False: it
  /// makes no sense, and the step has failed.
  bool arm_deadline();
  /// Whether a try that has ended is what a poll waits for: sets |again|, or a failure.
  void complete_poll(Result& result, Evaluator& evaluator) const;
  void poll_again();
  /// A try has failed: try again, or fail. |journaled|: the journal knows the failure from the end of the try.
  /// |shown|: the output of a step that has failed for good; when left out, the value of |result|.
  void attempt_failed(Failure failure, const Result& result, Journaled journaled, std::optional<Value> shown = {});
  void give_up(Failure failure, Value output, Journaled journaled);
  /// The step is asked to try again after its end: it has all its tries anew.
  void renew();

  /// Of Settled::took: what tries and the waits between them took, but for time in line.
  Duration tried_for_{0};
  std::optional<Instant> counts_from_;  ///< Context::worked() when the try or wait that is under way began

  int budget_from_ = 0;   ///< tries that were used up before the step was reopened, or polled again
  int polls_ = 0;         ///< that said: not yet
  bool refused_ = false;  ///< the last failure was a definite refusal

 private:
  bool wants_retry(const Failure& failure, const Result& result);
  Value raw_of(const Failure& failure, const Result& result) const;

  const RetryingStep& work_;
  std::optional<Instant> deadline_at_;  ///< by Context::worked()
};

}  // namespace flowrun
