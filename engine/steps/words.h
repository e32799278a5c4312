// Lists of texts with expressions in them: the words of a command, the names of files. Knows no kind of step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

/// Adds the texts of |list|, which is called |key|, to |words|; a list among them is several. None has a zero byte.
std::optional<Failure> add_words(std::vector<std::string>& words, const std::vector<TextTemplate>& list,
                                 const char* key, const FrameScope& scope, Evaluator& evaluator);

}  // namespace flowrun
