// What a person types to answer a step that waits. Knows schemas of answers; sends nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/machine/workflow.h"

namespace flowrun::cli {

/// By the name of a signal: the JSON of data that its steps accept; empty where they accept an answer without data.
using AnswerData = std::map<std::string, std::string>;
AnswerData answer_data(const std::vector<Signal>& signals);

/// The command that answers the step at |path| of |run|, which waits for |signal|.
std::string answer_command(const std::string& journal, const std::string& run, const std::string& path,
                           const std::string& signal, const AnswerData& data);

}  // namespace flowrun::cli
