// The part of jq that is evaluated in place, from its tokens, and what can be told of the rest.
#include <algorithm>
#include <array>
#include <charconv>

#include "engine/expression/native_nodes.h"

namespace flowrun {
namespace {

using Kind = NativeNode::Kind;

constexpr std::array<std::string_view, 22> kNoFunctions{
    "def", "if", "then",  "elif",   "else",    "end", "as",   "reduce", "foreach", "try",   "catch",
    "and", "or", "label", "import", "include", "not", "true", "false",  "null",    "break", "__loc__"};

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}

  Parsed whole() {
    auto node = pipe();
    if (i_ != tokens_.size()) node = nullptr;
    return {std::move(node), filter_};
  }

 private:
  const Token* peek() const { return i_ < tokens_.size() ? &tokens_[i_] : nullptr; }
  bool at(const char* symbol) const { return peek() && peek()->is(symbol); }
  bool take_symbol(const char* symbol) {
    if (!at(symbol)) return false;
    ++i_;
    return true;
  }
  bool take_word(const char* word) {
    if (!peek() || !peek()->word(word)) return false;
    ++i_;
    return true;
  }
  /// What follows was jq's before semantics 5.
  void note_filter() { filter_ = true; }

  /// |node| in brackets that are nested once more; null where they are too deep for anybody to write by hand. That is
  /// jq's, which runs where it may die.
  template <typename Rule>
  Node deeper(Rule rule) {
    if (depth_ >= kDeepest) return nullptr;
    ++depth_;
    Node node = rule();
    --depth_;
    return node;
  }

  // From loose to tight, as jq's grammar has it: `|`, `,`, `//`, `or`, `and`, comparison, `+`, `*`.
  Node pipe() {
    return deeper([&] { return piped(comma()); });
  }

  Node piped(Node node) {
    while (node && take_symbol("|")) {
      if (Node done = short_function(node)) {
        node = std::move(done);
        continue;
      }
      note_filter();
      Node rest = pipe();
      return rest ? make_node(Kind::Pipe, std::move(node), std::move(rest)) : nullptr;
    }
    return node;
  }

  /// `not` and `length` where nothing follows but another `|`, or the end.
  Node short_function(Node& node) {
    const Token* word = peek();
    if (!word || !(word->word("not") || word->word("length"))) return nullptr;
    const Token* next = i_ + 1 < tokens_.size() ? &tokens_[i_ + 1] : nullptr;
    if (next && !next->is("|") && !next->is(")") && !next->is("]") && !next->is("}") && !next->is(";")) return nullptr;
    ++i_;
    return function_node(std::move(node), word->value == "not" ? Kind::Not : Kind::Length);
  }

  Node comma() {
    Node node = alternative();
    while (node && take_symbol(",")) {
      note_filter();
      Node rest = alternative();
      node = rest ? make_node(Kind::Comma, std::move(node), std::move(rest)) : nullptr;
    }
    return node;
  }

  Node alternative() {
    return deeper([&] {
      Node node = disjunction();
      if (node && take_symbol("//")) {
        Node rest = alternative();
        node = rest ? make_node(Kind::Alternative, std::move(node), std::move(rest)) : nullptr;
      }
      return node;
    });
  }

  Node disjunction() {
    Node node = conjunction();
    while (node && take_word("or")) {
      Node right = conjunction();
      if (!right) return nullptr;
      node = make_node(Kind::Or, std::move(node), std::move(right));
    }
    return node;
  }

  Node conjunction() {
    Node node = comparison();
    while (node && take_word("and")) {
      Node right = comparison();
      if (!right) return nullptr;
      node = make_node(Kind::And, std::move(node), std::move(right));
    }
    return node;
  }

  Node comparison() {
    Node node = sum();
    for (const char* symbol : {"==", "!=", "<=", ">=", "<", ">"})
      if (node && take_symbol(symbol)) {
        Node right = sum();
        if (!right) return nullptr;
        node = make_node(Kind::Compare, std::move(node), std::move(right));
        node->comparison = symbol;
        return node;
      }
    return node;
  }

