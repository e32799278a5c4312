// Text in the charset that its sender names becomes UTF-8, by iconv of libc. Knows nothing of who sent it.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace flowrun {

enum class Undecoded {
  Unknown,  ///< libc does not know the charset
  Invalid,  ///< the bytes are none of its texts
};

/// |bytes| in UTF-8. |charset| is a name as the IANA has them, in any case; UTF-8 is not checked, and given back as it
/// is.
std::variant<std::string, Undecoded> decoded(std::string bytes, const std::string& charset);

/// What the parameter `charset` of the media type |content_type| says; empty: it has none.
std::string charset_of(std::string_view content_type);

}  // namespace flowrun
