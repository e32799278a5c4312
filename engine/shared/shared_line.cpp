#include "engine/shared/shared_line.h"

#include <algorithm>

#include "engine/shared/held_places.h"

namespace flowrun {
namespace {

// Bytes of an area: who takes a ticket, the tickets, the places.
constexpr std::int64_t kTaking = 0, kTickets = 1, kPlaces = 1 << 23, kEnd = 1 << 24;

}  // namespace

SharedLine::SharedLine(SharedFile& file, std::string_view what, std::string_view name)
    : file_(file), area_(shared_area(what, name)) {}

SharedLine::~SharedLine() {
  leave();
  give_back(std::vector<std::int64_t>(taken_));
}

bool SharedLine::is_first() {
  if (ticket_ == 0) {
    // Only one at a time looks for the last ticket and takes the next.
    if (!file_.lock(area_ + kTaking)) return false;
    try {
      std::int64_t next = area_ + kTickets;
      for (const SharedFile::Range& held : file_.locked({next, area_ + kPlaces})) next = std::max(next, held.end);
      // At the end of the tickets the line is left to run empty.
      if (next < area_ + kPlaces && file_.lock(next)) ticket_ = next;
    } catch (...) {
      file_.unlock(area_ + kTaking);
      throw;
    }
    file_.unlock(area_ + kTaking);
    if (ticket_ == 0) return false;
  }
  return file_.locked({area_ + kTickets, ticket_}).empty();
}

std::size_t SharedLine::taken_by_others() const {
  std::size_t taken = 0;
  for (const SharedFile::Range& held : file_.locked({area_ + kPlaces, area_ + kEnd}))
    taken += static_cast<std::size_t>(held.end - held.begin);
  return taken;
}

bool SharedLine::take(std::size_t weight, std::size_t most, std::vector<std::int64_t>& places) {
  const std::size_t wanted = std::min(weight, most);
  const std::size_t taken = taken_.size() + taken_by_others();
  if (taken + wanted > most) return false;
  std::vector<std::int64_t> got;
  for (std::int64_t place = area_ + kPlaces; got.size() < wanted && place < area_ + kEnd; ++place)
    if (std::find(taken_.begin(), taken_.end(), place) == taken_.end() && file_.lock(place)) got.push_back(place);
  taken_.insert(taken_.end(), got.begin(), got.end());
  places.insert(places.end(), got.begin(), got.end());
  return true;
}

std::string SharedLine::never_behind(std::size_t weight, std::size_t most) const {
  std::size_t taken = 0;
  std::string who;
  for (const HeldPlaces& held : held_around()) {
    if (held.file != file_.identity()) continue;
    for (const SharedFile::Range& range : held.places) {
      if (range.begin < area_ + kPlaces || range.end > area_ + kEnd) continue;
      // What has ended meanwhile, and has left this process running, has none any more.
      for (const SharedFile::Range& still : file_.locked(range))
        taken += static_cast<std::size_t>(still.end - still.begin);
      who = held.holder;
    }
  }
  return taken > 0 && taken + std::min(weight, most) > most ? who : "";
}

void SharedLine::leave() {
  if (ticket_ != 0) file_.unlock(ticket_);
  ticket_ = 0;
}

void SharedLine::give_back(const std::vector<std::int64_t>& places) {
  for (const std::int64_t place : places) {
    file_.unlock(place);
    std::erase(taken_, place);
  }
}

}  // namespace flowrun
