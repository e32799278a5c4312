// Chance as data: all that looks random in a run follows from its seed and a name, so a replay throws the same dice.
#pragma once

#include <string>
#include <string_view>

namespace flowrun {

class Chance {
 public:
  /// |seed|: 32 hexadecimal digits, 128 random bits. Throws Corruption for anything else.
  explicit Chance(std::string_view seed);
  /// UUID version 5 (RFC 9562, section 5.5) of |name| in the namespace of the seed, 36 characters.
  std::string uuid(std::string_view name) const;
  /// Uniform in [0, 1).
  double uniform(std::string_view name) const;

 private:
  unsigned char seed_[16];
};

}  // namespace flowrun
