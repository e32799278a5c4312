#include "engine/executor/line_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "engine/model/hash.h"
#include "engine/shared/boot.h"

namespace flowrun {
namespace {

// Of more that wait at once the rest is taken for begun.
constexpr std::size_t kSlots = 8192;

/// The pages of a file outlive the process, but not the machine, and a copy stands still while the run goes on.
struct Header {
  std::uint64_t drive = 0, boot = 0, inode = 0, device = 0;
  bool operator==(const Header&) const = default;
};
constexpr std::size_t kHeaderSlots = sizeof(Header) / sizeof(std::uint64_t);
constexpr std::size_t kSize = sizeof(Header) + kSlots * sizeof(std::uint64_t);

Header header_of(int descriptor, const std::string& token) {
  struct stat about {};
  fstat(descriptor, &about);
  return {hash64("line 1 " + token), boot_hash(), about.st_ino, about.st_dev};
}

/// Never 0, which is an empty slot.
std::uint64_t name_of(const std::string& path, int attempt, LineKind kind) {
  static constexpr const char* kMarks[] = {"", "shared ", "secret ", "memo "};
  return hash64(kMarks[static_cast<int>(kind)] + std::to_string(attempt) + " " + path) | 1;
}

}  // namespace

LineFile::~LineFile() {
  if (!slots_) return;
  void* mapped = slots_ - kHeaderSlots;
  // Another drive may have gone on with the run meanwhile, and has one of its own there.
  struct stat there {};
  const auto& header = *static_cast<const Header*>(mapped);
  const bool ours = lstat((folder_.path() + "/" + kLineFile).c_str(), &there) == 0 && there.st_ino == header.inode &&
                    there.st_dev == header.device;
  munmap(mapped, kSize);
  if (ours) folder_.remove(kLineFile);
}

bool LineFile::make() {
  if (std::exchange(tried_, true)) return slots_ != nullptr;
  int descriptor = folder_.create(kLineFile);
  if (descriptor < 0) return false;
  fcntl(descriptor, F_SETFL, 0);  // libc's own way to make room, where the file system has none, refuses O_APPEND
  // With its blocks: a page that finds no room on the disk when it is written would end the process.
  void* mapped = posix_fallocate(descriptor, 0, kSize) == 0
                     ? mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                     : MAP_FAILED;
  if (mapped != MAP_FAILED) {
    *static_cast<Header*>(mapped) = header_of(descriptor, token_);
    slots_ = static_cast<std::uint64_t*>(mapped) + kHeaderSlots;
    free_.reserve(kSlots);
    for (std::size_t slot = kSlots; slot-- > 0;) free_.push_back(slot);
  } else {
    folder_.remove(kLineFile);
  }
  close(descriptor);
  return slots_ != nullptr;
}

std::optional<std::size_t> LineFile::add(const std::string& path, int attempt, LineKind kind) {
  std::lock_guard lock(mutex_);
  if (!make() || free_.empty()) return std::nullopt;
  std::size_t slot = free_.back();
  free_.pop_back();
  std::atomic_ref(slots_[slot]).store(name_of(path, attempt, kind));
  return slot;
}

void LineFile::remove(std::size_t slot) {
  std::lock_guard lock(mutex_);
  std::atomic_ref(slots_[slot]).store(0);
  free_.push_back(slot);
}

LeftInLine::LeftInLine(const std::string& run_dir, const std::string& token) {
  RunFolder folder(run_dir);
  const int descriptor = folder.look() ? folder.read(kLineFile) : -1;
  if (descriptor < 0) return;
  std::vector<std::uint64_t> all(kHeaderSlots + kSlots);
  struct stat about {};
  const bool ours = fstat(descriptor, &about) == 0 && about.st_uid == geteuid() &&
                    read(descriptor, all.data(), kSize) == static_cast<ssize_t>(kSize) &&
                    *reinterpret_cast<const Header*>(all.data()) == header_of(descriptor, token);
  close(descriptor);
  if (!ours) return;
  waiting_.insert(all.begin() + kHeaderSlots, all.end());
  waiting_.erase(0);
}

std::optional<LineKind> LeftInLine::kind_of(const std::string& path, int attempt) const {
  for (const LineKind kind : {LineKind::Slot, LineKind::SharedPlace, LineKind::SecretOutput, LineKind::Memo})
    if (waiting_.count(name_of(path, attempt, kind)) > 0) return kind;
  return std::nullopt;
}

}  // namespace flowrun
