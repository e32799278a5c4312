#include "engine/expression/native_nodes.h"

#include <array>
#include <utility>

namespace flowrun {
namespace {

using Kind = NativeNode::Kind;
using Function = NativeNode::Function;

struct Signature {
  std::string_view name;
  std::size_t arguments;
  Function function;
};
constexpr std::array<Signature, 16> kFunctions{{{"select", 1, Function::Select},
                                                {"map", 1, Function::Map},
                                                {"first", 1, Function::First},
                                                {"any", 0, Function::Any},
                                                {"any", 1, Function::Any},
                                                {"all", 0, Function::All},
                                                {"all", 1, Function::All},
                                                {"keys", 0, Function::Keys},
                                                {"type", 0, Function::Type},
                                                {"has", 1, Function::Has},
                                                {"startswith", 1, Function::StartsWith},
                                                {"endswith", 1, Function::EndsWith},
                                                {"sort", 0, Function::Sort},
                                                {"sort_by", 1, Function::SortBy},
                                                {"unique", 0, Function::Unique},
                                                {"values", 0, Function::Select}}};

}  // namespace

Node make_node(Kind kind, Node a, Node b, Node c) {
  auto node = std::make_unique<NativeNode>();
  node->kind = kind;
  for (Node* child : {&a, &b, &c})
    if (*child) node->children.push_back(std::move(*child));
  for (const Node& child : node->children) {
    node->one = node->one && child->one;
    node->native = node->native && child->native;
  }
  const bool jq = kind == Kind::Opaque || kind == Kind::Mixture;
  // In which order jq goes through several results of both sides is its own business.
  const bool plain = kind == Kind::Alternative || kind == Kind::And || kind == Kind::Or || kind == Kind::Compare;
  if (jq || (plain && !node->one)) node->native = false;
  if (jq || kind == Kind::Comma || kind == Kind::Empty) node->one = false;
  return node;
}

Node dot_node() {
  auto node = std::make_unique<NativeNode>();
  node->kind = Kind::Path;
  node->reference.variable = ".";
  return node;
}

Node literal_node(Json value) {
  auto node = std::make_unique<NativeNode>();
  node->literal = std::move(value);
  return node;
}

Node function_node(Node node, Kind kind) {
  if (node->one) return make_node(kind, std::move(node));
  return make_node(Kind::Pipe, std::move(node), make_node(kind, dot_node()));
}

namespace {

Node implied_dot() {
  Node node = dot_node();
  node->implied = true;
  return node;
}

Node known_call(const Signature& known, Node argument, bool built) {
  Node node = make_node(Kind::Call, std::move(argument));
  node->function = known.function;
  node->reference.variable = ".";
  const bool given_one = node->one;
  node->one = true;
  switch (known.function) {
    case Function::Select:
      node->one = false;
      if (node->children.empty()) {  // `values`
        node->children.push_back(make_node(Kind::Compare, dot_node(), literal_node(nullptr)));
        node->children.front()->comparison = "!=";
      }
      node->native = node->native && given_one;
      break;
    case Function::First:
      node->one = false;
      break;
    case Function::Map:
      node->native = node->native && !built;
      break;
    case Function::Any:
    case Function::All:
      node->native = node->native && given_one && !built;
      break;
    case Function::Has: {
      const NativeNode& key = *node->children.front();
      node->native = key.kind == Kind::Literal && (key.literal.is_string() || key.literal.is_number_unsigned());
      break;
    }
    default:
      node->native = node->native && given_one;
  }
  return node;
}

}  // namespace

Node call_node(std::string_view name, std::vector<Node> arguments, bool built) {
  if (arguments.empty() && name == "not") return make_node(Kind::Not, implied_dot());
  if (arguments.empty() && name == "length") return make_node(Kind::Length, implied_dot());
  if (arguments.empty() && name == "empty") return make_node(Kind::Empty, nullptr);
  if (arguments.empty() && (name == "first" || name == "last")) {
    Node node = implied_dot();
    node->steps.emplace_back(std::int64_t{name == "first" ? 0 : -1});
    return node;
  }
  for (const Signature& known : kFunctions)
    if (known.name == name && known.arguments == arguments.size())
      return known_call(known, arguments.empty() ? nullptr : std::move(arguments.front()), built);
  Node node = make_node(Kind::Opaque, nullptr);
  node->reference.variable = ".";
  node->children = std::move(arguments);
  return node;
}

}  // namespace flowrun
