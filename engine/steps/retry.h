// Tries of http, shell, exec and workflow: the waits between them, polls, the deadline of all. Does not know what a try
// does.
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
  Setting<Duration> max_delay;  ///< not written: 30 s, or `delay` when that is longer
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

/// What is written of it; a kind that tries has it beside CommonStep.
struct RetrySettings {
  RetryPolicy retry;
  std::optional<PollPolicy> poll;
  Setting<Duration> deadline;
};

/// How far the tries of a step are, and what comes after one. A frame that tries has one as a member: it begins and
/// stops the tries, and ends in what the loop has to say. The deadline runs from the first try, or from when a server
/// holds the step's pool back before that.
class RetryLoop {
 public:
  /// Why a step does not go on.
  struct End {
    Failure failure;
    Journaled journaled;
  };

  /// |settled| is that of |frame|, which outlives the loop.
  RetryLoop(Frame& frame, Settled& settled, const RetrySettings& settings)
      : frame_(frame), settled_(settled), settings_(settings) {}

  /// Whether expressions of the loop want the raw result of a try.
  bool keeps_raw() const;

  /// Nothing: the deadline runs, or none is written. Else it makes no sense.
  std::optional<Failure> arm_deadline();
  void disarm_deadline();
  /// What the deadline, which is over, fails the step with.
  Failure out_of_time() const;

  /// A try begins to count, or does not count any more.
  void count_from_now() { counts_from_ = frame_.context().worked(); }
  void count_no_more() { counts_from_.reset(); }
  /// A try has ended that took so long.
  void add_time(Duration took) { tried_for_ += took; }
  /// Of Settled::took: what tries and the waits between them took, but for time in line.
  Duration tried_for() const;

  /// Whether a try that has ended is what a poll waits for: sets |again|, or a failure. |raw|: it is kept.
  void complete_poll(Result& result, bool raw, Evaluator& evaluator) const;
  /// Not yet: the wait for the next poll begins. Else why there is none.
  std::optional<Failure> poll_again();
  /// How often a poll said: not yet.
  int polls() const { return polls_; }

  /// A try has failed; |journaled|: the journal knows the failure from its end. Nothing: the wait for the next try
  /// begins.
  std::optional<End> try_again(Failure failure, const Result& result, Journaled journaled);
  /// The wait is over.
  void waited();

  /// All waits end.
  void disarm();
  /// The step has failed for good.
  Outcome failed(Failure failure, Value output);
  /// The last failure was a definite refusal.
  bool refused() const { return refused_; }

  /// What follows, a poll or a page, has all tries anew.
  void renew_tries() { budget_from_ = settled_.attempts; }
  /// The step is asked to try again after its end: it has all its tries anew.
  void renew();
  /// It goes on in the try that it was in, which is none of the new ones.
  void continue_try() { --budget_from_; }

 private:
  bool wants_retry(const Failure& failure, const Result& result) const;
  Value raw_of(const Failure& failure, const Result& result) const;
  FrameScope scope() const { return FrameScope(frame_); }
  Evaluator& evaluator() const { return frame_.context().evaluator(); }

  Frame& frame_;
  Settled& settled_;
  const RetrySettings& settings_;
  int budget_from_ = 0;  ///< tries that were used up before the step was reopened, or polled again
  int polls_ = 0;
  bool refused_ = false;
  Duration tried_for_{0};
  std::optional<Instant> counts_from_;  ///< Context::worked() when the try or wait that is under way began
  std::optional<Instant> deadline_at_;  ///< by Context::worked()
};

/// Whether the parent keeps the frame of a step that tries, which stands like |settled|.
inline bool can_try_again(const Settled& settled) {
  return settled.state == State::Failed || settled.state == State::Cancelled;
}

}  // namespace flowrun
