// The words of other tools, and words in the wrong place: what to write instead. Knows no file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flowrun {

/// What to write instead of a word of another tool, or of a key in the wrong place; empty: nothing is known. |kind| 0:
/// the kind of the step is not known.
std::string advice_for(std::string_view word, std::uint32_t kind);
/// The same for a word within the map that is the value of |key|.
std::string advice_within(std::string_view key, std::string_view word);
/// The same for a word at the top of a file.
std::string advice_at_top(std::string_view word);
/// What to write for |value| of |key|, whose words are others; empty: nothing is known of it.
std::string advice_on_value(std::string_view key, std::string_view value);

}  // namespace flowrun
