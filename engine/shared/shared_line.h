// The line in which drives wait for places that they share, and the places. Knows no rate and not what is done in a
// place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/shared/shared_file.h"

namespace flowrun {

/// Places that somebody has, and the number of his mark, which nobody has a second time: while that is locked, they
/// are his.
struct TakenPlaces {
  std::vector<std::int64_t> bytes;
  std::uint64_t mark = 0;
  bool empty() const { return bytes.empty(); }
};

/// Who comes takes a ticket behind all that others hold, and only who has the first ticket takes places: nobody
/// overtakes. Tickets and places are locks, so those of a process that is killed are free at once, and who stands
/// behind it moves up. Never waits by itself: whoever stands in line asks again.
class SharedLine {
 public:
  /// |file| is lent. |what| and |name| as shared_area() has them.
  SharedLine(SharedFile& file, std::string_view what, std::string_view name);
  ~SharedLine();
  SharedLine(const SharedLine&) = delete;
  SharedLine& operator=(const SharedLine&) = delete;

  /// Stands in line from here on, unless it does; true: it is the first there. False also when somebody is just
  /// taking a ticket: ask again.
  bool is_first();
  /// Takes |weight| places when no more than |most| are taken then by all together; what is heavier takes all. They
  /// are |places| then. REQUIRES: is_first(). It stays in line.
  bool take(std::size_t weight, std::size_t most, TakenPlaces& places);
  /// Who around this process (held_places.h) has so many places of |most| that |weight| more are never free while this
  /// process runs; empty: nobody.
  std::string never_behind(std::size_t weight, std::size_t most) const;
  /// Gives its ticket back.
  void leave();
  void give_back(const TakenPlaces& places);
  /// How many places others have.
  std::size_t taken_by_others() const;

 private:
  SharedFile& file_;
  const std::int64_t area_;
  std::int64_t ticket_ = 0;  ///< 0: none
  std::vector<TakenPlaces> taken_;
};

}  // namespace flowrun
