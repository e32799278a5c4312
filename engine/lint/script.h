// The words of a shell script, as far as the lints must know them: where a `$` stands and whether its value is split
// there. Knows no workflow.
#pragma once

#include <string_view>
#include <vector>

namespace flowrun {

/// A `$` of a script outside of comments.
struct Dollar {
  enum class Where {
    Split,   ///< its value becomes several words, and file names where it has * or ?
    Whole,   ///< it stays one word: in double quotes, an assignment, [[ ]], a here document
    Quoted,  ///< in single quotes: no value at all
    Copied,  ///< in a here document that is taken as it is
  };
  std::size_t at;
  Where where;
  std::string_view name;  ///< of a plain `$NAME` or `${NAME}`, else empty
  std::size_t length;     ///< from the `$` to the end of the name, with its brace
};

/// In order. Reads bash and sh; what is not either is read without harm.
std::vector<Dollar> dollars_of(std::string_view script);

/// Whether |program| is a shell that splits words: sh, /bin/bash, dash ...
bool is_shell(std::string_view program);

}  // namespace flowrun
