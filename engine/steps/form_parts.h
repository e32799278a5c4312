// The body of a request as multipart/form-data, made of the value of `multipart`. Reads no file.
#pragma once

#include <optional>

#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// Appends the parts that |fields| says to |request|, with the places of their secrets. A field is a text, a number, a
/// boolean, null for none of it, a map of `file`, `text` or `json` with `filename` and `type`, or a list of such. Where
/// the order counts, |fields| is a list of such maps, each with its `name`.
std::optional<Failure> append_parts(HttpRequest& request, const Json& fields);

}  // namespace flowrun
