// Text and values with expressions in them. Knows where a text stands in its file, and nothing of steps.
#include <fmt/format.h>

#include <algorithm>

#include "engine/expression/advice.h"
#include "engine/expression/pattern.h"
#include "engine/expression/tokens.h"
#include "engine/language/template.h"

namespace flowrun {
namespace {

Failure refuse(std::string message) { return {"expression", std::move(message)}; }

void refuse_other_tools(const std::string& literal, ScalarWalk& walk, std::size_t from, Diagnostics& diagnostics) {
  static const Pattern kBraces(R"(\{\{-?\s*[A-Za-z_.$][^{}]*?\s*-?\}\})");
  if (literal.find("{{") == std::string::npos) return;
  const auto found = kBraces.first(literal);
  if (!found) return;
  const std::string_view braces = found->front();
  diagnostics.error("E202", walk.position(from + static_cast<std::size_t>(braces.data() - literal.data())),
                    static_cast<int>(braces.size()), fmt::format("`{}` is the syntax of another tool", braces),
                    advice_on_braces(braces));
}

}  // namespace

bool TextTemplate::is_one_expression() const {
  return parts.size() == 1 && std::holds_alternative<Expression>(parts.front());
}

bool TextTemplate::constant() const {
  return std::all_of(parts.begin(), parts.end(),
                     [](const Part& part) { return std::holds_alternative<std::string>(part); });
}

Fallible<std::string> as_text(const Value& value, std::string_view code) {
  const Json& json = value.json();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_null()) return refuse(fmt::format("`{}` is null inside text; use `// \"default\"`", code));
  if (json.is_array()) return refuse(fmt::format("`{}` is a list inside text; use `join(\",\")` or `tojson`", code));
  if (json.is_binary()) return refuse(fmt::format("`{}` is a secret, which may not flow here", code));
  if (json.is_object())
    return refuse(fmt::format("`{}` is an object inside text; use a field of it, or `tojson`", code));
  return value.text();
}

Fallible<SecretText> as_secret_text(const Value& value, std::string_view code) {
  if (auto holed = secret_text_from(value.json())) return std::move(*holed);
  auto text = as_text(value, code);
  if (!text) return std::move(text.failure());
  return SecretText{*std::move(text)};
}

Evaluation TextTemplate::evaluate(const Scope& scope, Evaluator& evaluator) const {
  if (is_one_expression()) return expression().evaluate(scope, evaluator);
  SecretText text;
  for (const Part& part : parts) {
    if (const auto* literal = std::get_if<std::string>(&part)) {
      text.text += *literal;
      continue;
    }
    const Expression& expression = std::get<Expression>(part);
    Evaluation evaluation = expression.evaluate(scope, evaluator);
    if (!evaluation) return std::move(evaluation.failure());
    auto piece = as_secret_text(*evaluation, expression.code());
    if (!piece) return std::move(piece.failure());
    text.append(*piece);
  }
  return text.placeholders.empty() ? Value::string(text.text) : Value(to_json(text));
}

TextTemplate TextTemplate::compile(const Node& scalar, Diagnostics& diagnostics, std::size_t from) {
  TextTemplate compiled;
  const std::string& text = scalar.text;
  ScalarWalk walk(scalar, diagnostics.source().text);
  std::string literal;
  std::size_t literal_from = from;
  auto flush = [&] {
    if (literal.empty()) return;
    refuse_other_tools(literal, walk, literal_from, diagnostics);
    compiled.parts.emplace_back(std::move(literal));
    literal.clear();
  };
  for (std::size_t i = from; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      literal += "${";
      i += 3;
    } else if (text.compare(i, 3, "${{") == 0) {
      std::size_t close = text.find("}}", i);
      std::size_t end = close == std::string::npos ? text.size() : close + 2;
      diagnostics.error("E202", walk.position(i),
                        static_cast<int>(std::min<std::size_t>(close == std::string::npos ? 3 : end - i, 80)),
                        "`${{ ... }}` is the syntax of another tool", advice_on_braces(text.substr(i, end - i)));
      return compiled;
    } else if (text.compare(i, 2, "${") == 0) {
      flush();
      std::size_t end = 0;
      try {
        end = expression_end(text, i + 2);
      } catch (const TokenError& error) {
        diagnostics.error("E201", walk.position(error.offset), 1, error.message);
        return compiled;
      }
      // Findings point at the code, not at the blank before it.
      std::size_t begin = std::min(text.find_first_not_of(" \t\r\n", i + 2), end);
      compiled.parts.emplace_back(Expression::compile(
          std::string_view(text).substr(begin, end - begin),
          [&](std::size_t offset) { return walk.position(begin + offset); }, diagnostics));
      i = end + 1;
      literal_from = i;
    } else {
      if (literal.empty()) literal_from = i;
      literal += text[i++];
    }
  }
  flush();
  // Blanks around a single expression mean nothing.
  auto is_blank = [](const Part& part) {
    const auto* piece = std::get_if<std::string>(&part);
    return piece && piece->find_first_not_of(" \t\r\n") == std::string::npos;
  };
  auto expressions = std::count_if(compiled.parts.begin(), compiled.parts.end(),
                                   [](const Part& part) { return std::holds_alternative<Expression>(part); });
  if (expressions == 1 && std::count_if(compiled.parts.begin(), compiled.parts.end(), is_blank) + 1 ==
                              static_cast<std::ptrdiff_t>(compiled.parts.size()))
    std::erase_if(compiled.parts, is_blank);
  return compiled;
}

