// Which steps a scenario means: `charge`, `enrich[C-1]/profile`, `enrich/profile` for all items, `enrich[*]/*`. Knows
// paths only.
#pragma once

#include <string>

namespace flowrun {

class StepPattern {
 public:
  StepPattern() = default;
  explicit StepPattern(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  /// Whether the step at |path| is meant: by its path, by its path without keys of items, or by `*` and `?` in either.
  bool matches(const std::string& path) const;
  /// The same without the items of a for_each that is meant by its own path: their end is not its end.
  bool matches_whole(const std::string& path) const;
  /// The same of a step as it is written, whose |path| has no keys.
  bool may_match(const std::string& path) const;

 private:
  std::string text_;
};

}  // namespace flowrun
