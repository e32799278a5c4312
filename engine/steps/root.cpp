#include "engine/steps/root.h"

namespace flowrun {
namespace {

/// At the end of a run, what has no output is null instead of an error.
class FinalScope : public Scope {
 public:
  explicit FinalScope(const Frame& body) : scope_(body) {}
  std::variant<Value, Failure> lookup(const Reference& reference) const override {
    auto found = scope_.lookup(reference);
    if (reference.variable == "steps" && std::holds_alternative<Failure>(found)) return Value();
    return found;
  }

 private:
  FrameScope scope_;
};

class RootFrame : public Frame {
 public:
  RootFrame(Machine& machine, Frame* parent, const RootStep& step, std::string path)
      : Frame(machine, parent, step, std::move(path)), root_(step) {}

  void start() override {
    settled_.state = State::Running;
    settled_.started_at = machine().now();
    arm_timeout();
    body_ = root_.body->frame(machine(), this, "");
    machine().queue_start(*body_);
  }

  void on_child(Frame&) override {
    machine().disarm(*this, TimerKind::Timeout);
    if (settled_.state != State::Running) return;
    settle(body_->settled());
  }

  void on_timer(TimerKind) override {
    body_->cancel("timeout");
    Settled ended = body_->settled();
    ended.state = State::Failed;
    ended.failure =
        std::make_shared<const Failure>(Failure{"timeout", "the run timed out after " + spell(span_), "", 0, {}});
    settle(ended);
  }

  void cancel(const std::string& reason) override { body_->cancel(reason); }
  void drain() override { body_->drain(); }
  bool keeps_frame() const override { return true; }

  void reopen(std::string_view only) override {
    settled_ = Settled{};
    settled_.state = State::Running;
    settled_.started_at = machine().now();
    arm_timeout();
    body_->reopen(only);
  }

  Bound bind(const Reference& reference) const override {
    if (reference.variable == "input") return machine().run().inputs;
    if (reference.variable == "vars") return machine().run().vars;
    if (reference.variable == "run") return Value(run_json());
    if (reference.variable == "now")
      return Value(Json(std::chrono::duration_cast<std::chrono::seconds>(machine().now().time_since_epoch()).count()));
    if (reference.variable == "uuid") return Value::string(machine().chance().uuid("\nuuid"));
    if (reference.variable == "random") return Value(Json(machine().chance().uniform("\nrandom")));
    return std::nullopt;
  }

  std::optional<Settled> look(std::string_view rest) const override {
    if (rest.empty()) return settled_;
    return body_ ? body_->look(rest) : std::nullopt;
  }

 private:
  void arm_timeout() {
    if (machine().run().timeout) {
      span_ = *machine().run().timeout;
    } else if (root_.timeout.written()) {
      auto timeout = resolve(root_.timeout, FrameScope(*this), machine().evaluator(), Duration{0}, "timeout");
      if (auto* span = std::get_if<Duration>(&timeout)) span_ = *span;
    }
    if (span_ > Duration{0}) machine().arm(*this, TimerKind::Timeout, span_);
  }

  void settle(const Settled& body) {
    settled_.state = body.state;
    settled_.failure = body.failure;
    settled_.ended_at = machine().now();
    settled_.output = Value();
    if (root_.output) {
      Evaluation output = root_.output->evaluate(FinalScope(*body_), machine().evaluator());
      if (auto* value = std::get_if<Value>(&output)) {
        settled_.output = *value;
      } else if (settled_.state == State::Succeeded) {
        // A result that can not be had is no success; of a run that failed anyway it is null.
        Failure failure = std::get<Failure>(output);
        failure.message = "output: " + failure.message;
        settled_.state = State::Failed;
        settled_.failure = std::make_shared<const Failure>(std::move(failure));
      }
    }
    machine().queue_settled(*this);
  }

  Json run_json() const {
    const RunStarted& run = machine().run();
    return {{"id", run.id},
            {"name", run.name},
            {"dir", run.run_dir},
            {"host", run.host},
            {"state", to_string(settled_.state)},
            {"started_at", timestamp(settled_.started_at)},
            {"elapsed_ms", (machine().now() - settled_.started_at).count()},
            {"cpus", run.cpus},
            {"undone", Json::array()},
            {"failed", settled_.failure ? Json::array({settled_.failure->step}) : Json::array()}};
  }

  const RootStep& root_;
  std::unique_ptr<Frame> body_;
  Duration span_{0};
};

}  // namespace

std::unique_ptr<Frame> RootStep::frame(Machine& machine, Frame* parent, std::string path) const {
  return std::make_unique<RootFrame>(machine, parent, *this, std::move(path));
}

}  // namespace flowrun
