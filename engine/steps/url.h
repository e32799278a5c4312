// URLs as text: references into absolute ones, query parameters. RFC 3986. Knows nothing of requests.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/secret_text.h"

namespace flowrun {

/// Appends |text| with everything percent-encoded that is not unreserved (section 2.3).
void append_encoded(std::string& out, std::string_view text);
bool is_unreserved(char c);
/// |url| without what stands behind `#`: that never leaves the client.
std::string_view without_fragment(std::string_view url);
/// What |reference| means on the page at |base| (section 5.2), without its fragment. REQUIRES: |base| is absolute.
std::string resolve_reference(std::string_view base, std::string_view reference);
/// |url|, which has no fragment, with the one query parameter |name|; those of that name that it had are gone.
SecretText with_parameter(const SecretText& url, std::string_view name, std::string_view value);

}  // namespace flowrun
