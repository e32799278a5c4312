#include "engine/shared/held_places.h"

#include <algorithm>
#include <cstdlib>

#include "engine/model/value.h"

namespace flowrun {

std::vector<HeldPlaces> held_around() {
  const char* text = std::getenv(kHeldPlaces);
  std::vector<HeldPlaces> all;
  if (!text) return all;
  try {
    for (const Json& one : Json::parse(text)) {
      HeldPlaces held{{one.at("device").get<std::uint64_t>(), one.at("inode").get<std::uint64_t>()},
                      one.at("holder").get<std::string>(),
                      {},
                      one.value("mark", std::uint64_t{0})};
      for (const Json& range : one.at("places"))
        held.places.push_back({range.at(0).get<std::int64_t>(), range.at(1).get<std::int64_t>()});
      all.push_back(std::move(held));
    }
  } catch (const Json::exception&) {
    // Somebody else has set it.
  }
  return all;
}

std::string to_text(const std::vector<HeldPlaces>& held) {
  Json all = Json::array();
  for (const HeldPlaces& one : held) {
    Json places = Json::array();
    for (const SharedFile::Range& range : one.places) places.push_back({range.begin, range.end});
    all.push_back({{"device", one.file.device},
                   {"inode", one.file.inode},
                   {"holder", one.holder},
                   {"places", places},
                   {"mark", one.mark}});
  }
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<SharedFile::Range> ranges_of(std::vector<std::int64_t> places) {
  std::sort(places.begin(), places.end());
  std::vector<SharedFile::Range> ranges;
  for (const std::int64_t place : places)
    if (!ranges.empty() && ranges.back().end == place) {
      ++ranges.back().end;
    } else {
      ranges.push_back({place, place + 1});
    }
  return ranges;
}

}  // namespace flowrun
