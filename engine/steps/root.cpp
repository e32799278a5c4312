#include "engine/steps/root.h"

#include "engine/model/path.h"
#include "engine/steps/handler_frame.h"
#include "engine/steps/root_frame.h"

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
  bool filters_in_place() const override { return scope_.filters_in_place(); }

 private:
  FrameScope scope_;
};

}  // namespace

void RootFrame::start() {
  settled_.state = State::Running;
  settled_.started_at = context().now();
  arm_timeout();
  body_ = root_.body->frame(context(), this, base_);
  context().queue().start(*body_);
}

void RootFrame::on_child(Frame& child) {
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

void RootFrame::on_timer(TimerKind) {
  body_->cancel("timeout");
  Settled ended = body_->settled();
  ended.state = State::Failed;
  ended.failure = std::make_shared<const Failure>(Failure{
      "timeout", (parent() ? "the sub-workflow timed out after " : "the run timed out after ") + to_string(span_)});
  body_ended(ended);
}

void RootFrame::on_cancel(const CancelRequested& cancel) {
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

void RootFrame::on_undo(const UndoRequested& undo) {
  if (verdict_.state == State::Succeeded) {
    verdict_.state = State::Cancelled;
    verdict_.failure = std::make_shared<const Failure>(cancelled("undone by " + undo.by));
  }
  settled_.state = State::Running;
  cancel_ = CancelRequested{true, true, undo.by};
  stage_ = Stage::Body;
  next();
}

void RootFrame::cancel(const std::string& reason) {
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

void RootFrame::name_open(std::vector<std::string>& paths) const {
  const std::size_t before = paths.size();
  if (compensation_) {
    compensation_->name_open(paths);
  } else if (Frame* running = handler_ ? handler_.get() : body_.get()) {
    running->name_open(paths);
  }
  if (paths.size() == before && !settled_.over()) paths.push_back(path().empty() ? "the run" : base_);
}

void RootFrame::drain() {
  if (!handler_ && body_) body_->drain();
}

void RootFrame::reopen(std::string_view only) {
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

int RootFrame::generation() const {
  if (tidying_) return generation_;
  return handler_ && generation_ > 0 ? generation_ : generation_at(parent());
}

std::optional<Settled> RootFrame::look(std::string_view rest) const {
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

bool RootFrame::tidies(const std::string& reason) const {
  if (!parent() || !body_ || !context().abandoned().may_tidy()) return false;
  if (stage_ == Stage::Finally) return true;
  return root_.finally || (out_of_time(reason) && root_.on_failure);
}

void RootFrame::give_up(const std::string& reason) {
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

void RootFrame::arm_timeout() {
  if (!parent() && context().run().timeout) {
    span_ = *context().run().timeout;
  } else if (root_.timeout.written()) {
    auto timeout = resolve(root_.timeout, FrameScope(*this), context().evaluator(), Duration{0}, "timeout");
    if (auto* span = std::get_if<Duration>(&timeout)) span_ = *span;
  }
  if (span_ > Duration{0}) context().timers().arm(*this, TimerKind::Timeout, span_);
}

void RootFrame::body_ended(const Settled& body) {
  context().timers().disarm(*this, TimerKind::Timeout);
  verdict_ = body;
  next();
}

void RootFrame::next() {
  for (;;) {
    stage_ = static_cast<Stage>(static_cast<int>(stage_) + 1);
    if (stage_ == Stage::Over) return settle();
    if (stage_ == Stage::Undo ? compensate() : handle(stage_ == Stage::Finally)) return;
  }
}

bool RootFrame::compensate() {
  // What lost its scope is undone at any end; but for a cancelled run that is a question of its own.
  bool all = cancel_ ? cancel_->undo : verdict_.state != State::Succeeded;
  if ((cancel_ && !cancel_->undo) || !scope_.waits(!all)) return false;
  std::optional<Failure> error;
  if (verdict_.failure) error = *verdict_.failure;
  compensation_ = std::make_unique<Compensation>(context(), *this, scope_.take(!all), std::move(error));
  context().queue().start(*compensation_);
  return true;
}

void RootFrame::undone() {
  for (Undoable& rest : compensation_->take_rest()) scope_.add(std::move(rest));
  compensation_.reset();
  next();
}

bool RootFrame::handle(bool finally) {
  bool wanted = finally ? !cancel_ || !cancel_->now : state() == State::Failed && !cancel_;
  const GraphStep* body = finally ? root_.finally.get() : root_.on_failure.get();
  if (!wanted || !body) return false;
  handler_ = std::make_unique<HandlerFrame>(context(), this, *body,
                                            child_path(base_, finally ? "finally" : "on_failure"), base_);
  context().queue().start(*handler_);
  return true;
}

State RootFrame::state() const {
  return verdict_.state == State::Succeeded && !scope_.failed().empty() ? State::Failed : verdict_.state;
}

std::shared_ptr<const Failure> RootFrame::failure() const {
  std::vector<std::string> failed = scope_.failed();
  if (failed.empty()) return verdict_.failure;
  Failure failure = verdict_.failure ? *verdict_.failure : Failure{"group", "not everything could be undone"};
  Json detail = failure.detail.json().is_object() ? failure.detail.json() : Json::object();
  detail["undo_failed"] = failed;
  failure.detail = Value(std::move(detail));
  return std::make_shared<const Failure>(std::move(failure));
}

void RootFrame::settle() {
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
