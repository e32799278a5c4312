// What a process wrote becomes a value, or a failure. Pure: bytes in, JSON text out.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// |output| as |capture| wants it; for File, |written| is what $FLOWRUN_OUTPUT holds, if it exists.
std::variant<Value, Failure> captured(Process::Capture capture, const std::string& output,
                                      const std::optional<std::string>& written);

/// The last |lines| lines of |text|, as valid UTF-8.
std::string tail_lines(const std::string& text, std::size_t lines);

}  // namespace flowrun
