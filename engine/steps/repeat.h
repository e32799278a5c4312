// Runs a body again and again, each round with what the one before has put out.
//
//     repeat: { carry: { next: /items }, until: "${ $carry.next == null }" }
//     do:
//       http: ${ $vars.api }${ $carry.next }
//       output: "${ { next: .next } }"
#pragma once

#include <cstdint>
#include <memory>

#include "engine/steps/step_frame.h"

namespace flowrun {

class RepeatStep final : public CommonStep {
 public:
  static constexpr std::int64_t kRounds = 1000;  ///< where `at_most` is not written

  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;

  ValueTemplate carry;  ///< $carry of the first round
  Setting<bool> go_on;  ///< `while`: asked before each round
  Setting<bool> done;   ///< `until`: asked after each round
  std::int64_t at_most = kRounds;
  std::unique_ptr<Step> body;  ///< a GraphStep without a name
};

}  // namespace flowrun
