#include "engine/expression/native.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/model/json_order.h"

namespace flowrun {
namespace {

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}

  std::unique_ptr<NativeNode> whole() {
    auto node = pipe();
    return i_ == tokens_.size() ? std::move(node) : nullptr;
  }

 private:
  using Node = std::unique_ptr<NativeNode>;

  const Token* peek() const { return i_ < tokens_.size() ? &tokens_[i_] : nullptr; }
  bool take_symbol(const char* symbol) {
    if (!peek() || !peek()->is(symbol)) return false;
    ++i_;
    return true;
  }
  bool take_word(const char* word) {
    if (!peek() || !peek()->word(word)) return false;
    ++i_;
    return true;
  }
  static Node make(NativeNode::Kind kind, Node a, Node b = nullptr) {
    auto node = std::make_unique<NativeNode>();
    node->kind = kind;
    node->children.push_back(std::move(a));
    if (b) node->children.push_back(std::move(b));
    return node;
  }

  // From loose to tight, as jq's grammar has it: `|`, `//`, `or`, `and`, comparison.
  Node pipe() {
    // What is nested deeper than anybody writes by hand is jq's, which runs where it may die.
    if (depth_ >= kDeepest) return nullptr;
    ++depth_;
    Node node = piped();
    --depth_;
    return node;
  }

  Node piped() {
    Node node = alternative();
    while (node && take_symbol("|")) {
      if (take_word("not")) {
        node = make(NativeNode::Kind::Not, std::move(node));
      } else if (take_word("length")) {
        node = make(NativeNode::Kind::Length, std::move(node));
      } else {
        return nullptr;
      }
    }
    return node;
  }

  Node alternative() {
    if (depth_ >= kDeepest) return nullptr;
    ++depth_;
    Node node = disjunction();
    if (node && take_symbol("//")) {
      Node rest = alternative();
      node = rest ? make(NativeNode::Kind::Alternative, std::move(node), std::move(rest)) : nullptr;
    }
    --depth_;
    return node;
  }

  Node disjunction() {
    Node node = conjunction();
    while (node && take_word("or")) {
      Node right = conjunction();
      if (!right) return nullptr;
      node = make(NativeNode::Kind::Or, std::move(node), std::move(right));
    }
    return node;
  }

  Node conjunction() {
    Node node = comparison();
    while (node && take_word("and")) {
      Node right = comparison();
      if (!right) return nullptr;
      node = make(NativeNode::Kind::And, std::move(node), std::move(right));
    }
    return node;
  }

  Node comparison() {
    Node node = primary();
    for (const char* symbol : {"==", "!=", "<=", ">=", "<", ">"})
      if (node && take_symbol(symbol)) {
        Node right = primary();
        if (!right) return nullptr;
        node = make(NativeNode::Kind::Compare, std::move(node), std::move(right));
        node->comparison = symbol;
        return node;
      }
    return node;
  }

  Node primary() {
    const Token* token = peek();
    if (!token) return nullptr;
    switch (token->kind) {
      case Token::Kind::Number:
        return number(*token, "");
      case Token::Kind::String:
        if (token->interpolated) return nullptr;
        ++i_;
        return literal(token->value);
      case Token::Kind::Word:
        for (auto [name, value] : {std::pair<const char*, Json>{"true", true}, {"false", false}, {"null", nullptr}})
          if (take_word(name)) return literal(value);
        return nullptr;
      case Token::Kind::Variable:
      case Token::Kind::Field:
      case Token::Kind::Dot:
        return path();
      case Token::Kind::Symbol: {
        if (depth_ >= kDeepest) return nullptr;
        ++depth_;
        Node node = bracketed();
        --depth_;
        return node;
      }
      default:
        return nullptr;
    }
  }

  Node bracketed() {
    if (take_symbol("(")) {
      Node node = pipe();
      return node && take_symbol(")") && !continues() ? std::move(node) : nullptr;
    }
    if (take_symbol("-")) return peek() && peek()->kind == Token::Kind::Number ? number(*peek(), "-") : nullptr;
    auto node = std::make_unique<NativeNode>();
    if (take_symbol("[")) {
      node->kind = NativeNode::Kind::List;
      if (take_symbol("]")) return continues() ? nullptr : std::move(node);
      do {
        Node element = alternative();
        if (!element) return nullptr;
        node->children.push_back(std::move(element));
      } while (take_symbol(","));
      return take_symbol("]") && !continues() ? std::move(node) : nullptr;
    }
    if (take_symbol("{")) {
      node->kind = NativeNode::Kind::Object;
      if (take_symbol("}")) return continues() ? nullptr : std::move(node);
      do {
        const Token* key = peek();
        bool named =
            key && (key->kind == Token::Kind::Word || (key->kind == Token::Kind::String && !key->interpolated));
        if (!named) return nullptr;
        ++i_;
        if (!take_symbol(":")) return nullptr;
        Node value = primary();
        if (!value) return nullptr;
        node->keys.push_back(key->value);
        node->children.push_back(std::move(value));
      } while (take_symbol(","));
      return take_symbol("}") && !continues() ? std::move(node) : nullptr;
    }
    return nullptr;
  }

