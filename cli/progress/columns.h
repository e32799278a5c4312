// Text in the columns of a terminal: how wide it is, and cut to fit. Knows neither colours nor cursors.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flowrun::cli {

/// How many columns a terminal gives |text|, which is UTF-8 without control characters; 2 for each wide character of
/// East Asia, 0 for what joins the character before it.
std::size_t columns_of(std::string_view text);

/// |text|, or its beginning and |mark| when it is wider than |most| columns. Never wider than |most|.
std::string cut_to_columns(std::string_view text, std::size_t most, std::string_view mark);

/// |text| with blanks behind it up to |columns|.
std::string padded_to_columns(std::string text, std::size_t columns);

}  // namespace flowrun::cli
