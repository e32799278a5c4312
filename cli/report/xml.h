// Text in XML. Knows no format that is written in it.
#pragma once

#include <string>
#include <string_view>

namespace flowrun::cli {

/// |text| in an attribute or an element. What XML 1.0 can not hold, by a reference neither, becomes U+FFFD.
std::string xml(std::string_view text);

}  // namespace flowrun::cli
