// `${ jq }`: finds its end, knows what it names, evaluates the native subset in place and asks jq for the rest.
// Knows no step and no frame; a Scope gives the values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/model/diagnostics.h"
#include "engine/model/scope.h"

namespace flowrun {

using Evaluation = Fallible<Value>;

struct Use;  // language/references.h

/// One expression, compiled. Immutable, cheap to copy.
class Expression {
 public:
  /// |code| is the text between `${` and `}`; |place| says where its bytes stand, asked in their order. Errors E201,
  /// E202, E205, E212 go to |diagnostics|.
  static Expression compile(std::string_view code, const std::function<Position(std::size_t)>& place,
                            Diagnostics& diagnostics);
  /// The same of code that stands as it is at |at|.
  static Expression compile(std::string_view code, Position at, Diagnostics& diagnostics);

  const std::string& code() const;
  Position at() const;
  /// What it names: `$steps.x...`, `$input.y...`, `$item`, `.`; each once, in order of appearance.
  const std::vector<Reference>& references() const;
  /// The same as often as they are written, with what follows and where they stand.
  const std::vector<Use>& uses() const;
  /// The one that it is as a whole, such as `$input.files`; or null.
  const Use* plain_path() const;
  /// Where |word|, a name without `$` or `.`, stands first in it. Known of what is not native.
  std::optional<Position> word(std::string_view word) const;
  bool native() const;
  /// Exactly one result, or a Failure of type `expression`.
  Evaluation evaluate(const Scope& scope, Evaluator& evaluator) const;
  /// As evaluate, but true or false, and comparing values of different types is a Failure.
  Evaluation condition(const Scope& scope, Evaluator& evaluator) const;
  /// Set when it is a literal such as `"yes"` or 3: what it always yields.
  std::optional<Value> literal() const;

 private:
  struct Compiled;
  Evaluation answer(const Scope& scope, Evaluator& evaluator, bool strict) const;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace flowrun
