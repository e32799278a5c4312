// Follows an expression token by token: where `.` still is what the whole expression was given, and not what a pipe or
// a function has made of it, and which variables and functions are its own. Knows no step and no value.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/expression/tokens.h"

namespace flowrun {

class DotTracker {
 public:
  explicit DotTracker(const std::vector<Token>& tokens);

  /// Goes on to token |i|; every token is seen, in order.
  void see(std::size_t i);
  /// Whether `.` is something else at the token that was seen.
  bool piped() const { return piped_ || i_ == handler_; }
  /// Whether that token, a Word or Format or operator, works on `.` though it does not say so.
  bool takes_dot() const;
  /// Whether it is the key of `{name}`, which is short for `{name: .name}`.
  bool short_key() const;
  /// Whether it is the key of `{name: ...}`.
  bool key() const;
  /// Whether it is a variable that the expression itself has bound.
  bool local() const;

 private:
  enum class Kind { Bracket, Braces, Call, Reduce, If, Def };
  struct Level {
    Kind kind;
    bool outer, inner, later;  ///< piped() outside, within, and behind a `;`
    std::size_t locals, defs;  ///< how many there are outside
  };
  /// Functions of one name are told apart by how many arguments they have.
  struct Definition {
    std::string name;
    std::size_t arguments;
    bool takes_dot;
  };
  void push(Kind kind, bool inner, bool later);
  void pop();
  /// Back to what is so at the beginning of the level.
  void begin_part(bool piped);
  void pattern();
  void definition();
  bool call_takes_dot(std::size_t i) const;
  std::size_t arguments_of(std::size_t i) const;
  bool symbol(std::size_t i, const char* text) const { return i < tokens_.size() && tokens_[i].is(text); }

  const std::vector<Token>& tokens_;
  std::size_t i_ = 0;
  std::vector<Level> levels_;
  bool piped_ = false;
  std::size_t handler_;      ///< the token behind `catch`, whose `.` is the error
  std::size_t pattern_end_;  ///< of the last `as`, or `label`: its `|` is no pipe, its `(` is of reduce or foreach
  std::size_t before_pattern_ = 0;
  std::vector<std::string> locals_;
  std::vector<Definition> definitions_;
};

}  // namespace flowrun
