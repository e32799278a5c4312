// A failure as the text of an object, members of its detail beside type and message, as `$error` shows it. Only for
// the files of this room; others have to_json.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/outcome.h"

namespace flowrun {

void append_failure(std::string& out, const Failure& failure);
/// Throws Corruption.
Failure failure_from_text(std::string_view text);

}  // namespace flowrun
