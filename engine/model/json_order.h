// The order of JSON values, exact for integers of 64 bit beside each other and beside doubles: jq's total order, and
// the equality of JSON Schema. Knows no expression and no schema.
#pragma once

#include "engine/model/value.h"

namespace flowrun {

/// Negative, zero, positive: null, false, true, numbers, texts, lists, objects; within a type as jq has it. 1 and 1.0
/// are equal, 2^53 + 1 and 2^53 are not, however they are written.
int compare(const Json& a, const Json& b);

/// The place of a type in that order; true and false have one each.
int type_rank(const Json& json);

}  // namespace flowrun
