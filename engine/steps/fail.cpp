#include "engine/steps/fail.h"

namespace flowrun {
namespace {

class FailFrame final : public StepFrame {
 public:
  FailFrame(Context& context, Frame* parent, const FailStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {}), fail_(step) {}

 protected:
  void begin() override {
    Failure raised{fail_.type, fail_.type};
    if (fail_.message) {
      Evaluation message = fail_.message->evaluate(scope(), evaluator());
      if (!message) return fail(std::move(message.failure()));
      auto text = as_text(*message, "fail");
      if (!text) return fail(std::move(text.failure()));
      raised.message = *std::move(text);
    }
    if (fail_.data) {
      Evaluation data = fail_.data->evaluate(scope(), evaluator());
      if (!data) return fail(std::move(data.failure()));
      raised.detail = Value(Json{{"data", data->json()}});
    }
    fail(std::move(raised));
  }

 private:
  const FailStep& fail_;
};

}  // namespace

std::unique_ptr<Frame> FailStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<FailFrame>(context, parent, *this, std::move(path));
}

}  // namespace flowrun
