// Items that come one after the other while a run goes on: how they are told apart in what is read, and their keys.
// Reads nothing itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/event.h"

namespace flowrun {

/// What ends an item: a line end, a line end behind a JSON value, a NUL.
enum class StreamFormat { Lines, Json, Nul };
constexpr std::string_view kStreamFormats[] = {"lines", "json", "nul"};

/// Whether |item| names itself: a number, a boolean or a text that is not empty.
bool names_itself(const Value& item);

/// What tells |item| from others of its stream: its own text, or its JSON when it does not name itself.
std::string stream_text(const Value& item);

/// The keys of the items in |arrived|, when |before| items of the stream came earlier. An item that names itself has
/// its text as its key; the second and later ones of equal text end in `#2` and so on, and so does a first one whose
/// text has such an end already. Others have `#` and their number. So no two items of a stream share a key. Throws
/// Corruption when the items are no list, or a repetition is none of them.
std::vector<std::string> stream_keys(const ItemsArrived& arrived, std::size_t before);

}  // namespace flowrun
