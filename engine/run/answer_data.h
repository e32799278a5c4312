// What an answer to a step that waits may look like: an example of the data that its signal takes. Sends nothing.
#pragma once

#include <map>
#include <string>

#include "engine/run/load.h"

namespace flowrun {

/// By the name of a signal: the JSON of data that its steps accept; empty where they accept an answer without data.
using AnswerData = std::map<std::string, std::string>;
AnswerData answer_data(const Loaded& loaded);

}  // namespace flowrun
