#include "engine/steps/root.h"

#include "engine/machine/enclosure.h"
#include "engine/machine/run_frame.h"
#include "engine/model/path.h"
#include "engine/steps/handler_frame.h"

namespace flowrun {
namespace {

/// At the end of a run, what has no output is null instead of an error.
class FinalScope : public Scope {
 public:
  explicit FinalScope(const Frame& body) : scope_(body) {}
  Fallible<Value> lookup(const Reference& reference) const override {
    auto found = scope_.lookup(reference);
    if (reference.variable == "steps" && std::holds_alternative<Failure>(found)) return Value();
    return found;
  }

 private:
  FrameScope scope_;
};

/// With a parent it is that of a sub-workflow. A frame has a path of its own, `pay.steps`, for its timer; its steps
/// stand below |base|, `pay`.
class RootFrame final : public Frame, public RunFrame, public Enclosure, public UndoHolder {
 public:
  RootFrame(Context& context, Frame* parent, const RootStep& step, std::string path, std::string base,
            const Definition* file, Inputs inputs)
      : Frame(context, parent, step, std::move(path)),
        root_(step),
        base_(std::move(base)),
        file_(file),
        inputs_(std::move(inputs)) {}

  void start() override {
    settled_.state = State::Running;
    settled_.started_at = context().now();
    arm_timeout();
    body_ = root_.body->frame(context(), this, base_);
    context().queue().start(*body_);
  }

  void on_child(Frame& child) override {
    if (settled_.over() && !tidying_) return;  // it ended in the turn in which all was given up
    if (&child == body_.get()) {
      if (stage_ == Stage::Body) body_ended(body_->settled());
      return;
    }
    if (&child == compensation_.get()) return undone();
    if (&child != handler_.get()) return;
    // A failing handler does not change the first error.
    if (child.settled().state == State::Failed && state() == State::Succeeded) verdict_ = child.settled();
    handlers_.push_back(std::move(handler_));
    next();
  }

  void on_timer(TimerKind) override {
    body_->cancel("timeout");
    Settled ended = body_->settled();
    ended.state = State::Failed;
    ended.failure = std::make_shared<const Failure>(Failure{
        "timeout", (parent() ? "the sub-workflow timed out after " : "the run timed out after ") + to_string(span_)});
    body_ended(ended);
  }

  void on_cancel(const CancelRequested& cancel) override {
    if (settled_.over()) return;
    cancel_ = cancel;
    if (stage_ == Stage::Body) {
      body_->cancel("cancelled");
      Settled ended = body_->settled();
      ended.state = State::Cancelled;
      ended.failure = std::make_shared<const Failure>(cancelled("cancelled by " + cancel.by));
      return body_ended(ended);
    }
    if (handler_ && (cancel.now || stage_ == Stage::OnFailure)) {
      handler_->cancel("cancelled");
      handlers_.push_back(std::move(handler_));
      return next();
    }
    if (compensation_ && cancel.now) {
      compensation_->cancel("cancelled");
      undone();
    }
  }

  void on_undo(const UndoRequested& undo) override {
    if (verdict_.state == State::Succeeded) {
      verdict_.state = State::Cancelled;
      verdict_.failure = std::make_shared<const Failure>(cancelled("undone by " + undo.by));
    }
    settled_.state = State::Running;
    cancel_ = CancelRequested{true, true, undo.by};
    stage_ = Stage::Body;
    next();
  }

