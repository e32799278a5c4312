// Which errors a list of types is for. flowrun-workflow(5), "Error types".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/outcome.h"

namespace flowrun {

/// Whether |pattern| stands for errors of |type|: itself, its class (`http`, `http.5xx`, `exit`, what stands before the
/// first dot), `transient` or `any`.
bool matches(std::string_view pattern, std::string_view type);

/// Whether one of |patterns| stands for |failure|. `child` is seen through to what failed in the file, and `group` is
/// listed when each of its causes is.
bool is_listed(const std::vector<std::string>& patterns, const Failure& failure);

/// Whether a server that answered like this has done nothing and would say the same again to the same key.
bool is_refusal(std::string_view type);

}  // namespace flowrun
