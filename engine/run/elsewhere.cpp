#include "engine/run/elsewhere.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/encode.h"
#include "engine/model/entry_reading.h"
#include "engine/restate/place.h"

namespace flowrun {
namespace {

constexpr std::size_t kShownPath = 80;  // in a name, for people who look at the server

bool stands_in(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

}  // namespace

std::string checked_place(const std::string& text, std::string_view option) {
  const std::string place = restate::to_text(restate::place_from(text, option));
  return place.empty() ? "here" : place;
}

Error jobs_elsewhere() {
  return Error(Problem::Usage,
               "-j bounds the processes of this machine, and others carry the steps out: workers have a "
               "-j of their own, and `concurrency` bounds attempts");
}

void CallNames::go(const std::string& on) {
  if (!on.empty()) elsewhere_ = on != "here";
}

void CallNames::see(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::RunStarted:
      return go(as<RunStarted>(entry).on);
    case EntryKind::RunReopened:
      return go(as<RunReopened>(entry).on);
    case EntryKind::RunResumed: {
      const auto resumed = as<RunResumed>(entry);
      go(resumed.on);
      std::unordered_map<std::string, Begun> kept;
      for (const std::string& path : resumed.queued)
        if (auto known = begun_.find(path); known != begun_.end()) kept[path] = {known->second.seq, true};
      for (auto& [path, one] : begun_)
        if (stands_in(resumed.unbegun, path)) kept[path] = one;
      begun_ = std::move(kept);
      return;
    }
    case EntryKind::StartTask:
      if (!elsewhere_) return;
      if (auto [known, fresh] = begun_.try_emplace(entry.path, Begun{entry.seq, false}); !fresh) {
        if (!known->second.again) known->second.seq = entry.seq;
        known->second.again = false;
      }
      return;
    case EntryKind::TaskEnded:
    case EntryKind::LateEnd:
    case EntryKind::TaskInterrupted:
    case EntryKind::TaskWithdrawn:
      if (elsewhere_) begun_.erase(entry.path);
      return;
    default:
      return;
  }
}

std::string CallNames::of(const std::string& seed, const std::string& path) const {
  const auto known = begun_.find(path);
  if (known == begun_.end()) return "";
  // What follows the number is for people only.
  return fmt::format("{}/{}/{}", seed, known->second.seq, percent_encoded(path.substr(0, kShownPath)));
}

}  // namespace flowrun
