#include "engine/expression/pattern.h"

#include <re2/re2.h>

#include "engine/expression/pattern_syntax.h"

namespace flowrun {
namespace {

// What RE2 may use for one pattern: a third for its program, which is refused when it is larger; the rest for states,
// without which it takes another way that is linear, too.
constexpr std::int64_t kMemory = 8 << 20;

}  // namespace

struct Pattern::Compiled {
  explicit Compiled(const std::string& code) : re2(code, options()) {}
  static re2::RE2::Options options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMemory);
    return options;
  }
  std::optional<std::vector<std::string_view>> match(std::string_view text, re2::RE2::Anchor anchor) const {
    std::vector<re2::StringPiece> found(static_cast<std::size_t>(re2.NumberOfCapturingGroups()) + 1);
    if (!re2.Match({text.data(), text.size()}, 0, text.size(), anchor, found.data(), static_cast<int>(found.size())))
      return std::nullopt;
    std::vector<std::string_view> groups;
    for (const re2::StringPiece& each : found) groups.emplace_back(each.data(), each.size());
    return groups;
  }
  re2::RE2 re2;
};

Pattern::Pattern(std::string_view ecma) {
  compiled_ = std::make_unique<Compiled>(in_re2_syntax(ecma));
  const re2::RE2& re2 = compiled_->re2;
  const bool large =
      re2.error_code() == re2::RE2::ErrorPatternTooLarge || re2.error_code() == re2::RE2::ErrorRepeatSize;
  if (large) throw PatternError{0, "this pattern is too large: what its repetitions stand for does not fit"};
  if (!re2.ok()) throw PatternError{0, re2.error()};
}

Pattern::~Pattern() = default;

bool Pattern::found_in(std::string_view text) const {
  return compiled_->re2.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

std::optional<std::vector<std::string_view>> Pattern::first(std::string_view text) const {
  return compiled_->match(text, re2::RE2::UNANCHORED);
}

std::optional<std::vector<std::string_view>> Pattern::whole(std::string_view text) const {
  return compiled_->match(text, re2::RE2::ANCHOR_BOTH);
}

}  // namespace flowrun
