// The header `Link` (RFC 8288). Knows nothing of requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "engine/model/outcome.h"

namespace flowrun {

/// The reference of the first link in |header| whose relation is `next`; nothing when there is none. Several headers
/// come as one with commas. A Failure of type `parse` when it can not be read: what it hides may be the next page.
Fallible<std::optional<std::string>> next_link(std::string_view header);

}  // namespace flowrun
