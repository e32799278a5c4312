#include "engine/steps/set.h"

namespace flowrun {
namespace {

class SetFrame final : public StepFrame {
 public:
  SetFrame(Context& context, Frame* parent, const SetStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.shows_output = true}), set_(step) {}

 protected:
  void begin() override {
    Evaluation value = set_.value.evaluate(scope(), evaluator());
    if (!value) return fail(std::move(value.failure()));
    finish({State::Succeeded, *std::move(value), {}});
  }

 private:
  const SetStep& set_;
};

}  // namespace

std::unique_ptr<Frame> SetStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<SetFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
