// Hashes that find accidents and name equal texts: XXH3 (xxhash). Not for secrets, not against forgers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flowrun {

std::uint64_t hash64(std::string_view text);
/// |value| as 16 hexadecimal digits.
std::string hex16(std::uint64_t value);
/// XXH3 128 of |text| as 32 hexadecimal digits: the name of a text in the journal's tables `sources` and `vals`.
std::string hash_name(std::string_view text);

}  // namespace flowrun
