// What the parser's complaints mean for the one who wrote the file. Knows the library's words, not the library.
#pragma once

#include <vector>

#include "engine/yaml/events.h"
#include "engine/yaml/quirks.h"
#include "engine/yaml/text.h"

namespace flowrun {

/// What |error| means. |bracket|: the innermost that is open there; npos: none.
Refusal translated(const YamlText& text, const YamlError& error, std::size_t bracket);

/// The expressions and scripts that YAML takes apart, when one of them led to |error|: then all of the file.
std::vector<Quirk> broken_near(const YamlText& text, const YamlError& error);

/// The `#` of the first comment behind the bracket at |open| that has a closing one in it, when that is what |error|
/// misses; else where the error is.
std::size_t comment_in_flow(const YamlText& text, const YamlError& error, std::size_t open);

}  // namespace flowrun
