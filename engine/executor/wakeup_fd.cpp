#include "engine/executor/wakeup_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "engine/model/error.h"

namespace flowrun {

WakeupFd::WakeupFd() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0)
    throw Error(Problem::Internal, "no eventfd from the kernel; is the limit of open files very low?");
}

WakeupFd::~WakeupFd() { close(descriptor_); }

void WakeupFd::notify() const {
  const int before = errno;  // a signal handler must leave errno alone
  const std::uint64_t one = 1;
  // A counter that is full is readable already; nothing else can go wrong with an eventfd.
  [[maybe_unused]] ssize_t written = write(descriptor_, &one, sizeof one);
  errno = before;
}

void WakeupFd::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t got = read(descriptor_, &count, sizeof count);
}

}  // namespace flowrun
