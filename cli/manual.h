// The manual pages, for `flowrun help`. Knows their names; the program man finds and shows them.
#pragma once

#include <string>

namespace flowrun::cli {

/// The page that |topic| of `flowrun help` means. Empty: none.
std::string manual_page(const std::string& topic);

/// Becomes man(1) with |page|. Throws Error(Impossible) where there is no such program.
[[noreturn]] void open_manual(const std::string& page);

}  // namespace flowrun::cli
