// The syntax of ECMA-262 in that of RE2. Matches nothing.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// |ecma| as RE2 writes it; throws PatternError for what is no pattern, or none that is matched in linear time.
std::string in_re2_syntax(std::string_view ecma);

}  // namespace flowrun
