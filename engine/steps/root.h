// The root of a run: the workflow's own body, what all its expressions see, the handlers and the output at the end.
#pragma once

#include "engine/machine/step.h"
#include "engine/steps/graph.h"

namespace flowrun {

class RootStep : public Step {
 public:
  std::unique_ptr<Frame> frame(Machine& machine, Frame* parent, std::string path) const override;

  std::unique_ptr<GraphStep> body;
  std::unique_ptr<GraphStep> on_failure, finally;
  Setting<Duration> timeout;
  std::optional<ValueTemplate> output;
};

}  // namespace flowrun
