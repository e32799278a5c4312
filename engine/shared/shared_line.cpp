#include "engine/shared/shared_line.h"

#include <algorithm>

#include "engine/model/random_number.h"
#include "engine/shared/held_places.h"

namespace flowrun {
namespace {

// Bytes of an area: who takes a ticket, the tickets, the places.
constexpr std::int64_t kTaking = 0, kTickets = 1, kPlaces = 1 << 23, kEnd = 1 << 24;

/// How many bytes are in |ranges|, each counted once.
std::size_t bytes_in(std::vector<SharedFile::Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& one, const auto& other) { return one.begin < other.begin; });
  std::int64_t count = 0, counted = 0;  // up to where
  for (const SharedFile::Range& range : ranges) {
    count += std::max<std::int64_t>(0, range.end - std::max(range.begin, counted));
    counted = std::max(counted, range.end);
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

SharedLine::SharedLine(SharedFile& file, std::string_view what, std::string_view name)
    : file_(file), area_(shared_area(what, name)) {}

SharedLine::~SharedLine() {
  leave();
  while (!taken_.empty()) give_back(TakenPlaces(taken_.back()));
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

bool SharedLine::take(std::size_t weight, std::size_t most, TakenPlaces& places) {
  const std::size_t wanted = std::min(weight, most);
  std::size_t taken = taken_by_others();
  for (const TakenPlaces& ours : taken_) taken += ours.bytes.size();
  if (taken + wanted > most) return false;
  const auto is_ours = [this](std::int64_t place) {
    return std::any_of(taken_.begin(), taken_.end(), [&](const TakenPlaces& ours) {
      return std::find(ours.bytes.begin(), ours.bytes.end(), place) != ours.bytes.end();
    });
  };
  TakenPlaces got;
  try {
    for (std::int64_t place = area_ + kPlaces; got.bytes.size() < wanted && place < area_ + kEnd; ++place)
      if (!is_ours(place) && file_.lock(place)) got.bytes.push_back(place);
    do got.mark = random_number();
    while (!file_.lock(shared_mark(got.mark)));
  } catch (...) {
    // The kernel has no lock more.
    for (const std::int64_t place : got.bytes) file_.unlock(place);
    throw;
  }
  taken_.push_back(got);
  places = std::move(got);
  return true;
}

std::string SharedLine::never_behind(std::size_t weight, std::size_t most) const {
  std::vector<SharedFile::Range> taken;
  std::string who;
  for (const HeldPlaces& held : held_around()) {
    if (held.file != file_.identity()) continue;
    std::vector<SharedFile::Range> still;
    for (const SharedFile::Range& range : held.places)
      if (range.begin >= area_ + kPlaces && range.end <= area_ + kEnd)
        for (const SharedFile::Range& locked : file_.locked(range)) still.push_back(locked);
    // Who gives places back lets his mark go first. So a mark that is there after a look at them says whose they were.
    const std::int64_t mark = shared_mark(held.mark);
    if (still.empty() || file_.locked({mark, mark + 1}).empty()) continue;
    taken.insert(taken.end(), still.begin(), still.end());
    who = held.holder;
  }
  const std::size_t count = bytes_in(std::move(taken));
  return count > 0 && count + std::min(weight, most) > most ? who : "";
}

void SharedLine::leave() {
  if (ticket_ != 0) file_.unlock(ticket_);
  ticket_ = 0;
}

void SharedLine::give_back(const TakenPlaces& places) {
  file_.unlock(shared_mark(places.mark));
  for (const std::int64_t place : places.bytes) file_.unlock(place);
  std::erase_if(taken_, [&](const TakenPlaces& ours) { return ours.mark == places.mark; });
}

}  // namespace flowrun
