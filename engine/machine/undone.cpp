#include "engine/machine/undone.h"

#include "engine/model/path.h"

namespace flowrun {

void Undone::note(const std::string& path) {
  paths_.insert(path);
  in_order_.push_back(path);
  ++times_[path];
}

void Undone::note_run(const std::string& path) {
  if (paths_.erase(path) > 0) std::erase(in_order_, path);
}

bool Undone::any_below(const std::string& path) const {
  if (paths_.empty()) return false;
  // Paths below follow it, though not right behind it: `a`, `a-`, `a/b`.
  for (auto found = paths_.lower_bound(path); found != paths_.end() && found->starts_with(path); ++found)
    if (is_below(*found, path)) return true;
  return false;
}

std::vector<std::string> Undone::below(const std::string& path) const {
  std::vector<std::string> below;
  for (const std::string& one : in_order_)
    if (is_below(one, path)) below.push_back(one);
  return below;
}

int Undone::times(const std::string& path) const {
  if (times_.empty()) return 0;
  auto found = times_.find(path);
  return found == times_.end() ? 0 : found->second;
}

}  // namespace flowrun