  /// A value in brackets that is looked into is not plain any more.
  bool continues() const {
    const Token* token = peek();
    return token &&
           (token->kind == Token::Kind::Field || token->kind == Token::Kind::Dot || token->is("[") || token->is("?"));
  }

  Node number(const Token& token, const std::string& sign) {
    ++i_;
    Json parsed = Json::parse(sign + token.value, nullptr, false);
    return parsed.is_number() ? literal(std::move(parsed)) : nullptr;
  }

  Node literal(Json value) {
    if (continues()) return nullptr;
    auto node = std::make_unique<NativeNode>();
    node->literal = std::move(value);
    return node;
  }

  Node path() {
    auto node = std::make_unique<NativeNode>();
    node->kind = NativeNode::Kind::Path;
    const Token& first = tokens_[i_++];
    if (first.kind == Token::Kind::Variable) {
      node->reference.variable = first.value;
    } else {
      node->reference.variable = ".";
      if (first.kind == Token::Kind::Field) node->steps.emplace_back(first.value);
    }
    while (const Token* token = peek()) {
      if (token->kind == Token::Kind::Field) {
        node->steps.emplace_back(token->value);
        ++i_;
      } else if (token->kind == Token::Kind::Dot && i_ + 1 < tokens_.size() && tokens_[i_ + 1].is("[")) {
        ++i_;  // `.[0]` behind a path is `[0]`
      } else if (token->is("[")) {
        if (!index(*node)) return nullptr;
      } else if (token->is("?")) {
        return nullptr;
      } else {
        break;
      }
    }
    // These are looked up one by one.
    const std::string& variable = node->reference.variable;
    if (variable == "steps" || variable == "status" || variable == "secrets") {
      if (node->steps.empty() || !std::holds_alternative<std::string>(node->steps.front())) return nullptr;
      node->reference.member = std::get<std::string>(node->steps.front());
      node->steps.erase(node->steps.begin());
      if (variable == "status" && !node->steps.empty() && std::holds_alternative<std::string>(node->steps.front()))
        node->reference.field = std::get<std::string>(node->steps.front());
    }
    return node;
  }

  bool index(NativeNode& node) {
    ++i_;
    bool minus = take_symbol("-");
    const Token* token = peek();
    if (!token) return false;
    if (!minus && token->kind == Token::Kind::String && !token->interpolated) {
      node.steps.emplace_back(token->value);
    } else if (token->kind == Token::Kind::Number) {
      std::int64_t at = 0;
      const char* end = token->value.data() + token->value.size();
      const auto [stop, error] = std::from_chars(token->value.data(), end, at);
      if (stop != end || error != std::errc()) return false;
      node.steps.emplace_back(minus ? -at : at);
    } else {
      return false;
    }
    ++i_;
    return take_symbol("]");
  }

  static constexpr int kDeepest = 200;

  const std::vector<Token>& tokens_;
  std::size_t i_ = 0;
  int depth_ = 0;
};

/// An error that jq would raise too.
struct JqError {
  std::string message;
};

