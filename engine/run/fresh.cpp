#include "engine/run/fresh.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/random.h>
#include <unistd.h>

#include <climits>
#include <ctime>
#include <thread>

#include "engine/model/error.h"
#include "engine/shared/boot.h"

namespace flowrun {
std::string random_hex(std::size_t bytes) {
  std::string hex;
  while (bytes-- > 0) {
    unsigned char byte = 0;
    if (getrandom(&byte, 1, 0) != 1) throw Error(Problem::Internal, "no random numbers from the kernel");
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

std::string made_up_id(const std::string& name, Instant at) {
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y%m%d-%H%M%S", &utc);
  unsigned char random[4]{};
  if (getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
    throw Error(Problem::Internal, "no random numbers from the kernel");
  std::string tail;
  for (unsigned char byte : random) tail += kDigits[byte % 32];
  return fmt::format("{}-{}-{}", name, date, tail);
}

HostIdentity host_identity() {
  char host[HOST_NAME_MAX + 1]{};
  gethostname(host, sizeof host - 1);
  char space[64]{};
  if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = 0;
  return {host, boot_id(), space};
}

int cpu_count() {
  unsigned cpus = std::thread::hardware_concurrency();
  return cpus > 0 ? static_cast<int>(cpus) : 1;
}

std::string sender() {
  char host[HOST_NAME_MAX + 1]{};
  gethostname(host, sizeof host - 1);
  const passwd* user = getpwuid(getuid());
  return fmt::format("{}@{}", user ? user->pw_name : std::to_string(getuid()), host);
}

}  // namespace flowrun
