#include "engine/model/random_number.h"

#include <sys/random.h>

#include <cerrno>

#include "engine/model/error.h"
#include "engine/model/hash.h"

namespace flowrun {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number)
    if (errno != EINTR) throw Error(Problem::Internal, "no random numbers from the kernel");
  return number;
}

std::string random_hex(std::size_t bytes) {
  std::string hex;
  while (hex.size() < 2 * bytes) hex += hex16(random_number());
  hex.resize(2 * bytes);
  return hex;
}

}  // namespace flowrun
