// The words of jq's grammar, as far as flowrun must know them: where an expression ends, what it names, which builtins
// it calls. Knows no values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

struct Token {
  enum class Kind {
    Field,     ///< `.name` or `."name"`; value is the name
    Dot,       ///< `.` alone
    DotDot,    ///< `..`
    Variable,  ///< `$name`; value is the name
    Word,      ///< name or keyword
    Number,
    String,  ///< value is decoded; the tokens of an interpolation follow between `\(` and `)`
    Format,  ///< `@base64`
    Symbol,  ///< brackets and operators
  };
  Kind kind;
  std::size_t offset;
  std::size_t length;
  std::string value;
  bool interpolated = false;  ///< String
  bool of_field = false;      ///< String that is interpolated and behind a dot: `."a\(.b)"`
  bool is(const char* symbol) const { return kind == Kind::Symbol && value == symbol; }
  bool word(const char* name) const { return kind == Kind::Word && value == name; }
};

/// Thrown for text that is not jq, with where it went wrong.
struct TokenError {
  std::size_t offset;
  std::string message;
};

/// Offset of the `}` that ends the expression which begins at |from| in |text|. Throws TokenError.
std::size_t expression_end(std::string_view text, std::size_t from);

/// Throws TokenError.
std::vector<Token> tokenize(std::string_view code);

/// Brackets, `if ... end` and the like close what they open, and nothing is left dangling at the end. Throws
/// TokenError.
void check_structure(const std::vector<Token>& tokens, std::size_t end);

}  // namespace flowrun
