// What the parser's complaints mean for the one who wrote the file. Knows the library's words, not the library.
#pragma once

#include <optional>

#include "engine/yaml/events.h"
#include "engine/yaml/quirks.h"
#include "engine/yaml/text.h"

namespace flowrun {

/// What |error| means. |bracket|: the innermost that is open there; npos: none.
Refusal translated(const YamlText& text, const YamlError& error, std::size_t bracket);

/// The expression within `{ }` or `[ ]` whose brace is where |error| is.
std::optional<Quirk> broken_at(const YamlText& text, const YamlError& error);

/// True when |error| comes of an expression or a script that YAML takes apart, on its lines or a few above.
bool is_broken_near(const YamlText& text, const YamlError& error);

/// The `#` of the first comment behind the bracket at |open| that has a closing one in it, when that is what |error|
/// misses; else where the error is.
std::size_t comment_in_flow(const YamlText& text, const YamlError& error, std::size_t open);

}  // namespace flowrun
