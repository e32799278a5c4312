// Asks people what became of steps that were in flight when their run was cut off and that say `on_crash: ask`. Knows
// the words of the questions, not what follows from the answers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/run/run.h"

namespace flowrun::cli {

/// Asks at the terminal, step by step; nothing when there is nobody to be asked. |stop|: a signal came, for which this
/// throws Interrupted.
std::optional<std::vector<Mark>> ask(const std::vector<OpenQuestion>& questions, const std::function<bool()>& stop);

/// What a person who could not be asked is told, with the commands that answer. |journal|: the path of the file.
Error unanswered(const std::vector<OpenQuestion>& questions, const std::string& journal, const std::string& run);

}  // namespace flowrun::cli
