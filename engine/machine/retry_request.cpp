#include "engine/machine/retry_request.h"

#include <algorithm>

#include "engine/model/path.h"

namespace flowrun {
namespace {

bool any_below(const std::set<std::string>& paths, std::string_view above) {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) { return is_below(path, above); });
}

}  // namespace

void Foresight::add(const RunReopened& reopened) {
  if (!reopened.exact) return;
  if (!reopened.path.empty()) paths.insert(reopened.path);
  for (const Mark& mark : reopened.marks) paths.insert(mark.path);
  if (!reopened.stream.empty()) stream = reopened.stream;
  failed = failed || reopened.failed;
}

bool Foresight::concerns(std::string_view path) const { return any_below(paths, path); }

RetryRequest::RetryRequest(const RunReopened& reopened)
    : exact_(reopened.exact), failed_(reopened.failed), everywhere_(reopened.path.empty()), stream_(reopened.stream) {
  if (!everywhere_) targets_.insert(reopened.path);
  for (const Mark& mark : reopened.marks) {
    targets_.insert(mark.path);
    marks_.emplace(mark.path, mark);
  }
}

bool RetryRequest::covers(std::string_view path) const {
  return everywhere_ ||
         std::any_of(targets_.begin(), targets_.end(), [&](const std::string& named) { return is_below(path, named); });
}

bool RetryRequest::leads_to(std::string_view path) const {
  return any_below(targets_, path) || (!stream_.empty() && is_below(stream_, path));
}

std::optional<Mark> RetryRequest::take_mark(const std::string& path) {
  auto found = marks_.find(path);
  if (found == marks_.end()) return std::nullopt;
  Mark mark = std::move(found->second);
  marks_.erase(found);
  return mark;
}

}  // namespace flowrun
