// What a JSON Schema says beforehand of a place within a value. Knows no expression and no step.
#pragma once

#include <string>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// One step along a path: `.name`, `[0]` or `[]`.
struct Hop {
  enum class Kind { Field, Item, Each };
  Kind kind = Kind::Field;
  std::string name;  ///< of a Field; the number of an Item
};

/// `.lines[0].sku`: the first |count| of |hops|.
std::string as_written(const std::vector<Hop>& hops, std::size_t count);

/// Where a path leads by a schema.
struct StaticType {
  Json schema;                ///< of the value there; null when nothing is said of it
  std::size_t followed = 0;   ///< hops before the one that can not be
  bool no_such_type = false;  ///< values of the type there have no fields, or no items
  bool closed = false;        ///< the schema there has no such field, and allows no other
  bool good() const { return !no_such_type && !closed; }
};

/// Silent in doubt: where a schema does not say, or allows null, everything may follow.
StaticType follow(const Json& schema, const std::vector<Hop>& hops, std::size_t from = 0);

/// The type that |schema| allows, when it is one; or "".
std::string only_type(const Json& schema);

}  // namespace flowrun
