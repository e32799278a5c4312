// What a process wrote or a server answered becomes a value, or a failure. Pure: bytes in, JSON text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// What should have been read in a form is not in it.
inline Failure parse_failure(std::string message) { return {"parse", std::move(message)}; }

/// |output| as |capture| wants it; for File, |written| is what $FLOWRUN_OUTPUT holds, if it exists.
Fallible<Value> captured(Process::Capture capture, const std::string& output,
                         const std::optional<std::string>& written);

/// |text| as compact JSON: members keep their order and numbers their digits. Failure `parse` when it is no JSON, or
/// nested so deep that looking into it would not be safe; it calls the text |what|.
Fallible<Value> json_value(std::string_view text, std::string_view what);

/// |text|, of a value of JSON a line, as a list. The failure says which line of |what| is none.
Fallible<Value> json_lines(std::string_view text, std::string_view what);

/// What is kept of an output that is too long and that nobody reads: {left_out, head, tail}.
Value cut_value(std::string_view head, std::string_view tail, std::int64_t left_out);

/// The last |lines| lines of |text|, as valid UTF-8.
std::string tail_lines(const std::string& text, std::size_t lines);

}  // namespace flowrun
