// What http, shell and exec share: a slot, a task for the executor, and what becomes of an attempt that a crash cut
// off. Knows neither transfers nor processes.
#pragma once

#include <string>
#include <variant>

#include "engine/model/task.h"
#include "engine/steps/memo_request.h"
#include "engine/steps/paginate.h"
#include "engine/steps/retry.h"

namespace flowrun {

/// What a kind that acts has beside CommonStep and RetrySettings: what is to be done, and what is written of it.
class Effect {
 public:
  using Request = std::variant<HttpRequest, Process>;

  virtual ~Effect() = default;
  /// The request or process with every expression evaluated. |key| is the idempotency key, |next| what the page before
  /// said of this one (Pages::next), empty for the first.
  virtual Fallible<Request> resolve(const FrameScope& scope, Evaluator& evaluator, const Frame& frame,
                                    const std::string& key, const std::string& next) const = 0;
  /// Whether the idempotency key goes anywhere.
  virtual bool keyed() const { return true; }
  /// The place that a strict start waits for; |path| is filled by the frame.
  virtual ReservePlace reservation() const { return {}; }
  /// Whether it shares the CPUs where the processes around it do.
  virtual bool shares_with_file() const { return false; }
  /// The part of a raw result that is the output when nothing else is said.
  virtual const char* default_output() const = 0;

  std::optional<PagePolicy> paginate;
  std::optional<MemoSettings> memo;
  OnCrash on_crash = OnCrash::Rerun;
  std::string pool;                            ///< as in Task
  std::string secret_part;                     ///< of `secret`: SecretOutput::within
  std::optional<Expression> expect_condition;  ///< `expect.if`
};

/// The frame of a step that acts. |step|, |retry| and |effect| are parts of the same.
std::unique_ptr<Frame> effect_frame(Context& context, Frame* parent, const CommonStep& step, const RetrySettings& retry,
                                    const Effect& effect, std::string path);

}  // namespace flowrun
