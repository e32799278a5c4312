#include "engine/expression/references.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/expression/dots.h"

namespace flowrun {
namespace {

// flowrun-workflow(5), "Functions": what reads or writes anything but its input, or ends the program.
constexpr std::array<std::string_view, 15> kRefused{
    "input",      "inputs", "debug",   "stderr",     "input_filename",  "input_line_number", "env",          "halt",
    "halt_error", "import", "include", "modulemeta", "get_search_list", "localtime",         "strflocaltime"};
constexpr std::array<std::string_view, 4> kOfGitHub{"always", "success", "failure", "cancelled"};
constexpr std::array<std::string_view, 3> kRefusedVariables{"ENV", "__loc__", "__prog_args"};

bool contains(const auto& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool ends_value(const Token& token) {
  switch (token.kind) {
    case Token::Kind::Symbol:
      return token.is(")") || token.is("]") || token.is("}") || token.is("?");
    case Token::Kind::Word:
      for (const char* word :
           {"and", "or", "if", "then", "else", "elif", "as", "reduce", "foreach", "try", "catch", "def"})
        if (token.value == word) return false;
      return true;
    default:
      return true;
  }
}

/// Fills the hops of |use|, whose path ends before token |i|. How much longer it is with those that are not in its
/// path.
std::size_t add_hops(Use& use, const std::vector<Token>& tokens, std::size_t i) {
  const std::size_t end = tokens[i - 1].offset + tokens[i - 1].length;
  for (const std::string& field : use.path) use.hops.push_back({Hop::Kind::Field, field});
  auto symbol = [&](std::size_t at, const char* text) { return at < tokens.size() && tokens[at].is(text); };
  std::size_t behind = end;
  for (;;) {
    if (i < tokens.size() && tokens[i].kind == Token::Kind::Field) {
      use.hops.push_back({Hop::Kind::Field, tokens[i].value});
      i += 1;
    } else if (symbol(i, "[") && symbol(i + 1, "]")) {
      use.hops.push_back({Hop::Kind::Each, ""});
      i += 2;
    } else if (symbol(i, "[") && symbol(i + 2, "]") && tokens[i + 1].kind == Token::Kind::Number) {
      use.hops.push_back({Hop::Kind::Item, tokens[i + 1].value});
      i += 3;
    } else if (symbol(i, "[") && symbol(i + 2, "]") && tokens[i + 1].kind == Token::Kind::String &&
               !tokens[i + 1].interpolated) {
      use.hops.push_back({Hop::Kind::Field, tokens[i + 1].value});
      i += 3;
    } else {
      break;
    }
    behind = tokens[i - 1].offset + tokens[i - 1].length;
  }
  if (symbol(i, "?") && !use.hops.empty()) use.hops.pop_back();
  return behind - end;
}

}  // namespace

std::vector<Use> uses_of(const std::vector<Token>& tokens) {
  std::vector<Use> uses;
  DotTracker dot(tokens);
  bool tries = std::any_of(tokens.begin(), tokens.end(), [](const Token& token) { return token.word("try"); });
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    dot.see(i);
    const bool key = dot.key() || dot.short_key();
    bool begins = i == 0 || !ends_value(tokens[i - 1]);
    if (token.kind == Token::Kind::Word && !key && contains(kRefused, token.value))
      throw TokenError{token.offset, fmt::format("E212 `{}` is not available: an expression sees only what the journal "
                                                 "holds, and changes nothing",
                                                 token.value)};
    if (token.kind == Token::Kind::Word && contains(kOfGitHub, token.value) && i + 2 < tokens.size() &&
        tokens[i + 1].is("(") && tokens[i + 2].is(")"))
      throw TokenError{token.offset, fmt::format("E202 `{}()` is the syntax of another tool: what became of a step is "
                                                 "`$status.STEP.ok`, and `after: [STEP]` starts whatever its outcome",
                                                 token.value)};
    if (token.kind == Token::Kind::Variable && contains(kRefusedVariables, token.value))
      throw TokenError{token.offset,
                       fmt::format("E212 `${}` is not available{}", token.value,
                                   token.value == "ENV" ? "; an input with `env: NAME` brings a variable of "
                                                          "the environment in"
                                                        : "")};
    Use use;
    std::size_t j = i + 1;
    if (token.word("now") && !key) {
      // jq's own clock is shadowed by the time at which the step became ready.
      use.reference.variable = "now";
      use.offset = token.offset;
      use.length = token.length;
      uses.push_back(std::move(use));
      continue;
    }
    if (token.kind == Token::Kind::Variable && !dot.local()) {
      use.reference.variable = token.value;
    } else if (!dot.piped() && dot.short_key()) {
      use.reference.variable = ".";
      use.path.push_back(token.value);
    } else if (!dot.piped() && dot.takes_dot()) {
      // `keys` is `. | keys`, and `.a = 1` gives all of `.`.
      use.reference.variable = ".";
      use.implied = true;
      use.offset = token.offset;
      use.length = token.length;
      uses.push_back(std::move(use));
      continue;
    } else if ((token.kind == Token::Kind::Dot || token.kind == Token::Kind::Field ||
                token.kind == Token::Kind::DotDot) &&
               begins && !dot.piped()) {
      use.reference.variable = ".";
      if (token.kind == Token::Kind::Field) use.path.push_back(token.value);
    } else {
      continue;
    }
    for (; j < tokens.size(); ++j) {
      if (tokens[j].kind == Token::Kind::Field) {
        use.path.push_back(tokens[j].value);
      } else if (tokens[j].is("[") && j + 2 < tokens.size() && tokens[j + 1].kind == Token::Kind::String &&
                 !tokens[j + 1].interpolated && tokens[j + 2].is("]")) {
        use.path.push_back(tokens[j + 1].value);
        j += 2;
      } else {
        break;
      }
    }
    const Token& end = tokens[j - 1];
    use.offset = token.offset;
    use.length = end.offset + end.length - token.offset;
    if (!tries) use.length += add_hops(use, tokens, j);
    bool of_steps = use.reference.variable == "steps" || use.reference.variable == "status";
    if (of_steps && use.path.empty())
      throw TokenError{token.offset,
                       fmt::format("E205 `${}` needs the name of a step behind it, written out: `${}.NAME`; "
                                   "which step is meant must be known before the run",
                                   use.reference.variable, use.reference.variable)};
    if (use.reference.variable != "." && !use.path.empty()) use.reference.member = use.path[0];
    if (use.reference.variable != "." && use.path.size() > 1) use.reference.field = use.path[1];
    uses.push_back(std::move(use));
  }
  return uses;
}

}  // namespace flowrun
