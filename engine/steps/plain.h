// The kinds without an effect of their own.
//
//     set: { total: "${ $steps.order.total }" }
//     fail: order ${ $input.id } looks fraudulent
//     sleep: 15m
#pragma once

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class SetStep : public LivingStep {
 public:
  std::unique_ptr<Frame> frame(Machine& machine, Frame* parent, std::string path) const override;
  ValueTemplate value;
};

class FailStep : public LivingStep {
 public:
  std::unique_ptr<Frame> frame(Machine& machine, Frame* parent, std::string path) const override;
  TextTemplate message;
};

/// Ends at a date that is set when it begins: time in which nobody drives the run counts.
class SleepStep : public LivingStep {
 public:
  std::unique_ptr<Frame> frame(Machine& machine, Frame* parent, std::string path) const override;
  Setting<Duration> span;
};

}  // namespace flowrun
