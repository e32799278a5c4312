// Where YAML takes apart what a person meant as one expression or one script. Looks at the raw text only, line by line,
// because the parser has already lost what was written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/model/diagnostics.h"

namespace flowrun {

/// A finding E003.
struct Quirk {
  Position at;
  int length = 1;
  std::string message;
  std::string suggestion;  ///< the block form
};

/// Line |number| from 1 of |text|, without its end.
std::string_view line_of(std::string_view text, int number);

/// What YAML breaks of the expression or the script on line |number|, if anything.
std::optional<Quirk> broken_value(std::string_view text, int number);

/// The same for the expression whose `${` is at |offset| within `{ }` or `[ ]`.
Quirk broken_in_flow(std::string_view text, std::size_t offset);

/// A plain scalar that begins at |offset| and was read as |decoded|, when a ` #` behind it cut an expression, or
/// anything if it |is_script|.
std::optional<Quirk> cut_by_comment(std::string_view text, std::size_t offset, std::string_view decoded,
                                    bool is_script);

/// True when |text| has a `${` that is not ended.
bool has_open_expression(std::string_view text);

}  // namespace flowrun
