// A step that waits for a signal: a person's word, or another process.
//
//     wait: approval
//     prompt: Apply ${ $steps.plan.changes } changes?
//     accept: { type: object }
//     timeout: 24h
#pragma once

#include <optional>
#include <string>

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class WaitStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  std::string signal;  ///< its name
  std::optional<TextTemplate> prompt;
  Json accept = Json::object();  ///< JSON Schema of its data
};

}  // namespace flowrun
