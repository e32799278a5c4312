#include "engine/expression/dots.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace flowrun {
namespace {

constexpr std::array<std::string_view, 20> kKeywords{"and",   "or",     "if",      "then",    "elif",  "else",  "end",
                                                     "as",    "def",    "reduce",  "foreach", "try",   "catch", "label",
                                                     "break", "import", "include", "true",    "false", "null"};

// Functions that look at `.` only where their arguments do, by the least number of these.
struct Blind {
  std::string_view name;
  std::size_t arguments;
};
constexpr std::array<Blind, 31> kBlind{
    {{"empty", 0},     {"error", 1},      {"range", 1}, {"first", 1}, {"last", 1},   {"nth", 2},      {"limit", 2},
     {"skip", 2},      {"isempty", 1},    {"any", 2},   {"all", 2},   {"add", 1},    {"infinite", 0}, {"nan", 0},
     {"now", 0},       {"builtins", 0},   {"IN", 2},    {"INDEX", 2}, {"repeat", 2}, {"pow", 2},      {"atan2", 2},
     {"fmin", 2},      {"fmax", 2},       {"fmod", 2},  {"ldexp", 2}, {"scalb", 2},  {"drem", 2},     {"copysign", 2},
     {"nextafter", 2}, {"nexttoward", 2}, {"fma", 3}}};
constexpr std::array<std::string_view, 8> kAssigning{"=", "|=", "+=", "-=", "*=", "/=", "%=", "//="};

bool is_keyword(const Token& token) {
  return token.kind == Token::Kind::Word &&
         std::find(kKeywords.begin(), kKeywords.end(), token.value) != kKeywords.end();
}

bool opens(const Token& token) { return token.is("(") || token.is("[") || token.is("{"); }
bool closes(const Token& token) { return token.is(")") || token.is("]") || token.is("}"); }

}  // namespace

DotTracker::DotTracker(const std::vector<Token>& tokens)
    : tokens_(tokens), handler_(tokens.size()), pattern_end_(tokens.size()) {}

void DotTracker::push(Kind kind, bool inner, bool later) {
  levels_.push_back({kind, piped_, inner, later, locals_.size(), definitions_.size()});
  piped_ = inner;
}

void DotTracker::pop() {
  if (levels_.empty()) return;
  const Level level = levels_.back();
  levels_.pop_back();
  piped_ = level.outer;
  locals_.resize(std::min(locals_.size(), level.locals));
  definitions_.resize(std::min(definitions_.size(), level.defs));
}

void DotTracker::begin_part(bool piped) {
  piped_ = piped;
  locals_.resize(std::min(locals_.size(), levels_.back().locals));
}

/// Binds the names of the pattern behind `as`, up to `|` or to the `(` of reduce and foreach. What stands in brackets
/// of its own is an expression: `{("k"): $v}`.
void DotTracker::pattern() {
  before_pattern_ = locals_.size();
  std::size_t depth = 0, inside = 0;
  for (std::size_t j = i_ + 1; j < tokens_.size(); ++j) {
    const Token& token = tokens_[j];
    if (depth == 0 && (token.is("|") || token.is("("))) {
      pattern_end_ = j;
      return;
    }
    if (token.is("(")) ++inside;
    if (opens(token)) ++depth;
    if (token.is(")") && inside > 0) --inside;
    if (closes(token) && depth > 0) --depth;
    if (inside == 0 && token.kind == Token::Kind::Variable) locals_.push_back(token.value);
  }
}

/// `def f($a; g): body;` The body works on what it is given; whether that matters is known before it is called.
void DotTracker::definition() {
  std::size_t j = i_ + 1;
  if (j >= tokens_.size()) return;
  const std::string name = tokens_[j].value;
  const std::size_t self = definitions_.size();
  definitions_.push_back({name, 0, false});
  push(Kind::Def, true, true);  // when it is over, the function stays and its parameters go
  for (; j < tokens_.size() && !tokens_[j].is(":"); ++j) {
    if (tokens_[j].kind == Token::Kind::Variable) {
      locals_.push_back(tokens_[j].value);
    } else if (tokens_[j].kind != Token::Kind::Word || j == i_ + 1) {
      continue;
    }
    definitions_.push_back({tokens_[j].value, 0, false});
    ++definitions_[self].arguments;
  }
  std::size_t depth = 0, within = 1;
  bool takes = false;
  for (++j; j < tokens_.size(); ++j) {
    const Token& token = tokens_[j];
    if (opens(token)) ++depth;
    if (closes(token) && depth > 0) --depth;
    if (token.word("def")) ++within;
    if (token.is(";") && depth == 0 && --within == 0) break;
    const bool suffix = j > 0 && token.kind == Token::Kind::Field &&
                        (tokens_[j - 1].kind == Token::Kind::Variable || tokens_[j - 1].kind == Token::Kind::Field);
    takes = takes || token.kind == Token::Kind::Dot || token.kind == Token::Kind::DotDot ||
            (token.kind == Token::Kind::Field && !suffix) || token.kind == Token::Kind::Format || call_takes_dot(j);
  }
  definitions_[self].takes_dot = takes;
}

