// What an expression can see of a value: of what it does not look at, nothing has to be built or handed over. Knows no
// expression.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

/// Of every value at least its type can be seen, and of scalars all but the rest of a long text.
struct Sight {
  bool whole = false;                   ///< everything
  bool members = false;                 ///< how many members there are and their names; of a text all
  std::map<std::string, Sight> fields;  ///< members by name
  std::vector<Sight> each;              ///< at most one: of every member

  static Sight all();
  /// Of every member; made when there is none.
  Sight& every();
  /// Of the member |name|.
  Sight of(std::string_view name) const;
  /// Whether anything of the member |name| can be told: if only that it is there.
  bool sees(std::string_view name) const;
  void add(const Sight& other);
};

/// |value| without what can not be seen: to whoever has this |sight| it is the same, and errors quote the same of it.
/// Keeps no tree of |value|.
Json seen(const Value& value, const Sight& sight);
Json seen(const Json& json, const Sight& sight);

}  // namespace flowrun
