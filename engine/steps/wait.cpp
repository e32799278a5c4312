#include "engine/steps/wait.h"

#include <fmt/format.h>

#include "engine/language/json_schema.h"
#include "engine/machine/signals.h"

namespace flowrun {
namespace {

constexpr StepFrame::Traits kWaitTraits{
    .times_itself = true, .maps_itself = true, .shows_output = true, .reopens = true};

class WaitFrame final : public StepFrame, public SignalFrame {
 public:
  WaitFrame(Context& context, Frame* parent, const WaitStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), kWaitTraits),
        SignalFrame(static_cast<Frame&>(*this)),
        wait_(step) {}

  bool accepts(const SignalReceived& signal) const override {
    return signal.rejected || schema_errors(wait_.accept, signal.data.json()).empty();
  }
  void on_signal(const SignalReceived& signal) override {
    context().timers().disarm(*this, TimerKind::Wait);
    settled_.more = std::make_shared<const Json>(Json{{"by", signal.by}});
    if (signal.rejected) return fail({"rejected", *signal.rejected});
    if (!options().output) return good(signal.data);
    Value raw(Json{{"data", signal.data.json()}, {"by", signal.by}, {"at", timestamp(context().now())}});
    Evaluation mapped = options().output->evaluate(FrameScope(*this, &raw), evaluator());
    if (!mapped) return fail(std::move(mapped.failure()));
    good(*std::move(mapped));
  }

  void on_timer(TimerKind timer) override {
    if (timer != TimerKind::Wait) return StepFrame::on_timer(timer);
    context().signals().ignore(*this);
    fail({"timeout", fmt::format("nobody sent `{}` within {}", wait_.signal, to_string(patience_))});
  }

  void reopen(std::string_view only) override {
    StepFrame::reopen(only);
    begin();
  }
  bool keeps_frame() const override { return settled_.state == State::Failed || settled_.state == State::Cancelled; }

 protected:
  void begin() override {
    settled_.more = nullptr;
    std::string prompt;
    if (wait_.prompt) {
      Evaluation asked = wait_.prompt->evaluate(scope(), evaluator());
      if (!asked) return fail(std::move(asked.failure()));
      auto text = as_text(*asked, "prompt");
      if (!text) return fail(std::move(text.failure()));
      prompt = *text;
    }
    auto patience = resolve(options().timeout, scope(), evaluator(), Duration{0}, "timeout");
    if (!patience) return fail(std::move(patience.failure()));
    settled_.state = State::Waiting;
    patience_ = *patience;
    // A date, unlike the timeouts of work: it passes while nobody drives the run, too.
    if (options().timeout.written()) context().timers().arm(*this, TimerKind::Wait, patience_);
    context().signals().await(*this, wait_.signal, std::move(prompt));
  }
  void stop(const std::string&) override {
    context().signals().ignore(*this);
    context().timers().disarm(*this, TimerKind::Wait);
  }

 private:
  void good(Value output) {
    if (auto failure = against_returns(output)) return fail(std::move(*failure));
    finish({State::Succeeded, std::move(output), {}});
  }

  const WaitStep& wait_;
  Duration patience_{0};
};

}  // namespace

std::unique_ptr<Frame> WaitStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<WaitFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
