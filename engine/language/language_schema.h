// The language as a JSON Schema (draft-07), for editors: made from the tables of keys, so that it says what the parser
// takes. Messages for people come from the parser; this knows no positions.
#pragma once

#include "engine/model/value.h"

namespace flowrun {

/// What it can not say: that names are known and used once, cycles, whether an expression is one, files that must
/// exist.
Json language_schema();

}  // namespace flowrun
