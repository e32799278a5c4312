// Bytes in the spellings of the web. Knows nothing of what they mean.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

/// RFC 4648, section 4, with padding.
std::string base64(std::string_view bytes);
/// RFC 3986: all but letters, digits and `-._~`, and what is in |kept|, as %XX.
std::string percent_encoded(std::string_view bytes, std::string_view kept = "");
/// |url| with everything percent-encoded that may not stand in a URL (RFC 3986, 2). What its host is spelled in, and
/// what is encoded already, stays.
std::string sendable_url(std::string_view url);
/// Why |name|: |value| can not go out as a header of a request, as a sentence about it; empty: it can.
std::string header_fault(std::string_view name, std::string_view value);

}  // namespace flowrun
