#include "engine/shared/shared_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/model/error.h"
#include "engine/model/hash.h"

namespace flowrun {
namespace {

constexpr int kAreaBits = 24, kNameBits = 36;
constexpr std::int64_t kFirstArea = std::int64_t{1} << 61;  // content is far below
constexpr std::int64_t kFirstMark = std::int64_t{1} << 62;  // areas end before

struct flock lock_of(short type, std::int64_t begin, std::int64_t end) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = end - begin;
  return lock;
}

}  // namespace

std::string shared_file_of(const std::string& journal) { return journal + "-shared"; }

SharedFile::SharedFile(std::string path) : path_(std::move(path)) {
  const auto refuse = [this](const std::string& why) {
    if (descriptor_ >= 0) close(descriptor_);
    throw Error(Problem::Journal, fmt::format("{}: {}", path_, why));
  };
  // Not waited for, should it be a pipe of somebody's.
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (descriptor_ < 0) refuse(std::string("cannot open it: ") + std::strerror(errno));
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) refuse(std::strerror(errno));
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
    refuse("it is not simply a file; move it away, and flowrun makes one");
  identity_ = {status.st_dev, status.st_ino};
}

SharedFile::~SharedFile() { close(descriptor_); }

bool SharedFile::lock(std::int64_t byte) {
  struct flock lock = lock_of(F_WRLCK, byte, byte + 1);
  while (fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EACCES) return false;
    throw Error(Problem::Journal, fmt::format("{}: cannot lock it: {}", path_, std::strerror(errno)));
  }
  return true;
}

void SharedFile::unlock(std::int64_t byte) {
  struct flock lock = lock_of(F_UNLCK, byte, byte + 1);
  fcntl(descriptor_, F_OFD_SETLK, &lock);  // unlocking what we hold does not fail
}

std::vector<SharedFile::Range> SharedFile::locked(Range range) const {
  // The kernel names one lock that is in the way, and not the first: what is on both sides of it is asked for again.
  std::vector<Range> found, open{range};
  while (!open.empty()) {
    const Range part = open.back();
    open.pop_back();
    if (part.begin >= part.end) continue;
    struct flock lock = lock_of(F_WRLCK, part.begin, part.end);
    while (fcntl(descriptor_, F_OFD_GETLK, &lock) != 0)
      if (errno != EINTR)
        throw Error(Problem::Journal, fmt::format("{}: cannot look at its locks: {}", path_, std::strerror(errno)));
    if (lock.l_type == F_UNLCK) continue;
    const Range held{std::max<std::int64_t>(lock.l_start, part.begin),
                     lock.l_len == 0 ? part.end : std::min<std::int64_t>(lock.l_start + lock.l_len, part.end)};
    found.push_back(held);
    open.push_back({part.begin, held.begin});
    open.push_back({held.end, part.end});
  }
  return found;
}

bool SharedFile::read(std::int64_t at, void* bytes, std::size_t size) const {
  const ssize_t got = pread(descriptor_, bytes, size, at);
  if (got < 0) return false;
  std::memset(static_cast<char*>(bytes) + got, 0, size - static_cast<std::size_t>(got));  // behind its end
  return true;
}

bool SharedFile::write(std::int64_t at, const void* bytes, std::size_t size) {
  return pwrite(descriptor_, bytes, size, at) == static_cast<ssize_t>(size);
}

std::int64_t shared_mark(std::uint64_t number) { return kFirstMark + static_cast<std::int64_t>(number >> 3); }

std::int64_t shared_area(std::string_view what, std::string_view name) {
  const std::uint64_t hash = hash64(std::string(what) + "\n" + std::string(name)) >> (64 - kNameBits);
  return kFirstArea + static_cast<std::int64_t>(hash << kAreaBits);
}

}  // namespace flowrun
