// The options that every kind of step has: which keys may stand in a step, their defaults, and what they say.
#pragma once

#include <string>

#include "engine/reader/reading.h"

namespace flowrun {

/// |step| with the options that `defaults` and `env` of the file |root| have for its |kind|.
Node with_defaults(const Node& root, const Node& step, const std::string& kind);

/// Refuses what is no key of |kind|; `id` where the step does not stand |in_list|.
void check_keys(FileDiagnostics& findings, const Node& node, const std::string& kind, bool in_list);

/// Reads the options of |step|, those of groups included.
void read_options(Reading& reading, CommonStep& step, const Node& node, std::size_t raised_from);

/// A hash of what decides the result of a step: not when it runs, how often it is tried, or what happens afterwards.
std::string definition_of(const Node& node, const std::string& kind);

}  // namespace flowrun
