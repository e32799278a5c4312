// JSON Schema, draft 7, for the tests: what the schema for editors needs beyond the keywords of the language.
#pragma once

#include "engine/model/value.h"

namespace flowrun {

/// Whether |value| satisfies |schema|; its `$ref` are pointers into |root|.
bool satisfies(const Json& schema, const Json& value, const Json& root);

}  // namespace flowrun
