// Bytes in the spellings of the web. Knows nothing of what they mean.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// RFC 4648, section 4, with padding.
std::string base64(std::string_view bytes);
/// RFC 3986: all but letters, digits and `-._~`, and what is in |kept|, as %XX.
std::string percent_encoded(std::string_view bytes, std::string_view kept = "");

}  // namespace flowrun
