// What is held around this process: places that a step, or the key that a run, has for as long as this process runs
// below it. Knows the variable that says so, not who wants what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/shared/shared_file.h"

namespace flowrun {

/// The variable in which a process is told.
inline constexpr const char* kHeldPlaces = "FLOWRUN_HELD";

/// What one holder has of one file.
struct HeldPlaces {
  SharedFile::Identity file;
  std::string holder;  ///< for people: `step charge of run r-1`
  std::vector<SharedFile::Range> places;
  std::uint64_t mark = 0;  ///< TakenPlaces::mark
};

/// What the variable of this process says, the outermost first; what can not be read says nothing.
std::vector<HeldPlaces> held_around();
/// What the variable is to say.
std::string to_text(const std::vector<HeldPlaces>& held);
/// Bytes as ranges.
std::vector<SharedFile::Range> ranges_of(std::vector<std::int64_t> places);

}  // namespace flowrun
