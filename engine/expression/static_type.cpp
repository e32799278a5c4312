#include "engine/expression/static_type.h"

#include <algorithm>

namespace flowrun {
namespace {

/// |schema|.|key|, null when there is none.
Json part(const Json& schema, const std::string& key) {
  return schema.is_object() ? schema.value(key, Json()) : Json();
}

/// Whether a value may be of one of |types|, or null, of which every field is null.
bool may_be(const Json& schema, std::initializer_list<const char*> types) {
  std::string only = only_type(schema);
  return only.empty() || only == "null" || std::find(types.begin(), types.end(), only) != types.end();
}

}  // namespace

std::string as_written(const std::vector<Hop>& hops, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += hops[i].kind == Hop::Kind::Field ? "." + hops[i].name : "[" + hops[i].name + "]";
  return text;
}

std::string only_type(const Json& schema) {
  Json type = part(schema, "type");
  return type.is_string() ? type.get<std::string>() : "";
}

StaticType follow(const Json& schema, const std::vector<Hop>& hops, std::size_t from) {
  StaticType type{schema, from};
  for (; type.followed < hops.size() && type.schema.is_object(); ++type.followed) {
    const Hop& hop = hops[type.followed];
    bool may = hop.kind == Hop::Kind::Field  ? may_be(type.schema, {"object"})
               : hop.kind == Hop::Kind::Item ? may_be(type.schema, {"array"})
                                             : may_be(type.schema, {"array", "object"});
    if (!may) {
      type.no_such_type = true;
      return type;
    }
    if (hop.kind != Hop::Kind::Field) {
      type.schema = only_type(type.schema) == "array" ? part(type.schema, "items") : Json();
      continue;
    }
    Json properties = part(type.schema, "properties"), more = part(type.schema, "additionalProperties");
    bool known = properties.is_object() && properties.contains(hop.name);
    if (!known && properties.is_object() && more == Json(false)) {
      type.closed = true;
      return type;
    }
    type.schema = known ? properties[hop.name] : more;
  }
  if (!type.schema.is_object()) type.schema = nullptr;
  return type;
}

}  // namespace flowrun
