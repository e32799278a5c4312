// Regular expressions: ECMA-262's syntax as far as flowrun-workflow(5) has it, matched by RE2 in time that is linear in
// the text, whatever the pattern. Knows no schema.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// Thrown for what is no pattern, or one that can not be matched in linear time; |offset| is a byte of it.
struct PatternError {
  std::size_t offset;
  std::string message;
};

/// A compiled pattern, matched by code points. Texts are UTF-8.
class Pattern {
 public:
  /// Throws PatternError.
  explicit Pattern(std::string_view ecma);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  /// Whether it matches somewhere in |text|.
  bool found_in(std::string_view text) const;
  /// What its first match in |text| has, and what its groups have; empty where a group took no part.
  std::optional<std::vector<std::string_view>> first(std::string_view text) const;
  /// The same of a match of the whole |text|.
  std::optional<std::vector<std::string_view>> whole(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace flowrun
