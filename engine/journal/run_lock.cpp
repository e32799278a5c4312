#include "engine/journal/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "engine/model/error.h"

namespace flowrun {

namespace {

[[noreturn]] void fail(const std::string& path, const char* doing) {
  throw Error(Problem::Journal, fmt::format("{}: {}: {}", path, doing, std::strerror(errno)));
}

struct flock lock_of(short type, std::int64_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

/// fcntl again when a signal came in between. False when somebody else has the lock.
bool set_lock(int fd, int command, short type, std::int64_t byte, const std::string& path) {
  struct flock lock = lock_of(type, byte);
  while (fcntl(fd, command, &lock) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EACCES) return false;
    fail(path, "cannot lock it");
  }
  return true;
}

/// Bytes of `JOURNAL-turn`.
constexpr std::int64_t kTurn = 0, kNext = 1;

/// What this process has open, by device and inode: a name can change, and a second descriptor of the same file must
/// not come to be. Process-wide because the kernel's record of these locks is.
using FileId = std::pair<dev_t, ino_t>;
struct Registry {
  std::mutex mutex;
  std::condition_variable closed;
  std::map<FileId, std::weak_ptr<LockFile>> open;
};

Registry& registry() {
  static Registry registry;
  return registry;
}

}  // namespace

std::shared_ptr<LockFile> LockFile::of(const std::string& path, bool make) {
  Registry& files = registry();
  std::unique_lock guard(files.mutex);
  struct stat status {};
  // One that has lost its last owner, in another thread, and is not closed yet would end the locks of a new one: its
  // end is waited for.
  while (stat(path.c_str(), &status) == 0) {
    const auto known = files.open.find({status.st_dev, status.st_ino});
    if (known == files.open.end()) break;
    if (auto file = known->second.lock()) return file;
    files.closed.wait(guard);
  }
  // Who only looks asks F_GETLK, for which reading is enough; but should this process come to write as well, it can
  // not open the file again, so writing is tried first.
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);
  if (fd < 0 && !make) fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && !make) return nullptr;
  if (fd < 0 || fstat(fd, &status) != 0) fail(path, "cannot open it");
  std::shared_ptr<LockFile> file(new LockFile(path, fd));
  files.open[{status.st_dev, status.st_ino}] = file;
  return file;
}

LockFile::~LockFile() {
  struct stat status {};
  std::lock_guard guard(registry().mutex);
  if (fstat(fd_, &status) == 0) registry().open.erase({status.st_dev, status.st_ino});
  close(fd_);
  registry().closed.notify_all();
}

bool LockFile::lock_run(std::int64_t number) {
  std::lock_guard guard(registry().mutex);
  if (held_.count(number) != 0) return false;
  if (!set_lock(fd_, F_SETLK, F_WRLCK, number, path_)) return false;
  held_.insert(number);
  return true;
}

void LockFile::unlock_run(std::int64_t number) {
  std::lock_guard guard(registry().mutex);
  if (held_.erase(number) != 0) set_lock(fd_, F_SETLK, F_UNLCK, number, path_);
}

std::int64_t LockFile::holder(std::int64_t byte) const {
  struct flock lock = lock_of(F_WRLCK, byte);
  if (fcntl(fd_, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1;  // 0: of another pid namespace
}

std::int64_t LockFile::driver(std::int64_t number) const {
  std::lock_guard guard(registry().mutex);
  return held_.count(number) != 0 ? getpid() : holder(number);
}

void LockFile::join_writers() {
  std::lock_guard guard(registry().mutex);
  if (writers_ == 0) set_lock(fd_, F_SETLKW, F_RDLCK, 0, path_);
  ++writers_;
}

void LockFile::leave_writers() {
  std::lock_guard guard(registry().mutex);
  if (--writers_ == 0) set_lock(fd_, F_SETLK, F_UNLCK, 0, path_);
}

bool LockFile::take_alone() {
  std::lock_guard guard(registry().mutex);
  if (writers_ > 1) return false;
  // Two processes that share the byte and both want it alone would refuse each other for ever, so each lets go of it
  // before it tries.
  set_lock(fd_, F_SETLK, F_UNLCK, 0, path_);
  if (set_lock(fd_, F_SETLK, F_WRLCK, 0, path_)) return true;
  set_lock(fd_, F_SETLKW, F_RDLCK, 0, path_);
  return false;
}

void LockFile::share_again() {
  std::lock_guard guard(registry().mutex);
  set_lock(fd_, F_SETLK, F_RDLCK, 0, path_);
}

std::int64_t LockFile::other_writer() const {
  std::lock_guard guard(registry().mutex);
  return std::max<std::int64_t>(holder(0), 0);
}

WriterTurn::WriterTurn(const std::string& path) : path_(path) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) fail(path, "cannot open it");
}

WriterTurn::~WriterTurn() { close(fd_); }

void WriterTurn::lock(std::int64_t byte) const { set_lock(fd_, F_OFD_SETLKW, F_WRLCK, byte, path_); }

void WriterTurn::unlock(std::int64_t byte) const {
  struct flock lock = lock_of(F_UNLCK, byte);
  fcntl(fd_, F_OFD_SETLK, &lock);  // unlocking what we hold does not fail
}

// The kernel wakes who waits for a lock but does not hand it over: who has just let go of it and asks again comes
// first, time after time. So only one at a time waits for the turn, being the next one; the others, the last holder
// among them, wait to be that. Four busy writers had from 1 to 350 commits in 0.1 s without it, 91 or 92 with it.
WriterTurn::Hold::Hold(const WriterTurn& turn) : turn_(turn) {
  turn_.lock(kNext);
  try {
    turn_.lock(kTurn);
  } catch (...) {
    turn_.unlock(kNext);
    throw;
  }
  turn_.unlock(kNext);
}

WriterTurn::Hold::~Hold() { turn_.unlock(kTurn); }

}  // namespace flowrun
