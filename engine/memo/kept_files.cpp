#include "engine/memo/kept_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "engine/executor/named_file.h"
#include "engine/model/hash.h"
#include "engine/model/random_number.h"

namespace flowrun {
namespace {

constexpr std::size_t kPiece = 1 << 20;

/// Fills |piece| from |at| on, as far as there is content.
std::size_t read_piece(int descriptor, std::vector<char>& piece, off_t at, const std::string& path,
                       const IsGivenUp& given_up) {
  if (given_up) throw GivenUp();
  std::size_t size = 0;
  while (size < piece.size()) {
    const ssize_t got = pread(descriptor, piece.data() + size, piece.size() - size, at + static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_at(path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

}  // namespace

void fail_at(const std::string& path) { throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno))); }

std::string content_sum(int descriptor, const std::string& path, const IsGivenUp& given_up) {
  std::vector<char> piece(kPiece);
  std::string sums;
  for (off_t at = 0;; at += static_cast<off_t>(kPiece)) {
    const std::size_t size = read_piece(descriptor, piece, at, path, given_up);
    if (size > 0 || at == 0) sums += hash_name({piece.data(), size});
    if (size < kPiece) return at == 0 ? sums : hash_name(sums);
  }
}

bool same_content(int one, int other, const std::string& path, const IsGivenUp& given_up) {
  std::vector<char> first(kPiece), second(kPiece);
  for (off_t at = 0;; at += static_cast<off_t>(kPiece)) {
    const std::size_t size = read_piece(one, first, at, path, given_up);
    if (read_piece(other, second, at, path, given_up) != size || std::memcmp(first.data(), second.data(), size) != 0)
      return false;
    if (size < kPiece) return true;
  }
}

void copy_content(int from, int to, const std::string& path, const IsGivenUp& given_up) {
  if (ioctl(to, FICLONE, from) == 0) return;
  off_t in = 0, out = 0;
  ssize_t more = 0;
  while ((more = copy_file_range(from, &in, to, &out, kPiece, 0)) > 0)
    if (given_up) throw GivenUp();
  if (more == 0 && in > 0) return;
  // Not between these two, or not to the end: from the beginning.
  std::vector<char> piece(kPiece);
  for (off_t at = 0;; at += static_cast<off_t>(kPiece)) {
    const std::size_t size = read_piece(from, piece, at, path, given_up);
    if (!write_all(to, {piece.data(), size})) fail_at(path);
    if (size < kPiece) return;
  }
}

FileInPlaceOf::FileInPlaceOf(std::string path) : path_(std::move(path)) {
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  // Without a name nothing is left of it, whenever the process is killed.
  descriptor_ = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ >= 0) return;
  named_ = unused_name();
  descriptor_ = open(named_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor_ < 0) fail_at(path_);
}

FileInPlaceOf::~FileInPlaceOf() {
  if (!named_.empty()) unlink(named_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

std::string FileInPlaceOf::unused_name() const {
  return (std::filesystem::path(path_).parent_path() / (".flowrun-" + random_hex(16))).string();
}

void FileInPlaceOf::take_place() {
  if (named_.empty()) {
    // No call puts a file without a name in the place of another.
    std::string name = unused_name();
    if (linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", descriptor_).c_str(), AT_FDCWD, name.c_str(),
               AT_SYMLINK_FOLLOW) != 0)
      fail_at(path_);
    named_ = std::move(name);
  }
  if (rename(named_.c_str(), path_.c_str()) != 0) fail_at(path_);
  named_.clear();
}

}  // namespace flowrun