  Node sum() {
    return calculation([&] { return product(); }, {"+", "-"});
  }
  Node product() {
    return calculation([&] { return term(); }, {"*", "/", "%"});
  }
  template <typename Rule>
  Node calculation(Rule operand, std::initializer_list<const char*> symbols) {
    Node node = operand();
    while (node &&
           std::any_of(symbols.begin(), symbols.end(), [&](const char* symbol) { return take_symbol(symbol); })) {
      note_filter();
      Node right = operand();
      node = right ? make_node(Kind::Mixture, std::move(node), std::move(right)) : nullptr;
    }
    return node;
  }

  /// A primary, and what looks into it.
  Node term() {
    Node node = primary();
    if (!node || !continues()) return node;
    note_filter();
    if (node->kind == Kind::Literal) return nullptr;
    Node into = hops(dot_node());
    return into ? make_node(Kind::Pipe, std::move(node), std::move(into)) : nullptr;
  }

  Node primary() {
    const Token* token = peek();
    if (!token) return nullptr;
    switch (token->kind) {
      case Token::Kind::Number:
        return number(*token, "");
      case Token::Kind::String:
        ++i_;
        return token->interpolated ? interpolated(*token) : literal_node(token->value);
      case Token::Kind::Word:
        for (auto [name, value] : {std::pair<const char*, Json>{"true", true}, {"false", false}, {"null", nullptr}})
          if (take_word(name)) return literal_node(value);
        note_filter();
        return deeper([&] { return token->value == "if" ? choice() : call(); });
      case Token::Kind::Variable:
      case Token::Kind::Field:
      case Token::Kind::Dot:
        return path();
      case Token::Kind::Symbol:
        return deeper([&] { return bracketed(); });
      default:
        return nullptr;
    }
  }

  Node bracketed() {
    if (take_symbol("(")) {
      Node node = pipe();
      return node && take_symbol(")") ? std::move(node) : nullptr;
    }
    if (take_symbol("-")) return peek() && peek()->kind == Token::Kind::Number ? number(*peek(), "-") : nullptr;
    if (take_symbol("[")) return list();
    if (take_symbol("{")) return object();
    return nullptr;
  }

  Node list() {
    auto node = std::make_unique<NativeNode>();
    node->kind = Kind::List;
    if (take_symbol("]")) return node;
    do {
      Node element = alternative();
      if (!element) return nullptr;
      node->children.push_back(std::move(element));
    } while (take_symbol(","));
    if (at("|")) {
      note_filter();
      Node all = std::move(node->children.front());
      for (std::size_t i = 1; i < node->children.size(); ++i)
        all = make_node(Kind::Comma, std::move(all), std::move(node->children[i]));
      node->children.clear();
      Node element = piped(std::move(all));
      if (!element) return nullptr;
      node->children.push_back(std::move(element));
    }
    for (const Node& child : node->children) node->native = node->native && child->native;
    return take_symbol("]") ? std::move(node) : nullptr;
  }

  Node object() {
    auto node = std::make_unique<NativeNode>();
    node->kind = Kind::Object;
    if (take_symbol("}")) {
      built_ = true;
      return node;
    }
    do {
      const Token* key = peek();
      bool named = key && (key->kind == Token::Kind::Word || (key->kind == Token::Kind::String && !key->interpolated));
      if (!named) return nullptr;
      ++i_;
      Node value;
      if (take_symbol(":")) {
        value = term();
        while (value && take_symbol("|")) {
          note_filter();
          Node rest = term();
          value = rest ? make_node(Kind::Pipe, std::move(value), std::move(rest)) : nullptr;
        }
      } else if (!keyword(key->value) && (at(",") || at("}"))) {
        note_filter();
        value = dot_node();
        value->steps.emplace_back(key->value);
      }
      if (!value) return nullptr;
      node->native = node->native && value->native && value->one;
      node->keys.push_back(key->value);
      node->children.push_back(std::move(value));
    } while (take_symbol(","));
    built_ = true;
    return take_symbol("}") ? std::move(node) : nullptr;
  }

