// What a step with `memo` asks for, with every expression evaluated. Looks nothing up and opens no file.
#pragma once

#include <string>
#include <vector>

#include "engine/language/template.h"
#include "engine/steps/setting.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

/// As it is written.
struct MemoSettings {
  Setting<Duration> at_most;                ///< `memo`
  std::vector<TextTemplate> reads, writes;  ///< a list among them is several
};

/// What it comes to for one attempt. |folder|: where its process runs, or its file is.
Fallible<MemoRequest> memo_request(const MemoSettings& settings, const std::string& definition, std::string folder,
                                   const FrameScope& scope, Evaluator& evaluator);

}  // namespace flowrun
