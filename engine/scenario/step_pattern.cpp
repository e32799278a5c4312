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
  return fnmatch(quoted(pattern).c_str(), path.c_str(), 0) == 0;
}

}  // namespace

bool StepPattern::matches(const std::string& path) const {
  return fits(text_, path) || fits(text_, without_keys(path));
}

bool StepPattern::may_match(const std::string& path) const { return fits(without_keys(text_), path); }

}  // namespace flowrun
