#include "engine/model/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace flowrun {

std::uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

std::string hex16(std::uint64_t value) { return fmt::format("{:016x}", value); }

std::string hash_name(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace flowrun