std::size_t DotTracker::arguments_of(std::size_t i) const {
  if (!symbol(i + 1, "(")) return 0;
  std::size_t count = 1, depth = 0;
  for (std::size_t j = i + 1; j < tokens_.size(); ++j) {
    if (opens(tokens_[j])) ++depth;
    if (closes(tokens_[j]) && --depth == 0) break;
    if (depth == 1 && tokens_[j].is(";")) ++count;
  }
  return count;
}

bool DotTracker::call_takes_dot(std::size_t i) const {
  const Token& token = tokens_[i];
  if (token.kind != Token::Kind::Word || is_keyword(token) || symbol(i + 1, ":")) return false;
  if (i > 0 && tokens_[i - 1].word("def")) return false;
  const std::size_t arguments = arguments_of(i);
  for (std::size_t k = definitions_.size(); k-- > 0;)
    if (definitions_[k].name == token.value && definitions_[k].arguments == arguments) return definitions_[k].takes_dot;
  return std::none_of(kBlind.begin(), kBlind.end(),
                      [&](const Blind& blind) { return blind.name == token.value && arguments >= blind.arguments; });
}

bool DotTracker::key() const {
  return symbol(i_ + 1, ":") && i_ > 0 && (tokens_[i_ - 1].is("{") || tokens_[i_ - 1].is(","));
}

bool DotTracker::short_key() const {
  const Token& token = tokens_[i_];
  const bool named = token.kind == Token::Kind::Word || (token.kind == Token::Kind::String && !token.interpolated);
  return named && !levels_.empty() && levels_.back().kind == Kind::Braces && i_ > 0 &&
         (tokens_[i_ - 1].is("{") || tokens_[i_ - 1].is(",")) && (symbol(i_ + 1, "}") || symbol(i_ + 1, ","));
}

bool DotTracker::local() const {
  const Token& token = tokens_[i_];
  if (i_ > 0 && (tokens_[i_ - 1].word("label") || tokens_[i_ - 1].word("break"))) return true;
  return std::find(locals_.begin(), locals_.end(), token.value) != locals_.end();
}

bool DotTracker::takes_dot() const {
  const Token& token = tokens_[i_];
  if (token.kind == Token::Kind::Format) return i_ + 1 >= tokens_.size() || tokens_[i_ + 1].kind != Token::Kind::String;
  if (token.kind == Token::Kind::Symbol)
    return std::find(kAssigning.begin(), kAssigning.end(), token.value) != kAssigning.end();
  return !key() && !short_key() && call_takes_dot(i_);
}

void DotTracker::see(std::size_t i) {
  // What the token before begins holds from here on.
  if (i > 0 && tokens_[i - 1].is("|=")) piped_ = true;
  i_ = i;
  const Token& token = tokens_[i];
  const bool keyword = token.kind == Token::Kind::Word && !key() && !short_key();
  if (opens(token)) {
    const Token* before = i > 0 ? &tokens_[i - 1] : nullptr;
    if (token.is("(") && i == pattern_end_) {
      push(Kind::Reduce, piped_, true);
      levels_.back().locals = before_pattern_;
    } else if (token.is("(") && before && before->kind == Token::Kind::Word && !is_keyword(*before)) {
      const bool whole = call_takes_dot(i - 1);
      push(Kind::Call, piped_ || whole, piped_ || whole || before->value == "any" || before->value == "all");
    } else {
      const bool inner = piped_ || i == handler_;
      push(token.is("{") ? Kind::Braces : Kind::Bracket, inner, inner);
    }
  } else if (closes(token)) {
    pop();
  } else if (token.is("|")) {
    if (i != pattern_end_) piped_ = true;
  } else if (token.is(";") && !levels_.empty()) {
    if (levels_.back().kind == Kind::Def) {
      pop();
    } else {
      // The names of reduce and foreach hold in all their parts.
      if (levels_.back().kind == Kind::Reduce) {
        piped_ = levels_.back().later;
      } else {
        begin_part(levels_.back().later);
      }
    }
  } else if (token.is(",") && !levels_.empty() && levels_.back().kind == Kind::Braces) {
    begin_part(levels_.back().inner);
  } else if (keyword && token.value == "if") {
    push(Kind::If, piped_, piped_);
  } else if (keyword && (token.value == "then" || token.value == "elif" || token.value == "else")) {
    if (!levels_.empty()) begin_part(levels_.back().inner);
  } else if (keyword && token.value == "end") {
    pop();
  } else if (keyword && token.value == "catch") {
    handler_ = i + 1;
  } else if (keyword && token.value == "def") {
    definition();
  } else if (keyword && token.value == "as") {
    pattern();
  } else if (keyword && token.value == "label") {
    if (i + 1 < tokens_.size()) locals_.push_back(tokens_[i + 1].value);
    pattern_end_ = i + 2;
  }
}

}  // namespace flowrun
