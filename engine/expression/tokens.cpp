#include "engine/expression/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace flowrun {
namespace {

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_char(char c) { return name_start(c) || digit(c); }
bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

char closer_of(char open) { return open == '(' ? ')' : open == '[' ? ']' : '}'; }

// Strings within interpolations are followed by recursion: deeper than anybody writes is refused before the stack ends.
constexpr int kDeepest = 64;

void refuse_deeper(int depth, std::size_t at) {
  if (depth > kDeepest)
    throw TokenError{at, fmt::format("strings within `\\(` are nested deeper than {} levels", kDeepest)};
}

/// Offset behind the string literal that begins at |i|; interpolations are followed into.
std::size_t behind_string(std::string_view text, std::size_t i, int within = 0) {
  std::size_t start = i++;
  refuse_deeper(within, start);
  while (i < text.size()) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '(') {
      std::size_t depth = 1;
      for (i += 2; i < text.size() && depth > 0;) {
        if (text[i] == '"') {
          i = behind_string(text, i, within + 1);
          continue;
        }
        if (text[i] == '(') ++depth;
        if (text[i] == ')') --depth;
        ++i;
      }
      if (depth > 0) throw TokenError{start, "`\\(` in this string is never closed"};
      continue;
    }
    i += text[i] == '\\' ? 2 : 1;
  }
  throw TokenError{start, "this string is never closed"};
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view code) : code_(code) {}

  std::vector<Token> all() {
    run(code_.size());
    return std::move(tokens_);
  }

 private:
  void run(std::size_t end) {
    while (i_ < end) {
      char c = code_[i_];
      if (blank(c)) {
        ++i_;
      } else if (c == '#') {
        while (i_ < end && code_[i_] != '\n') ++i_;
      } else if (c == '"') {
        string(i_);
      } else if (c == '.') {
        dot(end);
      } else if (c == '$' && i_ + 1 < end && name_start(code_[i_ + 1])) {
        std::size_t stop = i_ + 1;
        while (stop < end && (name_char(code_[stop]) || (code_.substr(stop, 2) == "::")))
          stop += code_[stop] == ':' ? 2 : 1;
        add(Token::Kind::Variable, stop, std::string(code_.substr(i_ + 1, stop - i_ - 1)));
      } else if (name_start(c)) {
        std::size_t stop = i_;
        while (stop < end && (name_char(code_[stop]) ||
                              (code_.substr(stop, 2) == "::" && stop + 2 < end && name_start(code_[stop + 2]))))
          stop += code_[stop] == ':' ? 2 : 1;
        add(Token::Kind::Word, stop, std::string(code_.substr(i_, stop - i_)));
      } else if (digit(c)) {
        number(end);
      } else if (c == '@' && i_ + 1 < end && name_start(code_[i_ + 1])) {
        std::size_t stop = i_ + 1;
        while (stop < end && name_char(code_[stop])) ++stop;
        add(Token::Kind::Format, stop, std::string(code_.substr(i_, stop - i_)));
      } else {
        symbol();
      }
    }
  }

  void add(Token::Kind kind, std::size_t stop, std::string value) {
    tokens_.push_back({kind, i_, stop - i_, std::move(value), false});
    i_ = stop;
  }

  void dot(std::size_t end) {
    if (code_.substr(i_, 2) == "..") return add(Token::Kind::DotDot, i_ + 2, "..");
    if (i_ + 1 < end && name_start(code_[i_ + 1])) {
      std::size_t stop = i_ + 1;
      while (stop < end && name_char(code_[stop])) ++stop;
      return add(Token::Kind::Field, stop, std::string(code_.substr(i_ + 1, stop - i_ - 1)));
    }
    if (i_ + 1 < end && code_[i_ + 1] == '"') {
      std::size_t start = i_, number = tokens_.size();
      string(i_ + 1);
      // A literal name in quotes is a field like any other.
      if (Token& token = tokens_[number]; token.interpolated) {
        token.of_field = true;
      } else {
        token.kind = Token::Kind::Field;
        token.offset = start;
        ++token.length;
      }
      return;
    }
    if (i_ + 1 < end && digit(code_[i_ + 1])) return number(end);
    add(Token::Kind::Dot, i_ + 1, ".");
  }

  void number(std::size_t end) {
    std::size_t stop = i_;
    while (stop < end && digit(code_[stop])) ++stop;
    if (stop < end && code_[stop] == '.') {
      ++stop;
      while (stop < end && digit(code_[stop])) ++stop;
    }
    if (stop < end && (code_[stop] == 'e' || code_[stop] == 'E')) {
      std::size_t exponent = stop + 1;
      if (exponent < end && (code_[exponent] == '+' || code_[exponent] == '-')) ++exponent;
      if (exponent < end && digit(code_[exponent])) {
        while (exponent < end && digit(code_[exponent])) ++exponent;
        stop = exponent;
      }
    }
    add(Token::Kind::Number, stop, std::string(code_.substr(i_, stop - i_)));
  }

  void string(std::size_t quote) {
    std::size_t stop = behind_string(code_, quote);
    Token token{Token::Kind::String, quote, stop - quote, "", false};
    std::vector<std::pair<std::size_t, std::size_t>> interpolations;
    for (std::size_t i = quote + 1; i + 1 < stop; ++i) {
      if (code_[i] != '\\') continue;
      if (code_[i + 1] != '(') {
        ++i;
        continue;
      }
      std::size_t from = i + 2, depth = 1;
      for (i = from; depth > 0;) {
        if (code_[i] == '"') {
          i = behind_string(code_, i);
          continue;
        }
        if (code_[i] == '(') ++depth;
        if (code_[i] == ')') --depth;
        ++i;
      }
      interpolations.emplace_back(from, i - 1);
      --i;
    }
    token.interpolated = !interpolations.empty();
    if (!token.interpolated) {
      nlohmann::json decoded = nlohmann::json::parse(code_.substr(quote, stop - quote), nullptr, false);
      if (!decoded.is_string()) throw TokenError{quote, "this string has an escape that JSON does not know"};
      token.value = decoded.get<std::string>();
    }
    tokens_.push_back(std::move(token));
    // What a comment hides from behind_string() is seen here.
    refuse_deeper(++within_, quote);
    for (auto [from, to] : interpolations) {
      tokens_.push_back({Token::Kind::Symbol, from - 2, 2, "(", false});
      i_ = from;
      run(to);
      tokens_.push_back({Token::Kind::Symbol, to, 1, ")", false});
    }
    --within_;
    i_ = stop;
  }

  /// The length of the one that begins here.
  std::size_t character() const {
    std::size_t end = i_ + 1;
    while (end < code_.size() && (static_cast<unsigned char>(code_[end]) & 0xC0) == 0x80) ++end;
    return end - i_;
  }

  void symbol() {
    static constexpr std::array<std::string_view, 14> kLong{
        "?//=", "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//"};
    for (std::string_view symbol : kLong)
      if (code_.substr(i_, symbol.size()) == symbol)
        return add(Token::Kind::Symbol, i_ + symbol.size(), std::string(symbol));
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOthers{
        {{"&&", "write `and`"}, {"||", "write `or`"}, {"'", "text stands in double quotes"}, {"!", "write `| not`"}}};
    for (auto [symbol, ours] : kOthers)
      if (code_.substr(i_, symbol.size()) == symbol)
        throw TokenError{i_, fmt::format("`{}` means nothing here; {}", symbol, ours)};
    static constexpr std::string_view kShort = "()[]{}|,:;=<>+-*/%?";
    if (kShort.find(code_[i_]) == std::string_view::npos)
      throw TokenError{i_, fmt::format("`{}` means nothing here", code_.substr(i_, character()))};
    add(Token::Kind::Symbol, i_ + 1, std::string(1, code_[i_]));
  }

  std::string_view code_;
  std::size_t i_ = 0;
  int within_ = 0;  ///< strings around the place
  std::vector<Token> tokens_;
};

}  // namespace

