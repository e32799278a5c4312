// What http, shell and exec share: a place, attempts, retry, deadline, and what becomes of an attempt that a crash
// cut off. Knows neither transfers nor processes.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/machine/backoff.h"
#include "engine/model/task.h"
#include "engine/steps/life.h"
#include "engine/steps/pages.h"

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

/// Whether |pattern| of `retry.on` stands for errors of |type|: itself, its class (`http`, `http.5xx`, `exit`),
/// `transient` or `any`. flowrun-workflow(5), "Error types".
bool matches(std::string_view pattern, std::string_view type);

class EffectStep : public LivingStep {
 public:
  using Work = std::variant<HttpRequest, Process>;

  std::unique_ptr<Frame> frame(Machine& machine, Frame* parent, std::string path) const override;
  /// The request or process with every expression evaluated. |key| is the idempotency key, |next| what the page before
  /// said of this one (Pages::next), empty for the first.
  virtual std::variant<Work, Failure> resolve(const FrameScope& scope, Evaluator& evaluator, const Frame& frame,
                                              const std::string& key, const std::string& next) const = 0;
  /// Whether the idempotency key goes anywhere.
  virtual bool keyed() const { return true; }
  /// The place that a strict start waits for; |path| is filled by the frame.
  virtual ReservePlace reservation() const { return {}; }
  /// The part of a raw result that is the output when nothing else is said.
  virtual const char* default_output() const = 0;

  RetryPolicy retry;
  std::optional<PollPolicy> poll;
  std::optional<PagePolicy> paginate;
  Setting<Duration> deadline;
  OnCrash on_crash = OnCrash::Rerun;
  /// Ask and Fail are started strictly: only when there is a place, and at once.
  bool strict() const { return on_crash != OnCrash::Rerun; }
  std::optional<Expression> expect_condition;  ///< `expect.if`
};

}  // namespace flowrun
