#include "engine/shared/boot.h"

#include <ctime>
#include <fstream>

#include "engine/model/hash.h"

namespace flowrun {

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(in, boot);
  return boot;
}

std::uint64_t boot_hash() { return hash64(boot_id()); }

std::chrono::nanoseconds boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace flowrun
