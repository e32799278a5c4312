// The part of jq that is evaluated in place: plain paths, literals, lists and objects of them, `//`, comparisons,
// `and`, `or`, `not`, `length`. Keeps integers of 64 bits. Everything else is jq's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/expression/tokens.h"
#include "engine/model/scope.h"

namespace flowrun {

/// A node of the native subset.
struct NativeNode {
  enum class Kind { Literal, Path, List, Object, Alternative, And, Or, Compare, Not, Length };
  Kind kind = Kind::Literal;
  Json literal;
  Reference reference;                                         ///< Path: where it begins
  std::vector<std::variant<std::string, std::int64_t>> steps;  ///< Path: what follows the reference
  std::string comparison;                                      ///< `==` `!=` `<` `<=` `>` `>=`
  std::vector<std::string> keys;                               ///< Object
  std::vector<std::unique_ptr<NativeNode>> children;
};

/// Null when |tokens| are not in the native subset.
std::unique_ptr<NativeNode> parse_native(const std::vector<Token>& tokens);

/// |strict|: comparing values of different types is a Failure.
Fallible<Value> evaluate_native(const NativeNode& node, const Scope& scope, bool strict);

}  // namespace flowrun
