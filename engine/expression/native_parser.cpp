// The part of jq that is evaluated in place, from its tokens.
#include <algorithm>
#include <charconv>

#include "engine/expression/native.h"

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
}  // namespace

std::unique_ptr<NativeNode> parse_native(const std::vector<Token>& tokens) { return Parser(tokens).whole(); }

}  // namespace flowrun
