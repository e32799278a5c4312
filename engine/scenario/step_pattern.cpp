#include "engine/scenario/step_pattern.h"

#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

bool fits(const std::string& pattern, const std::string& path) {
  if (!is_pattern(pattern)) return pattern == path;
  return is_like(pattern, path);
}

}  // namespace

bool StepPattern::matches(const std::string& path) const {
  return fits(text_, path) || fits(text_, without_keys(path));
}

bool StepPattern::matches_whole(const std::string& path) const {
  return path.ends_with(']') ? fits(text_, path) : matches(path);
}

bool StepPattern::may_match(const std::string& path) const { return fits(without_keys(text_), path); }

}  // namespace flowrun
