// What a person types to answer a step that waits. Sends nothing.
#pragma once

#include <string>

#include "engine/run/answer_data.h"

namespace flowrun::cli {

/// The command that answers the step at |path| of |run|, which waits for |signal|.
std::string answer_command(const std::string& journal, const std::string& run, const std::string& path,
                           const std::string& signal, const AnswerData& data);

}  // namespace flowrun::cli
