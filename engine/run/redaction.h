// What leaves this machine in spans: URLs and texts without the keys in them. Secrets that flowrun itself holds are
// masked before; this knows only how URLs are written.
#pragma once

#include <string>

namespace flowrun {

/// |url| without user, password and the values of parameters that are known to be keys.
std::string url_to_tell(std::string url);
/// |text| with that done to each URL in it.
std::string text_to_tell(const std::string& text);

}  // namespace flowrun
