// Where YAML takes apart what a person meant as one expression or one script. Looks at the raw text only, line by line,
// because the parser has already lost what was written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/yaml/text.h"

namespace flowrun {

/// A finding that does not need the parser.
struct Quirk {
  std::string code = "E003";
  Position at;
  int length = 1;
  std::string message;
  std::string suggestion;  ///< of E003: the block form
};

/// What YAML breaks of the expression or the script on line |number|, if anything.
std::optional<Quirk> broken_value(const YamlText& text, int number);

/// The same of all lines, from top to bottom. Takes no line of a block or of quotes for one that is broken.
std::vector<Quirk> broken_values(const YamlText& text);

/// The same for the expression whose `${` is at |offset| within `{ }` or `[ ]`.
Quirk broken_in_flow(const YamlText& text, std::size_t offset);

/// E202, when `{{ }}` of another tool begins at |offset|: a map whose key is a map to YAML.
std::optional<Quirk> foreign_braces(const YamlText& text, std::size_t offset);

/// A plain scalar that begins at |offset| and was read as |decoded|, when a ` #` behind it cut an expression, or
/// anything if it |is_script|.
std::optional<Quirk> cut_by_comment(const YamlText& file, std::size_t offset, std::string_view decoded, bool is_script);

/// True when |text| has a `${` that is not ended.
bool has_open_expression(std::string_view text);

}  // namespace flowrun
