#include "engine/steps/plain.h"

namespace flowrun {
namespace {

class SetFrame : public Life {
 public:
  SetFrame(Machine& machine, Frame* parent, const SetStep& step, std::string path)
      : Life(machine, parent, step, std::move(path)), set_(step) {}

 protected:
  void begin() override {
    Evaluation value = set_.value.evaluate(scope(), evaluator());
    if (auto* failure = std::get_if<Failure>(&value)) return fail(std::move(*failure));
    finish({State::Succeeded, std::get<Value>(std::move(value)), {}});
  }
  bool shows_output() const override { return true; }

 private:
  const SetStep& set_;
};

class FailFrame : public Life {
 public:
  FailFrame(Machine& machine, Frame* parent, const FailStep& step, std::string path)
      : Life(machine, parent, step, std::move(path)), fail_(step) {}

 protected:
  void begin() override {
    Evaluation message = fail_.message.evaluate(scope(), evaluator());
    if (auto* failure = std::get_if<Failure>(&message)) return fail(std::move(*failure));
    auto text = as_text(std::get<Value>(message), "fail");
    if (auto* failure = std::get_if<Failure>(&text)) return fail(std::move(*failure));
    fail({"fail", std::get<std::string>(text), "", 0, {}});
  }

 private:
  const FailStep& fail_;
};

class SleepFrame : public Life {
 public:
  SleepFrame(Machine& machine, Frame* parent, const SleepStep& step, std::string path)
      : Life(machine, parent, step, std::move(path)), sleep_(step) {}

  void on_timer(TimerKind timer) override {
    if (timer != TimerKind::Sleep) return Life::on_timer(timer);
    finish({State::Succeeded, {}, {}}, "", Said::All);
  }

 protected:
  void begin() override {
    auto span = resolve(sleep_.span, scope(), evaluator(), Duration{0}, "sleep");
    if (auto* failure = std::get_if<Failure>(&span)) return fail(std::move(*failure));
    settled_.state = State::Sleeping;
    machine().arm(*this, TimerKind::Sleep, std::get<Duration>(span));
  }
  void stop(const std::string&) override { machine().disarm(*this, TimerKind::Sleep); }

 private:
  const SleepStep& sleep_;
};

}  // namespace

std::unique_ptr<Frame> SetStep::frame(Machine& machine, Frame* parent, std::string path) const {
  return std::make_unique<SetFrame>(machine, parent, *this, std::move(path));
}

std::unique_ptr<Frame> FailStep::frame(Machine& machine, Frame* parent, std::string path) const {
  return std::make_unique<FailFrame>(machine, parent, *this, std::move(path));
}

std::unique_ptr<Frame> SleepStep::frame(Machine& machine, Frame* parent, std::string path) const {
  return std::make_unique<SleepFrame>(machine, parent, *this, std::move(path));
}

}  // namespace flowrun
