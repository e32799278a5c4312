#include "engine/scenario/step_pattern.h"

#include <fnmatch.h>

#include "engine/model/path.h"

namespace flowrun {
namespace {

bool is_glob(const std::string& text) { return text.find_first_of("*?") != std::string::npos; }

/// As fnmatch wants it: brackets are those of keys.
std::string quoted(const std::string& pattern) {
  std::string text;
  for (const char c : pattern) {
    if (c == '[' || c == ']' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

bool fits(const std::string& pattern, const std::string& path) {
  if (!is_glob(pattern)) return pattern == path;
  return is_like(pattern, path);
}

}  // namespace

bool is_like(const std::string& pattern, const std::string& text) {
  return fnmatch(quoted(pattern).c_str(), text.c_str(), 0) == 0;
}

bool StepPattern::matches(const std::string& path) const {
  return fits(text_, path) || fits(text_, without_keys(path));
}

bool StepPattern::matches_whole(const std::string& path) const {
  return path.ends_with(']') ? fits(text_, path) : matches(path);
}

bool StepPattern::may_match(const std::string& path) const { return fits(without_keys(text_), path); }

}  // namespace flowrun
