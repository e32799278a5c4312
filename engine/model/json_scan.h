// What simdjson does with JSON text: looks through it ten times as fast as the library of values does. It only says
// yes: what it does not take is judged by the library of values, so that both always come to the same. Keeps no text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/model/value.h"

namespace flowrun {

/// Whether |text| is quickly seen to be one JSON value and nothing else but blanks, in UTF-8, nested 1,000 levels deep
/// at most, with numbers that can be kept. False: who has time looks more closely.
bool scans_as_json(std::string_view text);
/// The value of such a text, as the library of values would make it; nothing where scans_as_json() is false.
std::optional<Json> scanned_json(std::string_view text);
/// |json|, the text of one value, without the blanks between its tokens.
std::string without_blanks(std::string_view json);

}  // namespace flowrun
