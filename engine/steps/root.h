// The root of a run, or of a file that is run as a step: the workflow's own body, what all its expressions see, the
// handlers and the output at the end.
#pragma once

#include "engine/language/template.h"
#include "engine/machine/step.h"
#include "engine/steps/definition.h"
#include "engine/steps/graph.h"

namespace flowrun {

/// What `$input` and `$vars` are.
struct Inputs {
  Value inputs, vars;
  Json secrets = Json::object();  ///< of a sub-workflow: those that it was given, by the names of their inputs
};

class RootStep : public Step {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  /// Of the file |definition|, as the step |parent|: all paths stand below that one's.
  std::unique_ptr<Frame> frame_below(Context& context, Frame* parent, const Definition& definition,
                                     Inputs inputs) const;

  std::unique_ptr<GraphStep> body;
  std::unique_ptr<GraphStep> on_failure, finally;
  Setting<Duration> timeout;
  std::optional<ValueTemplate> output;
};

}  // namespace flowrun
