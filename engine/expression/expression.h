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
#include "engine/model/secret_text.h"
#include "engine/yaml/node.h"

namespace flowrun {

using Evaluation = std::variant<Value, Failure>;

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

/// Text with expressions in it: literal and expression parts by turns. `$${` has become `${`.
struct TextTemplate {
  using Part = std::variant<std::string, Expression>;
  std::vector<Part> parts;
  /// True when it is one expression and blanks around it: its value keeps its type.
  bool is_one_expression() const;
  const Expression& expression() const { return std::get<Expression>(parts.front()); }
  bool constant() const;
  /// Set when there is no expression in it.
  const std::string* literal() const { return parts.size() == 1 ? std::get_if<std::string>(&parts.front()) : nullptr; }
  /// Rule 1 and 2 of LANGUAGE.md 2.11: the typed value, or text.
  Evaluation evaluate(const Scope& scope, Evaluator& evaluator) const;

  /// Of the text behind the byte |from|.
  static TextTemplate compile(const Node& scalar, Diagnostics& diagnostics, std::size_t from = 0);
};

/// How a value reads inside text: strings as they are, numbers and booleans as JSON; null, lists and objects are
/// Failures whose message names |code| and says what to do. So is a secret, where it may not go.
std::variant<std::string, Failure> as_text(const Value& value, std::string_view code);
/// The same where secrets may go.
std::variant<HoledText, Failure> as_holed_text(const Value& value, std::string_view code);

/// Any JSON value with expressions in its strings.
class ValueTemplate {
 public:
  ValueTemplate() = default;  ///< null
  static ValueTemplate compile(const Node& node, Diagnostics& diagnostics);
  bool constant() const { return !root_; }
  /// Whether its value may have holes for secrets in it.
  bool names_secrets() const { return names_secrets_; }
  Evaluation evaluate(const Scope& scope, Evaluator& evaluator) const;
  /// All that the expressions in it name.
  std::vector<Reference> references() const;
  /// All expressions in it, in file order.
  std::vector<Expression> expressions() const;
  /// The same, with whether an expression is a whole value or stands within text.
  void each(const std::function<void(const Expression&, bool whole)>& see) const;

 private:
  struct Part;
  Value constant_;
  bool names_secrets_ = false;
  std::shared_ptr<const Part> root_;
};

}  // namespace flowrun
