// The values that an expression may name, and the one port through which it may ask for jq.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/model/decision.h"
#include "engine/model/outcome.h"
#include "engine/model/sight.h"
#include "engine/model/value.h"

namespace flowrun {

/// `$steps.order.id` is {steps, order, id}; `$input.sku` is {input, sku}; `$item` is {item}; `.` is {.}.
struct Reference {
  std::string variable;  ///< without `$`; `.` is the raw result
  std::string member;    ///< first field behind it, when literal
  std::string field;     ///< second field, when literal: only this is looked at
  /// What the expression can see of the value; null: everything.
  std::shared_ptr<const Sight> sight{};
};

class Scope {
 public:
  virtual ~Scope() = default;
  /// Value of `$variable`, or for `steps`, `status` and `secrets` of `$variable.member`. Of `$status.x` it may hold
  /// just |field|, and of that what is in |sight|. A Failure of type `expression` when it is not there, such as the
  /// output of a step that has not succeeded.
  virtual Fallible<Value> lookup(const Reference& reference) const = 0;
  /// False in a run whose journal has jq's answers to filters that are evaluated in place today.
  virtual bool filters_in_place() const { return true; }
};

/// What an expression is told that does not give exactly one result, whoever evaluates it.
inline constexpr const char* kNoResult =
    "gives no result; write `// null` or another default behind it, or wrap it in [ ]";
inline constexpr const char* kSeveralResults = "gives several results; wrap it in [ ] for a list, or use first(...)";

/// An expression as jq compiles it.
struct Program {
  std::string code;     ///< as written
  bool strict = false;  ///< a condition: comparing values of different types is an error
  auto operator<=>(const Program&) const = default;
};

/// One jq evaluation.
struct Question {
  Program program;
  /// What it names: `$input` by ("$input", value), `$steps` by ("$steps", {x: ..}), and `.` by (".", value).
  std::vector<std::pair<std::string, Value>> bindings;
};

/// Answers jq. Live it is a child process; at replay the journal.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// Never throws for what the expression does; the error is in the answer.
  virtual Answer evaluate(const Question& question) = 0;
};

}  // namespace flowrun