std::size_t expression_end(std::string_view text, std::size_t from) {
  std::vector<std::pair<char, std::size_t>> open;
  for (std::size_t i = from; i < text.size();) {
    char c = text[i];
    if (c == '"') {
      i = behind_string(text, i);
      continue;
    }
    if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
      continue;
    }
    if (c == '(' || c == '[' || c == '{') {
      open.emplace_back(c, i);
    } else if (c == '}' && open.empty()) {
      return i;
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) throw TokenError{i, fmt::format("`{}` closes nothing", c)};
      if (closer_of(open.back().first) != c)
        throw TokenError{open.back().second, fmt::format("`{}` is never closed", open.back().first)};
      open.pop_back();
    }
    ++i;
  }
  if (!open.empty()) throw TokenError{open.back().second, fmt::format("`{}` is never closed", open.back().first)};
  throw TokenError{from >= 2 ? from - 2 : 0, "`${` is never closed by `}`"};
}

std::vector<Token> tokenize(std::string_view code) { return Tokenizer(code).all(); }

void check_structure(const std::vector<Token>& tokens, std::size_t end) {
  if (tokens.empty()) throw TokenError{0, "the expression is empty"};
  std::vector<const Token*> open;
  auto close = [&](const Token& token, std::initializer_list<const char*> openers, const char* what) {
    bool matches = !open.empty() && std::any_of(openers.begin(), openers.end(),
                                                [&](const char* opener) { return open.back()->value == opener; });
    if (!matches) throw TokenError{token.offset, fmt::format("`{}` {}", token.value, what)};
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    bool key = i + 1 < tokens.size() && tokens[i + 1].is(":");  // { if: 1 } names a field
    if (token.kind == Token::Kind::Symbol) {
      char c = token.value.size() == 1 ? token.value[0] : 0;
      if (c == '(' || c == '[' || c == '{') open.push_back(&token);
      if (c == ')' || c == ']' || c == '}') {
        close(token, {c == ')' ? "(" : c == ']' ? "[" : "{"}, "closes nothing");
        open.pop_back();
      }
    } else if (token.kind == Token::Kind::Word && !key) {
      if (token.value == "if") open.push_back(&token);
      if (token.value == "then" || token.value == "elif" || token.value == "else")
        close(token, {"if"}, "belongs to no `if`");
      if (token.value == "end") {
        close(token, {"if"}, "ends nothing");
        open.pop_back();
      }
    }
  }
  if (!open.empty())
    throw TokenError{open.back()->offset, fmt::format("`{}` is never {}", open.back()->value,
                                                      open.back()->value == "if" ? "ended" : "closed")};
  const Token& last = tokens.back();
  static constexpr std::string_view kAfterValue = ")]}?";
  if (last.kind == Token::Kind::Symbol && kAfterValue.find(last.value) == std::string_view::npos)
    throw TokenError{last.offset, fmt::format("something is missing behind `{}`", last.value)};
  for (const char* word : {"and", "or", "as", "reduce", "foreach", "try", "catch", "def", "label"})
    if (last.word(word))
      throw TokenError{std::min(last.offset, end), fmt::format("something is missing behind `{}`", word)};
}

}  // namespace flowrun