  /// Behind `if`, whose token is next.
  Node choice() {
    ++i_;
    Node condition = pipe();
    if (!condition || !take_word("then")) return nullptr;
    Node then = pipe();
    if (!then) return nullptr;
    Node otherwise;
    if (peek() && peek()->word("elif")) {
      otherwise = deeper([&] { return choice(); });
    } else if (take_word("else")) {
      otherwise = pipe();
      if (!take_word("end")) return nullptr;
    }
    if (!otherwise) return nullptr;
    const bool one = condition->one;
    Node node = make_node(Kind::If, std::move(condition), std::move(then), std::move(otherwise));
    node->native = node->native && one;
    return node;
  }

  Node call() {
    const Token& name = *peek();
    if (keyword(name.value) && name.value != "not") return nullptr;
    const bool built = built_;
    ++i_;
    std::vector<Node> arguments;
    if (take_symbol("(")) {
      do {
        Node argument = pipe();
        if (!argument) return nullptr;
        arguments.push_back(std::move(argument));
      } while (take_symbol(";"));
      if (!take_symbol(")")) return nullptr;
    }
    return call_node(name.value, std::move(arguments), built);
  }

  /// Text with `\(...)` in it, whose brackets follow as tokens.
  Node interpolated(const Token& text) {
    note_filter();
    // That of `."a\(.b)"` is not kept as a token.
    if (text.of_field) return nullptr;
    Node node = make_node(Kind::Mixture, nullptr);
    while (at("(") && peek()->offset < text.offset + text.length) {
      ++i_;
      Node part = pipe();
      if (!part || !take_symbol(")")) return nullptr;
      node->children.push_back(std::move(part));
    }
    return node;
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
    return parsed.is_number() ? literal_node(std::move(parsed)) : nullptr;
  }

  Node path() {
    Node node = dot_node();
    const Token& first = tokens_[i_++];
    if (first.kind == Token::Kind::Variable)
      node->reference.variable = first.value;
    else if (first.kind == Token::Kind::Field)
      node->steps.emplace_back(first.value);
    node = hops(std::move(node));
    if (!node) return nullptr;
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

  Node hops(Node node) {
    while (const Token* token = peek()) {
      if (token->kind == Token::Kind::Field) {
        node->steps.emplace_back(token->value);
        ++i_;
      } else if (token->kind == Token::Kind::Dot && i_ + 1 < tokens_.size() && tokens_[i_ + 1].is("[")) {
        ++i_;  // `.[0]` behind a path is `[0]`
      } else if (token->is("[")) {
        if (!index(*node)) return nullptr;
      } else if (token->is("?") || token->kind == Token::Kind::Dot) {
        return nullptr;
      } else {
        break;
      }
    }
    return node;
  }

  bool index(NativeNode& node) {
    ++i_;
    if (take_symbol("]")) {
      note_filter();
      node.steps.emplace_back(NativeNode::Each{});
      node.one = false;
      // jq goes through an object that it has built in the order in which that was done.
      if (built_) node.native = false;
      return true;
    }
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

  static bool keyword(std::string_view word) {
    return std::find(kNoFunctions.begin(), kNoFunctions.end(), word) != kNoFunctions.end();
  }

  static constexpr int kDeepest = 200;

  const std::vector<Token>& tokens_;
  std::size_t i_ = 0;
  int depth_ = 0;
  bool filter_ = false;
  bool built_ = false;  ///< an object has been written before this place
};

}  // namespace

Parsed parse_native(const std::vector<Token>& tokens) { return Parser(tokens).whole(); }

}  // namespace flowrun
