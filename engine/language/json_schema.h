// JSON Schema, draft 7, the closed set of keywords of flowrun-workflow(5): which there are, and whether a value
// satisfies a schema. Without `$ref`, so that time is bounded by the sizes of schema and value.
#pragma once

#include <string>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/yaml/node.h"

namespace flowrun {

struct SchemaKeyword {
  enum class Takes { Type, Any, Count, Number, Boolean, Text, Texts, List, Schema, Schemas, SchemaMap };
  const char* name;
  Takes takes;
  bool of_input = false;  ///< not JSON Schema: stands at the top of an input only
};
const std::vector<SchemaKeyword>& schema_keywords();
/// What `type` may be.
const std::vector<std::string>& schema_types();

/// E108 for every keyword that is not in the subset. |input|: `default` and `env` may stand at the top.
void check_schema_keywords(const Node& schema, bool input, Diagnostics& diagnostics);

/// What |value| has against it, one line each and only the first ones; empty when it satisfies |schema|, which has
/// passed check_schema_keywords().
std::vector<std::string> schema_errors(const Json& schema, const Json& value);

}  // namespace flowrun
