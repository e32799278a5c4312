// Values and texts of a file with expressions in them. Knows YAML nodes and expressions; no step and no key.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/expression/expression.h"
#include "engine/model/secret_text.h"
#include "engine/yaml/node.h"

namespace flowrun {

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
  /// The typed value of one that is a whole expression, else text.
  Evaluation evaluate(const Scope& scope, Evaluator& evaluator) const;

  /// Of the text behind the byte |from|.
  static TextTemplate compile(const Node& scalar, Diagnostics& diagnostics, std::size_t from = 0);
};

/// How a value reads inside text: strings as they are, numbers and booleans as JSON; null, lists and objects are
/// Failures whose message names |code| and says what to do. So is a secret, where it may not go.
Fallible<std::string> as_text(const Value& value, std::string_view code);
/// The same where secrets may go.
Fallible<SecretText> as_secret_text(const Value& value, std::string_view code);

/// Any JSON value with expressions in its strings.
class ValueTemplate {
 public:
  ValueTemplate() = default;  ///< null
  static ValueTemplate compile(const Node& node, Diagnostics& diagnostics);
  bool constant() const { return !root_; }
  /// Whether its value may have placeholders for secrets in it.
  bool names_secrets() const { return names_secrets_; }
  /// A step that it names has a secret output.
  void note_secrets() { names_secrets_ = true; }
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
