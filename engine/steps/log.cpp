#include "engine/steps/log.h"

namespace flowrun {
namespace {

class LogFrame final : public StepFrame {
 public:
  LogFrame(Context& context, Frame* parent, const LogStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.shows_output = true}), log_(step) {}

 protected:
  void begin() override {
    Evaluation said = log_.message.evaluate(scope(), evaluator());
    if (!said) return fail(std::move(said.failure()));
    // Its entry is what is told: the text as the output, the level as the reason.
    Value text = said->json().is_string() ? *std::move(said) : Value::string(said->text());
    finish({State::Succeeded, std::move(text), {}}, log_.level);
  }

 private:
  const LogStep& log_;
};

}  // namespace

std::unique_ptr<Frame> LogStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<LogFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