const char* type_name(const Json& json) {
  static constexpr const char* kNames[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
  return kNames[type_rank(json)];
}

bool truthy(const Json& json) { return !json.is_null() && !(json.is_boolean() && !json.get<bool>()); }

class Evaluation {
 public:
  Evaluation(const Scope& scope, bool strict) : scope_(scope), strict_(strict) {}

  Value value(const NativeNode& node) {
    if (node.kind != NativeNode::Kind::Path) return Value(json(node));
    Value root = look_up(node.reference);
    return node.steps.empty() ? root : Value(walk(root.json(), node.steps));
  }

 private:
  Value look_up(const Reference& reference) {
    auto found = scope_.lookup(reference);
    if (auto* failure = std::get_if<Failure>(&found)) throw std::move(*failure);
    return std::get<Value>(std::move(found));
  }

  static Json walk(const Json& root, const std::vector<std::variant<std::string, std::int64_t>>& steps) {
    static const Json kNull;
    const Json* at = &root;
    for (const auto& step : steps) {
      if (const auto* key = std::get_if<std::string>(&step)) {
        if (at->is_null()) continue;
        if (!at->is_object()) throw JqError{fmt::format("cannot take `{}` of {}", *key, described(*at))};
        auto found = at->find(*key);
        at = found == at->end() ? &kNull : &*found;
      } else {
        std::int64_t index = std::get<std::int64_t>(step);
        if (at->is_null()) continue;
        if (!at->is_array()) throw JqError{fmt::format("cannot take number {} of {}", index, described(*at))};
        std::int64_t size = static_cast<std::int64_t>(at->size());
        if (index < 0) index += size;
        at = index < 0 || index >= size ? &kNull : &(*at)[static_cast<std::size_t>(index)];
      }
    }
    return *at;
  }

  static std::string described(const Json& json) {
    return fmt::format("{} ({})", type_name(json),
                       shortened(json.dump(-1, ' ', false, Json::error_handler_t::replace), 40));
  }

  Json json(const NativeNode& node) {
    switch (node.kind) {
      case NativeNode::Kind::Literal:
        return node.literal;
      case NativeNode::Kind::Path:
        return value(node).json();
      case NativeNode::Kind::List: {
        Json list = Json::array();
        for (const auto& child : node.children) list.push_back(json(*child));
        return list;
      }
      case NativeNode::Kind::Object: {
        Json object = Json::object();
        for (std::size_t i = 0; i < node.keys.size(); ++i) object[node.keys[i]] = json(*node.children[i]);
        return object;
      }
      case NativeNode::Kind::Alternative: {
        // An error is no missing value: it passes through, as in jq.
        Json first = json(*node.children[0]);
        return truthy(first) ? first : json(*node.children[1]);
      }
      case NativeNode::Kind::And:
        return truthy(json(*node.children[0])) && truthy(json(*node.children[1]));
      case NativeNode::Kind::Or:
        return truthy(json(*node.children[0])) || truthy(json(*node.children[1]));
      case NativeNode::Kind::Not:
        return !truthy(json(*node.children[0]));
      case NativeNode::Kind::Length:
        return length(json(*node.children[0]));
      case NativeNode::Kind::Compare:
        return compared(node);
    }
    return {};
  }

  Json compared(const NativeNode& node) {
    Json a = json(*node.children[0]);
    Json b = json(*node.children[1]);
    const std::string& how = node.comparison;
    if (how == "==") return compare(a, b) == 0;
    if (how == "!=") return compare(a, b) != 0;
    if (strict_ && std::string_view(type_name(a)) != type_name(b))
      throw Failure{
          "expression",
          fmt::format("`{}` compares {} with {}: different types have no order here", how, described(a), described(b)),
          "",
          0,
          {}};
    int order = compare(a, b);
    if (how == "<") return order < 0;
    if (how == "<=") return order <= 0;
    if (how == ">") return order > 0;
    return order >= 0;
  }

  static Json length(const Json& json) {
    if (json.is_null()) return 0;
    if (json.is_array() || json.is_object()) return json.size();
    if (json.is_string()) {
      const std::string& text = json.get_ref<const std::string&>();
      return std::count_if(text.begin(), text.end(),
                           [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    }
    if (json.is_number_unsigned()) return json;
    // The lowest has no positive counterpart among signed ones.
    if (json.is_number_integer())
      return json.get<std::int64_t>() < 0 ? Json(0 - static_cast<std::uint64_t>(json.get<std::int64_t>())) : json;
    if (json.is_number()) return std::fabs(json.get<double>());
    throw JqError{described(json) + " has no length"};
  }

  const Scope& scope_;
  bool strict_;
};

}  // namespace

std::unique_ptr<NativeNode> parse_native(const std::vector<Token>& tokens) { return Parser(tokens).whole(); }

std::variant<Value, Failure> evaluate_native(const NativeNode& node, const Scope& scope, bool strict) {
  try {
    return Evaluation(scope, strict).value(node);
  } catch (Failure& failure) {
    return std::move(failure);
  } catch (JqError& error) {
    return Failure{"expression", std::move(error.message), "", 0, {}};
  }
}

}  // namespace flowrun
