// --jq EXPR: of the JSON that a command prints, what the expression gives. Knows nothing of the commands.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/jq/jq.h"
#include "engine/run/view.h"

namespace flowrun::cli {

class JqOption {
 public:
  /// Throws Error(Usage) when |text| is no expression, or names anything but what is printed.
  explicit JqOption(const std::string& text);

  /// What the expression gives for each value in |json|: a line each, texts as they are, all else as JSON. Throws
  /// Error(Impossible) when |json| is none, or the expression fails with it.
  std::string of(std::string_view json);

 private:
  std::string text_;
  Expression all_;  ///< gives a list of what the expression gives
  std::unique_ptr<Jq> jq_;
};

}  // namespace flowrun::cli
