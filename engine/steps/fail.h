// Fails on purpose, with a message.
//
//     fail: order ${ $input.id } looks fraudulent
#pragma once

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class FailStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  TextTemplate message;
};

}  // namespace flowrun
