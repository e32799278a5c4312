// The first way whose condition holds is taken; none is null.
//
//     switch:
//       - { if: "${ $input.size == \"large\" }", do: { exec: [./rds, restore] } }
//       - else: { exec: [./pg, create] }
#pragma once

#include <vector>

#include "engine/steps/step_frame.h"

namespace flowrun {

class SwitchStep final : public CommonStep {
 public:
  struct Way {
    Setting<bool> condition;     ///< not written: `else`
    std::unique_ptr<Step> body;  ///< a GraphStep without a name
  };
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  std::vector<Way> ways;
};

}  // namespace flowrun
