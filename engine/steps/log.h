// Says something to who drives the run or reads about it later, and does nothing else.
//
//     log: order ${ $input.id } is late
//     level: warn
#pragma once

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class LogStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  ValueTemplate message;
  std::string level = "info";
};

}  // namespace flowrun
