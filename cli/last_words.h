// What processes and servers said at last of a failure; for people.
#pragma once

#include <string>

#include "engine/model/outcome.h"

namespace flowrun::cli {

/// The last |most| lines of standard error, or the beginning of the body of an answer; each line with |indent|. Empty
/// when the failure is not of a process or an answer, or nothing was said.
std::string own_words(const Failure& failure, std::size_t most, const std::string& indent);

/// The same of what is behind |failure|: of the step in a sub-workflow, and of a group of the first that failed in it,
/// with their names.
std::string last_words(const Failure& failure, std::size_t most, const std::string& indent);

}  // namespace flowrun::cli