/// One place of a value: a constant, a text, or something that holds such places.
struct ValueTemplate::Part {
  enum class Kind { Constant, Text, List, Map };
  Kind kind = Kind::Constant;
  Json constant;
  TextTemplate text;
  std::vector<Part> parts;
  std::vector<std::string> keys;  ///< of the parts of a Map

  static Part compile(const Node& node, Diagnostics& diagnostics) {
    Part part;
    if (node.is_string() && node.text.find('{') != std::string::npos) {
      part.text = TextTemplate::compile(node, diagnostics);
      if (!part.text.constant()) {
        part.kind = Kind::Text;
        return part;
      }
      std::string text;
      for (const TextTemplate::Part& piece : part.text.parts) text += std::get<std::string>(piece);
      part.constant = std::move(text);
      return part;
    }
    if (node.is_scalar()) {
      part.constant = node.json();
      return part;
    }
    part.kind = node.is_list() ? Kind::List : Kind::Map;
    for (const Node& item : node.items) part.parts.push_back(compile(item, diagnostics));
    for (const Member& member : node.members) {
      part.keys.push_back(member.key);
      part.parts.push_back(compile(member.value, diagnostics));
    }
    bool constant = std::all_of(part.parts.begin(), part.parts.end(),
                                [](const Part& child) { return child.kind == Kind::Constant; });
    if (constant) {
      part.kind = Kind::Constant;
      part.constant = node.is_list() ? Json::array() : Json::object();
      for (std::size_t i = 0; i < part.parts.size(); ++i) part.put(part.constant, i, std::move(part.parts[i].constant));
      part.parts.clear();
      part.keys.clear();
    }
    return part;
  }

  Fallible<Json> evaluate(const Scope& scope, Evaluator& evaluator) const {
    if (kind == Kind::Constant) return constant;
    if (kind == Kind::Text) {
      Evaluation evaluation = text.evaluate(scope, evaluator);
      if (!evaluation) return std::move(evaluation.failure());
      return evaluation->json();
    }
    Json json = kind == Kind::List ? Json::array() : Json::object();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto value = parts[i].evaluate(scope, evaluator);
      if (!value) return std::move(value.failure());
      put(json, i, *std::move(value));
    }
    return json;
  }

  /// Into the list or object, as the part of that number.
  void put(Json& json, std::size_t number, Json value) const {
    if (json.is_array()) {
      json.push_back(std::move(value));
    } else {
      json[keys[number]] = std::move(value);
    }
  }

  void each(const std::function<void(const Expression&, bool whole)>& see) const {
    for (const TextTemplate::Part& piece : text.parts)
      if (const auto* expression = std::get_if<Expression>(&piece)) see(*expression, text.is_one_expression());
    for (const Part& child : parts) child.each(see);
  }
};

ValueTemplate ValueTemplate::compile(const Node& node, Diagnostics& diagnostics) {
  ValueTemplate compiled;
  Part root = Part::compile(node, diagnostics);
  if (root.kind == Part::Kind::Constant) {
    compiled.constant_ = Value(std::move(root.constant));
  } else {
    compiled.root_ = std::make_shared<const Part>(std::move(root));
    for (const Reference& reference : compiled.references())
      compiled.names_secrets_ = compiled.names_secrets_ || reference.variable == "secrets";
  }
  return compiled;
}

Evaluation ValueTemplate::evaluate(const Scope& scope, Evaluator& evaluator) const {
  if (!root_) return constant_;
  if (root_->kind == Part::Kind::Text) return root_->text.evaluate(scope, evaluator);
  auto value = root_->evaluate(scope, evaluator);
  if (!value) return std::move(value.failure());
  return Value(*std::move(value));
}

std::vector<Expression> ValueTemplate::expressions() const {
  std::vector<Expression> expressions;
  each([&](const Expression& expression, bool) { expressions.push_back(expression); });
  return expressions;
}

void ValueTemplate::each(const std::function<void(const Expression&, bool whole)>& see) const {
  if (root_) root_->each(see);
}

std::vector<Reference> ValueTemplate::references() const {
  std::vector<Reference> references;
  for (const Expression& expression : expressions())
    references.insert(references.end(), expression.references().begin(), expression.references().end());
  return references;
}

}  // namespace flowrun
