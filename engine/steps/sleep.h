// Waits for a date, and does nothing else.
//
//     sleep: 15m
#pragma once

#include "engine/steps/step_frame.h"

namespace flowrun {

/// Ends at a date that is set when it begins: time in which nobody drives the run counts.
class SleepStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  Setting<Duration> span;
};

}  // namespace flowrun
