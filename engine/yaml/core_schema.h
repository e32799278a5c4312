// The types that YAML 1.2 gives to plain scalars. Knows single words only.
#pragma once

#include <optional>
#include <string_view>

#include "engine/yaml/node.h"

namespace flowrun {

/// Of a plain scalar: https://yaml.org/spec/1.2.2/#1032-tag-resolution
Node::Kind core_kind(std::string_view text);

/// The value of an Integer; nothing when it does not fit into 64 bits.
std::optional<Json> integer_of(std::string_view text);

/// Whether JSON can write this Float.
bool is_finite(std::string_view text);

}  // namespace flowrun
