// The part of jq that is evaluated in place: paths, filters such as `[.[] | select(.ok | not) | .id]`, literals, lists
// and objects of them, comparisons, and a few functions. Keeps integers of 64 bits. Everything else is jq's; of that
// the parser knows only as much as it takes to tell what it looks at.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/expression/references.h"
#include "engine/expression/tokens.h"
#include "engine/model/scope.h"

namespace flowrun {

/// A node of the native subset.
struct NativeNode {
  enum class Kind {
    Literal,
    Path,
    List,    ///< its members: what its children yield
    Object,  ///< a child for each key
    Alternative,
    And,
    Or,
    Compare,
    Not,
    Length,
    Pipe,    ///< the second works on what the first yields
    Comma,   ///< what the first yields, then what the second does
    If,      ///< condition, then, else
    Empty,   ///< yields nothing
    Call,    ///< a function of `.`, of which |function| tells, with its arguments
    Opaque,  ///< jq's; it sees all that `.` is, and all that its children yield
    Mixture  ///< jq's; it sees all that its children yield
  };
  enum class Function {
    None,
    Select,
    Map,
    First,
    Any,
    All,
    Keys,
    Type,
    Has,
    StartsWith,
    EndsWith,
    Sort,
    SortBy,
    Unique
  };
  /// `[]` of a path.
  struct Each {};
  using Hop = std::variant<std::string, std::int64_t, Each>;

  Kind kind = Kind::Literal;
  Function function = Function::None;
  Json literal;
  Reference reference;            ///< Path: where it begins
  std::vector<Hop> steps;         ///< Path: what follows the reference
  std::string comparison;         ///< `==` `!=` `<` `<=` `>` `>=`
  std::vector<std::string> keys;  ///< Object
  std::vector<std::unique_ptr<NativeNode>> children;
  bool implied = false;  ///< Path: a `.` that is not written, which is null where there is none
  bool one = true;       ///< yields exactly one result, or an error
  bool native = true;    ///< it and all below it is evaluated in place
};

struct Parsed {
  std::unique_ptr<NativeNode> node;  ///< null: nothing is known of it
  bool filter = false;               ///< has what runs before semantics 5 asked jq for
};

Parsed parse_native(const std::vector<Token>& tokens);

/// Notes in every reference below |node| what of its value can be seen, and in the same ones of |uses|.
void note_sights(NativeNode& node, std::vector<Use>& uses);

/// REQUIRES: |node| is native. |strict|: comparing values of different types is a Failure.
Fallible<Value> evaluate_native(const NativeNode& node, const Scope& scope, bool strict);

}  // namespace flowrun
