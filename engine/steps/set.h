// Computes a value, and does nothing else.
//
//     set: { total: "${ $steps.order.total }" }
#pragma once

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class SetStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  ValueTemplate value;
};

}  // namespace flowrun
