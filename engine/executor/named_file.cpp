#include "engine/executor/named_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

namespace flowrun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kForWriter{2000};  // until a named pipe without a writer counts as one that nobody will write to
constexpr Duration kRound{100};
constexpr Duration kLookAgain{10};

std::string kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "";
  if (S_ISDIR(mode)) return "it is a folder; name a file in it";
  if (S_ISFIFO(mode)) return "it is a pipe, not a file";
  if (S_ISSOCK(mode)) return "it is a socket, not a file";
  return "it is a device, not a file";
}

/// Whether |descriptor| is of a pipe with a name in the file system, whose writer may be yet to come.
bool has_name(int descriptor) {
  char target[16]{};
  const std::string link = fmt::format("/proc/self/fd/{}", descriptor);
  return readlink(link.c_str(), target, sizeof target - 1) < 0 || !std::string_view(target).starts_with("pipe:");
}

}  // namespace

FileText read_to_end(int descriptor, const ReadRules& rules) {
  FileText found;
  struct stat about {};
  const bool waits = fstat(descriptor, &about) == 0 && S_ISFIFO(about.st_mode) && has_name(descriptor);
  const auto began = Clock::now();
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      found.text.append(buffer, static_cast<std::size_t>(got));
      if (found.text.size() <= rules.most) continue;
      found.trouble = fmt::format("holds more than {} bytes", rules.most);
      return found;
    }
    const bool empty = got < 0 && (errno == EAGAIN || errno == EINTR);
    const bool unwritten = got == 0 && waits && found.text.empty();
    if (got == 0 && !unwritten) return found;
    if (got < 0 && !empty) {
      found.trouble = std::strerror(errno);
      return found;
    }
    if (rules.stop && rules.stop()) {
      found.stopped = true;
      found.trouble = "was given up";
      return found;
    }
    const auto waited = Clock::now() - began;
    if (unwritten && waited >= std::min(kForWriter, rules.patience)) {
      found.trouble = "it is a pipe that nobody writes to";
      return found;
    }
    if (waited >= rules.patience) {
      found.trouble = fmt::format("has not ended within {}", to_string(rules.patience));
      return found;
    }
    if (unwritten) {
      std::this_thread::sleep_for(kLookAgain);
      continue;
    }
    pollfd waiting{descriptor, POLLIN, 0};
    const auto left = std::chrono::ceil<Duration>(rules.patience - waited);
    poll(&waiting, 1, static_cast<int>(std::clamp(left, Duration{0}, kRound).count()));
  }
}

FileText read_named_file(const std::string& file, const ReadRules& rules) {
  FileText found;
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    found.trouble = std::strerror(errno);
    return found;
  }
  struct stat about {};
  if (fstat(descriptor, &about) == 0 && (!rules.pipes || S_ISDIR(about.st_mode)))
    found.trouble = kind_of(about.st_mode);
  if (found.trouble.empty()) found = read_to_end(descriptor, rules);
  close(descriptor);
  return found;
}

std::string not_regular(const std::string& file) {
  struct stat about {};
  return stat(file.c_str(), &about) == 0 ? kind_of(about.st_mode) : "";
}

std::string open_regular(const std::string& file, int& descriptor) {
  descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return std::strerror(errno);
  struct stat about {};
  std::string trouble = fstat(descriptor, &about) == 0 ? kind_of(about.st_mode) : std::strerror(errno);
  if (trouble.empty()) return "";
  close(descriptor);
  descriptor = -1;
  return trouble;
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace flowrun
