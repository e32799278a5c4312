// The amount of a join policy, as it is written or as an expression gives it.
#pragma once

#include <string>

#include "engine/machine/join.h"
#include "engine/model/value.h"

namespace flowrun {

/// Sets the amount of |join| to |amount|: a count, or a text such as `5%`. Returns what is wrong with it; empty:
/// nothing.
std::string set_amount(Join& join, const Json& amount);

}  // namespace flowrun
