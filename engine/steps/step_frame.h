// The life of every step, whatever its kind: if, delay, the kind's own work, timeout, output, fallback,
// continue_on_error. Knows no kind.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/language/template.h"
#include "engine/machine/frame.h"
#include "engine/steps/setting.h"
#include "engine/steps/undo.h"

namespace flowrun {

/// The options that every kind of step has.
struct Options {
  Setting<bool> condition;  ///< `if`
  Setting<Duration> delay;
  Setting<Duration> timeout;
  std::optional<ValueTemplate> output;
  std::optional<Json> returns;  ///< JSON Schema of the output
  std::unique_ptr<Step> fallback;
  std::vector<std::string> fallback_on;  ///< types of error that it is for; empty: any
  Setting<bool> continue_on_error;
  std::optional<UndoPolicy> undo;
  bool atomic = false;             ///< when it fails, what has been done inside it is undone
  bool heard = true;               ///< an expression may see its output, or what that becomes part of
  std::string title, description;  ///< `name`, `description`: display only
  std::string what;                ///< `GET https://...`, `make build`: the value of its kind as written, display only
};

/// |settled| of a step that was stopped, or kept from starting, for |reason|: `timeout`, `lost`, `fail_fast`, `drain`.
Settled stopped(Settled settled, const std::string& reason, const std::string& path);

/// Whether nothing is left to be done for it.
inline bool is_finished(State state) { return state == State::Succeeded || state == State::Skipped; }

/// Whether the retry that is at work may go on in |frame|: its parent keeps it anyway, or for this retry. What only a
/// later one needs is there only in a replay that knows of it, which must decide as if it was not.
bool is_kept_for_retry(const Frame& frame);

/// Whether the retry that is at work goes on in |body| of the item or round |frame|; else that begins anew.
bool goes_on_in(const Frame* body, const Frame& frame);

class CommonStep : public Step {
 public:
  Options options;
  std::string definition;  ///< hash of what decides its result, as written; only of steps that have one of their own
};

/// Whether the journal knows a settling already, from a fact.
enum class Journaled { No, Yes };

/// A frame that goes through that life. Kinds implement begin() and whatever must be stopped.
class StepFrame : public Frame, public UndoHolder {
 public:
  /// What a kind does otherwise than most.
  struct Traits {
    bool times_itself = false;  ///< it measures `timeout` by itself, in each attempt
    bool maps_itself = false;   ///< it maps `output` by itself, attempt by attempt
    bool shows_output = false;  ///< the step's own entry has the output: it can not be read elsewhere
    bool reopens = false;       ///< as Frame::reopens
  };

  StepFrame(Context& context, Frame* parent, const CommonStep& step, std::string path, const Traits& traits)
      : Frame(context, parent, step, std::move(path)), options_(step.options), traits_(traits) {}

  void start() final;
  void on_child(Frame& child) override;
  void name_open(std::vector<std::string>& paths) const final;
  void on_timer(TimerKind timer) override;
  void cancel(const std::string& reason) final;
  void drain() final;
  void reopen(std::string_view only) override;
  bool reopens() const final { return traits_.reopens; }
  Bound bind(const Reference& reference) const override;
  std::optional<Settled> look(std::string_view rest) const final;
  UndoScope* undo_scope() override { return saga_ ? &saga_->scope : nullptr; }
  /// Whether its output is kept: else the journal alone has it.
  bool is_heard() const { return options_.heard; }
  /// `timeout` as it was resolved.
  const std::string& timeout_text() const { return timeout_text_; }
  bool has_failed() const final { return settled_.state == State::Failed || (!stood_in_ && failed_inside()); }

 protected:
  /// look() at what is within its own work; |rest| is not empty.
  virtual std::optional<Settled> look_within(std::string_view rest) const {
    (void)rest;
    return std::nullopt;
  }
  /// name_open() of the steps within that have begun and are open.
  virtual void name_open_within(std::vector<std::string>& paths) const { (void)paths; }
  /// The kind's work; ends in finish(), now or later.
  virtual void begin() = 0;
  /// Ends what begin() began and has not finished; the step itself is settled by the caller.
  virtual void stop(const std::string& reason) { (void)reason; }
  /// As drain() of Frame, once begun: leaves that run go on, so nothing is to do for them.
  virtual void drain_work() {}
  /// Its `timeout` is over; a leaf just fails.
  virtual void timed_out();
  /// Whether something below that is kept has failed and counts.
  virtual bool failed_inside() const { return false; }

  /// |settled_| is as it will stay, but for what only the kind knows of it.
  virtual void amend() {}
  /// Whether anything it did may have had an effect.
  virtual bool has_acted() const { return settled_.started_at != Instant{}; }

  /// Settled::took, as it is now.
  virtual Duration lived() const;
  /// When what the machine is told of now has happened: `finished_at` of a step that settles by it.
  virtual Instant over_at() const { return context().now(); }
  Duration fallback_took() const { return fallback_took_; }

  void finish(Outcome outcome, std::string reason = "", Journaled journaled = Journaled::No);
  /// What the output has against `returns`, as a failure; nothing when it is as it should be.
  std::optional<Failure> against_returns(const Value& output) const;
  void fail(Failure failure) { finish({State::Failed, {}, std::move(failure)}); }

  FrameScope scope() const { return FrameScope(*this); }
  Evaluator& evaluator() const { return context().evaluator(); }
  bool begun() const { return stage_ == Stage::Begun; }
  const Options& options() const { return options_; }

 private:
  enum class Stage { New, Delayed, Begun, Undo, Fallback };
  /// Of `atomic: true`.
  struct Saga {
    UndoScope scope;
    std::unique_ptr<Compensation> compensation;
    Outcome outcome;  ///< of the step, while the undos run
    std::string reason;
  };
  void enter();
  void prepare();
  void undone();
  /// The first of its fallbacks that is for |failure|, with its path; null: there is none.
  std::pair<const Step*, std::string> fallback_for(const Failure& failure) const;
  /// After the undos: the fallback, or the end.
  void close(Outcome outcome, std::string reason, Journaled journaled);
  void hand_over(bool due);
  void remember();
  void settle(Outcome outcome, std::string reason, Journaled journaled);

  const Options& options_;
  const Traits traits_;
  Stage stage_ = Stage::New;
  Instant ready_at_{};
  Instant worked_from_{};  ///< Context::worked() when it began
  Duration fallback_took_{0};
  std::string timeout_text_;
  bool stood_in_ = false;           ///< its fallback has succeeded
  std::unique_ptr<Failure> error_;  ///< what the fallback stands in for
  std::unique_ptr<Frame> fallback_;
  std::unique_ptr<Frame> former_fallback_;  ///< it is over, and somebody may look at what is within
  std::unique_ptr<Saga> saga_;
};

}  // namespace flowrun
