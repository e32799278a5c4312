// What an expression names: steps, inputs, items, `.`. Reads tokens only.
#pragma once

#include <string>
#include <vector>

#include "engine/expression/static_type.h"
#include "engine/expression/tokens.h"
#include "engine/model/diagnostics.h"
#include "engine/model/scope.h"

namespace flowrun {

/// One plain path written in an expression: `$steps.order.lines` of `$steps.order.lines[].sku`.
struct Use {
  Reference reference;
  std::vector<std::string> path;  ///< all literal fields behind the variable, the member included
  /// The same and what follows, as far as it is written out and must be there: `?` ends it.
  std::vector<Hop> hops;
  bool implied = false;    ///< `.` of a function that does not write it: null where there is none
  std::size_t offset = 0;  ///< in the code of its expression
  std::size_t length = 0;  ///< with its hops
  Position at;             ///< in the file
};

/// Throws TokenError with a message that begins with its code: `E205 ...`, `E212 ...`.
std::vector<Use> uses_of(const std::vector<Token>& tokens);

}  // namespace flowrun