  bool has_undos() const override { return scope_.waits(); }
  /// A sub-workflow is no scope: what it has done is undone with what is around it.
  UndoScope* undo_scope() override { return handler_ || parent() ? nullptr : &scope_; }
  /// Of a sub-workflow: for its parent it is over, its handlers run all the same, as undos do.
  void cancel(const std::string& reason) override {
    if (tidying_) {
      // The step that was to have another try is given up as well: that is no matter of the try before.
      if (context().abandoned().may_tidy()) return;
      tidying_ = false;
      if (handler_) handler_->cancel(reason);
      return;
    }
    if (settled_.over()) return;
    if (tidies(reason)) return give_up(reason);
    if (Frame* running = handler_ ? handler_.get() : body_.get()) running->cancel(reason);
    context().timers().disarm(*this, TimerKind::Timeout);
    settled_ = stopped(std::move(settled_), reason, base_);
    settled_.ended_at = context().now();
  }
  void name_open(std::vector<std::string>& paths) const override {
    const std::size_t before = paths.size();
    if (compensation_) {
      compensation_->name_open(paths);
    } else if (Frame* running = handler_ ? handler_.get() : body_.get()) {
      running->name_open(paths);
    }
    if (paths.size() == before && !settled_.over()) paths.push_back(path().empty() ? "the run" : base_);
  }
  const Enclosure* enclosure() const override { return this; }
  bool shares_cpus() const override { return !tidying_ && shares_cpus_at(parent()); }
  /// What is half done is not left so: handlers run.
  void drain() override {
    if (!handler_ && body_) body_->drain();
  }
  bool keeps_frame() const override { return true; }

  bool has_failed() const override { return body_ && body_->has_failed(); }
  Way way_to(const std::string& target) const override { return body_ ? body_->way_to(target) : false; }

  void reopen(std::string_view only) override {
    settled_ = Settled{};
    if (!body_) return start();  // given up before it had begun
    settled_.state = State::Running;
    settled_.started_at = context().now();
    stage_ = Stage::Body;
    cancel_.reset();
    handler_.reset();
    handlers_.clear();
    tidying_ = false;
    generation_ = context().next_generation();
    arm_timeout();
    body_->reopen(only);
  }

  int generation() const override {
    if (tidying_) return generation_;
    return handler_ && generation_ > 0 ? generation_ : generation_at(parent());
  }

  const std::string& file_folder() const override { return file_ ? file_->folder : file_folder_at(parent()); }

  Bound bind(const Reference& reference) const override {
    if (reference.variable == "input") return inputs_.inputs;
    if (reference.variable == "vars") return inputs_.vars;
    if (reference.variable == "run" && shows_run()) return Value(run_json());
    if (reference.variable == "secrets") return Value(secret(reference.member));
    if (reference.variable == "now")
      return Value(Json(std::chrono::duration_cast<std::chrono::seconds>(context().now().time_since_epoch()).count()));
    if (reference.variable == "uuid") return Value::string(context().chance().uuid(base_ + "\nuuid"));
    if (reference.variable == "random") return Value(Json(context().chance().uniform(base_ + "\nrandom")));
    if (stage_ == Stage::Body) return outside(reference);
    // Handlers see the steps; of one without success the output is null.
    if (reference.variable == "error") {
      auto error = failure();
      return error ? Value(to_json(*error)) : Value();
    }
    if (reference.variable == "steps" || reference.variable == "status") {
      Bound found = body_->bind(reference);
      if (reference.variable == "steps" && found && std::holds_alternative<Failure>(*found)) return Value();
      return found;
    }
    return outside(reference);
  }

  std::optional<Settled> look(std::string_view rest) const override {
    if (rest.empty()) return settled_;
    for (const char* name : {"on_failure", "finally"}) {
      std::string_view own = name;
      const std::string own_path = child_path(base_, name);
      if (rest.substr(0, own.size()) != own || rest.size() <= own.size() || rest[own.size()] != '/') continue;
      auto find = [&](const std::unique_ptr<Frame>& handler) -> std::optional<Settled> {
        return handler && handler->path() == own_path ? handler->look(rest.substr(own.size() + 1)) : std::nullopt;
      };
      if (auto found = find(handler_)) return found;
      for (const auto& handler : handlers_)
        if (auto found = find(handler)) return found;
    }
    return body_ ? body_->look(rest) : std::nullopt;
  }

