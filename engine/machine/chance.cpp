#include "engine/machine/chance.h"

#include <uuid/uuid.h>

#include <charconv>
#include <cstdint>

#include "engine/model/error.h"

namespace flowrun {

Chance::Chance(std::string_view seed) {
  bool good = seed.size() == 32;
  for (std::size_t i = 0; good && i < 16; ++i) {
    const char* digits = seed.data() + 2 * i;
    good = std::from_chars(digits, digits + 2, seed_[i], 16).ptr == digits + 2;
  }
  if (!good) throw Corruption("the seed of the run is not 32 hexadecimal digits");
}

std::string Chance::uuid(std::string_view name) const {
  uuid_t id;
  uuid_generate_sha1(id, seed_, name.data(), name.size());
  char text[UUID_STR_LEN];
  uuid_unparse_lower(id, text);
  return text;
}

double Chance::uniform(std::string_view name) const {
  uuid_t id;
  uuid_generate_sha1(id, seed_, name.data(), name.size());
  // The first 48 bits are free of version and variant.
  std::uint64_t bits = 0;
  for (int i = 0; i < 6; ++i) bits = bits << 8 | id[i];
  return static_cast<double>(bits) / static_cast<double>(std::uint64_t{1} << 48);
}

}  // namespace flowrun
