// What yaml-cpp's complaints mean for the one who wrote the file. Knows their words, not the library.
#pragma once

#include <optional>
#include <string>

#include "engine/language/yaml_quirks.h"
#include "engine/language/yaml_text.h"

namespace flowrun {

/// What yaml-cpp's |message| about |where| means. |last|: where it was when it last understood something.
Refusal translated(const YamlText& text, const std::string& message, std::size_t where, std::size_t last);

/// The expression or script that made YAML fail at |where|, if one did.
std::optional<Quirk> broken_near(const YamlText& text, std::size_t where);

/// The `#` of the first comment behind the bracket at |open| that has a closing one in it, when that is what yaml-cpp's
/// |message| about |where| misses; else |where|.
std::size_t comment_in_flow(const YamlText& text, const std::string& message, std::size_t open, std::size_t where);

}  // namespace flowrun