 private:
  /// A placeholder that the executor fills, or null where there is none to be had.
  Json secret(const std::string& name) const {
    if (file_)
      if (auto given = file_->secret_inputs.find(name); given != file_->secret_inputs.end())
        return inputs_.secrets.at(given->second);
    const auto& secrets = context().run().secrets;
    bool absent = std::any_of(secrets.begin(), secrets.end(),
                              [&](const SecretMark& mark) { return mark.absent && mark.name == name; });
    return absent ? Json() : to_json(SecretText::secret(name));
  }
  /// In this order; what does not apply is passed over.
  enum class Stage { Body, Undo, OnFailure, Finally, Over };

  static bool out_of_time(const std::string& reason) { return reason == "timeout" || reason == "deadline"; }

  /// Whether something is to run yet when the file is given up for |reason|.
  bool tidies(const std::string& reason) const {
    if (!parent() || !body_ || !context().abandoned().may_tidy()) return false;
    if (stage_ == Stage::Finally) return true;
    return root_.finally || (out_of_time(reason) && root_.on_failure);
  }

  void give_up(const std::string& reason) {
    context().timers().disarm(*this, TimerKind::Timeout);
    // What runs now has the keys of this try, whatever becomes of the step.
    if (generation_ == 0) generation_ = generation_at(parent());
    if (stage_ == Stage::Body) {
      body_->cancel(reason);
      verdict_ = stopped(body_->settled(), reason, base_);
      if (out_of_time(reason)) {
        verdict_.state = State::Failed;
        verdict_.failure =
            std::make_shared<const Failure>(Failure{reason, "the sub-workflow was out of time", base_, 0, {}});
      }
    }
    settled_ = stopped(std::move(settled_), reason, base_);
    settled_.ended_at = context().now();
    tidying_ = true;
    context().abandoned().tidy(*this);
    if (stage_ == Stage::Body) return next();
    // Who is cancelled has not failed: `on_failure` is not for that.
    if (stage_ != Stage::OnFailure || out_of_time(reason)) return;
    handler_->cancel(reason);
    handlers_.push_back(std::move(handler_));
    next();
  }

  static Failure cancelled(std::string message) { return {"cancelled", std::move(message)}; }

  /// The steps of a sub-workflow see the run that it is part of, its handlers see how it stands itself.
  bool shows_run() const { return !parent() || stage_ != Stage::Body; }

  /// A file sees nothing else of what is around the step that runs it.
  Bound outside(const Reference& reference) const {
    if (!parent() || reference.variable == "run") return std::nullopt;
    return Failure{"expression", "$" + reference.variable + " is not bound in a sub-workflow"};
  }

  void arm_timeout() {
    if (!parent() && context().run().timeout) {
      span_ = *context().run().timeout;
    } else if (root_.timeout.written()) {
      auto timeout = resolve(root_.timeout, FrameScope(*this), context().evaluator(), Duration{0}, "timeout");
      if (auto* span = std::get_if<Duration>(&timeout)) span_ = *span;
    }
    if (span_ > Duration{0}) context().timers().arm(*this, TimerKind::Timeout, span_);
  }

  void body_ended(const Settled& body) {
    context().timers().disarm(*this, TimerKind::Timeout);
    verdict_ = body;
    next();
  }

  /// The next stage that applies, or the end.
  void next() {
    for (;;) {
      stage_ = static_cast<Stage>(static_cast<int>(stage_) + 1);
      if (stage_ == Stage::Over) return settle();
      if (stage_ == Stage::Undo ? compensate() : handle(stage_ == Stage::Finally)) return;
    }
  }

  /// Begins to undo what has to be. False: nothing has.
  bool compensate() {
    // What lost its scope is undone at any end; but for a cancelled run that is a question of its own.
    bool all = cancel_ ? cancel_->undo : verdict_.state != State::Succeeded;
    if ((cancel_ && !cancel_->undo) || !scope_.waits(!all)) return false;
    std::optional<Failure> error;
    if (verdict_.failure) error = *verdict_.failure;
    compensation_ = std::make_unique<Compensation>(context(), *this, scope_.take(!all), std::move(error));
    context().queue().start(*compensation_);
    return true;
  }

  void undone() {
    for (Undoable& rest : compensation_->take_rest()) scope_.add(std::move(rest));
    compensation_.reset();
    next();
  }

