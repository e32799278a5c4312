// Chance, from the kernel: names and numbers that nothing else has. Nothing that decides may ask for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace flowrun {

std::uint64_t random_number();
/// So many random bytes in hexadecimal digits.
std::string random_hex(std::size_t bytes);

}  // namespace flowrun
