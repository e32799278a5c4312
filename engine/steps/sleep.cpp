#include "engine/steps/sleep.h"

namespace flowrun {
namespace {

class SleepFrame final : public StepFrame {
 public:
  SleepFrame(Context& context, Frame* parent, const SleepStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {}), sleep_(step) {}

  void on_timer(TimerKind timer) override {
    if (timer != TimerKind::Sleep) return StepFrame::on_timer(timer);
    finish({State::Succeeded, {}, {}}, "", Journaled::Yes);
  }

 protected:
  void begin() override {
    auto span = resolve(sleep_.span, scope(), evaluator(), Duration{0}, "sleep");
    if (!span) return fail(std::move(span.failure()));
    settled_.state = State::Sleeping;
    context().timers().arm(*this, TimerKind::Sleep, *span);
  }
  void stop(const std::string&) override { context().timers().disarm(*this, TimerKind::Sleep); }

 private:
  const SleepStep& sleep_;
};

}  // namespace

std::unique_ptr<Frame> SleepStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<SleepFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
