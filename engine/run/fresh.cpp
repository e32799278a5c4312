#include "engine/run/fresh.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <ctime>
#include <thread>

#include "engine/model/random_number.h"
#include "engine/shared/boot.h"

namespace flowrun {

std::string made_up_id(const std::string& name, Instant at) {
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y%m%d-%H%M%S", &utc);
  std::string tail;
  for (std::uint64_t chance = random_number(); tail.size() < 4; chance /= 32) tail += kDigits[chance % 32];
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