  /// Begins `on_failure` or `finally`. False: there is nothing to begin.
  bool handle(bool finally) {
    bool wanted = finally ? !cancel_ || !cancel_->now : state() == State::Failed && !cancel_;
    const GraphStep* body = finally ? root_.finally.get() : root_.on_failure.get();
    if (!wanted || !body) return false;
    handler_ = std::make_unique<HandlerFrame>(context(), this, *body,
                                              child_path(base_, finally ? "finally" : "on_failure"), base_);
    context().queue().start(*handler_);
    return true;
  }

  /// What the run has come to. An undo in vain makes it fail, whatever the body came to.
  State state() const {
    return verdict_.state == State::Succeeded && !scope_.failed().empty() ? State::Failed : verdict_.state;
  }

  /// Why it has not succeeded.
  std::shared_ptr<const Failure> failure() const {
    std::vector<std::string> failed = scope_.failed();
    if (failed.empty()) return verdict_.failure;
    Failure failure = verdict_.failure ? *verdict_.failure : Failure{"group", "not everything could be undone"};
    Json detail = failure.detail.json().is_object() ? failure.detail.json() : Json::object();
    detail["undo_failed"] = failed;
    failure.detail = Value(std::move(detail));
    return std::make_shared<const Failure>(std::move(failure));
  }

  void settle() {
    if (tidying_) {
      tidying_ = false;
      return context().abandoned().tidied(*this);
    }
    settled_.failure = failure();
    settled_.state = state();
    settled_.ended_at = context().now();
    settled_.output = Value();
    if (root_.output) {
      Evaluation output = root_.output->evaluate(FinalScope(*body_), context().evaluator());
      if (auto* value = std::get_if<Value>(&output)) {
        settled_.output = *value;
      } else if (settled_.state == State::Succeeded) {
        // A result that can not be had is no success; of a run that failed anyway it is null.
        Failure failure = std::move(output.failure());
        failure.message = "output: " + failure.message;
        settled_.state = State::Failed;
        settled_.failure = std::make_shared<const Failure>(std::move(failure));
      }
    }
    context().queue().settled(*this);
  }

  Json run_json() const {
    const RunStarted& run = context().run();
    return {{"id", run.id},
            {"name", run.name},
            {"dir", run.run_dir},
            {"host", run.host},
            {"state", to_string(stage_ == Stage::Body ? settled_.state : state())},
            {"started_at", timestamp(settled_.started_at)},
            {"elapsed_ms", (context().now() - settled_.started_at).count()},
            {"cpus", run.cpus},
            {"undone", context().undone().below(base_)},
            {"failed", verdict_.failure ? Json::array({verdict_.failure->step}) : Json::array()}};
  }

  const RootStep& root_;
  const std::string base_;
  const Definition* file_;  ///< of a sub-workflow
  const Inputs inputs_;
  std::unique_ptr<Frame> body_;
  UndoScope scope_;  ///< last but for the frames that pass their undos on
  std::unique_ptr<Compensation> compensation_;
  std::optional<CancelRequested> cancel_;
  Stage stage_ = Stage::Body;
  Settled verdict_;                               ///< of the body, once it has ended
  std::unique_ptr<Frame> handler_;                ///< that runs
  std::vector<std::unique_ptr<Frame>> handlers_;  ///< that are over
  int generation_ = 0;                            ///< of the handlers: they run again at each end
  Duration span_{0};
  bool tidying_ = false;  ///< it is settled, and its handlers run
};

}  // namespace

std::unique_ptr<Frame> RootStep::frame(Context& context, Frame* parent, std::string path) const {
  const RunStarted& run = context.run();
  return std::make_unique<RootFrame>(context, parent, *this, path, path, nullptr, Inputs{run.inputs, run.vars});
}

std::unique_ptr<Frame> RootStep::frame_below(Context& context, Frame* parent, const Definition& definition,
                                             Inputs inputs) const {
  return std::make_unique<RootFrame>(context, parent, *this, parent->path() + ".steps", parent->path(), &definition,
                                     std::move(inputs));
}

}  // namespace flowrun
