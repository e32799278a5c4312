// An option that is written as a literal or as one whole expression, and is checked for its type when it is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "engine/expression/expression.h"
#include "engine/machine/frame.h"
#include "engine/model/time.h"

namespace flowrun {

/// T is bool, std::int64_t, double or Duration.
template <typename T>
struct Setting {
  std::optional<T> value;
  std::optional<Expression> expression;

  Setting() = default;
  Setting(T literal) : value(literal) {}  // NOLINT: a literal is a setting
  bool written() const { return value || expression; }
};

/// The value of |setting|, or |default_value| when it is not written. A Failure of type `expression` names |what|.
template <typename T>
Fallible<T> resolve(const Setting<T>& setting, const FrameScope& scope, Evaluator& evaluator, T default_value,
                    const char* what);

/// As resolve, by the stricter rules of conditions (flowrun-workflow(5), "Conditions").
Fallible<bool> resolve_condition(const Setting<bool>& setting, const FrameScope& scope, Evaluator& evaluator);

}  // namespace flowrun
