// What the files of other tools have in place of expressions, and how it is said here. Knows no YAML and no positions.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// What to write instead of `${{ ... }}` or `{{ ... }}`; |written| has the braces.
std::string advice_on_braces(std::string_view written);

/// The same for a |text| that would be an expression if it stood in braces, `$input.x`; empty for any other.
std::string advice_on_bare(const std::string& text);

}  // namespace flowrun
