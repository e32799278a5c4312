#include "engine/executor/run_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/model/error.h"

namespace flowrun {
namespace {

namespace fs = std::filesystem;

// One lock for all: a folder is opened once in a drive.
std::mutex opening;

[[noreturn]] void refuse(const fs::path& folder, const std::string& why, const std::string& remedy) {
  throw Error(Problem::Journal, fmt::format("the files of the run can not be kept in {}: {}; {}, or --journal FILE "
                                            "names a journal elsewhere",
                                            folder.string(), why, remedy));
}

/// Why nobody but this user can have put a file into |folder|, open as |descriptor|; throws when somebody can.
void check_owner(int descriptor, const fs::path& folder) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) refuse(folder, std::strerror(errno), "look at it");
  if (status.st_uid != geteuid())
    refuse(folder, "it belongs to another user",
           fmt::format("move it away, or chown -R {} {}", geteuid(), folder.string()));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    refuse(folder, "others may write there", fmt::format("look at what is in it, then chmod go-w {}", folder.string()));
}

/// |folder| within |parent|, never through a link. -1: there is none.
int open_folder(int parent, const fs::path& folder, bool make) {
  const std::string name = folder.filename();
  const bool made = make && mkdirat(parent, name.c_str(), 0700) == 0;
  if (make && !made && errno != EEXIST) refuse(folder, std::strerror(errno), "make room for it");
  int descriptor = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return -1;
  if (descriptor < 0 && (errno == ENOTDIR || errno == ELOOP))
    refuse(folder, "it is a link, or no folder", "move it away");
  if (descriptor < 0) refuse(folder, std::strerror(errno), "look at it");
  try {
    check_owner(descriptor, folder);
  } catch (...) {
    close(descriptor);
    throw;
  }
  return descriptor;
}

/// Closes |descriptor| and returns -1 with |number| as errno.
int give_up(int descriptor, int number) {
  close(descriptor);
  errno = number;
  return -1;
}

}  // namespace

RunFolder::~RunFolder() {
  if (descriptor_ >= 0) close(descriptor_);
}

int RunFolder::open(bool make) const {
  const fs::path folder(path_), runs = folder.parent_path();
  std::error_code ignored;  // what can not be made is told below
  if (make) fs::create_directories(runs.parent_path(), ignored);
  const int base = ::open(runs.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (base < 0 && !make) return -1;
  if (base < 0) refuse(folder, std::strerror(errno), "look at it");
  int inside = -1, descriptor = -1;
  try {
    inside = open_folder(base, runs, make);
    if (inside >= 0) descriptor = open_folder(inside, folder, make);
  } catch (...) {
    close(base);
    if (inside >= 0) close(inside);
    throw;
  }
  close(base);
  if (inside >= 0) close(inside);
  return descriptor;
}

void RunFolder::check() const {
  if (const int descriptor = open(false); descriptor >= 0) close(descriptor);
}

void RunFolder::make() {
  std::lock_guard lock(opening);
  if (descriptor_ < 0) descriptor_ = open(true);
}

bool RunFolder::look() {
  std::lock_guard lock(opening);
  if (descriptor_ < 0) descriptor_ = ::open(path_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return descriptor_ >= 0;
}

int RunFolder::create(const std::string& name) const {
  unlinkat(descriptor_, name.c_str(), 0);
  return openat(descriptor_, name.c_str(), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int RunFolder::append(const std::string& name) const {
  // What is there may be a pipe that nobody reads.
  const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const int descriptor = openat(descriptor_, name.c_str(), flags, 0600);
  if (descriptor < 0) return -1;
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return give_up(descriptor, errno);
  // A second name of a file may have been made by who can not write to it.
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_nlink != 1) return give_up(descriptor, EPERM);
  return descriptor;
}

int RunFolder::read(const std::string& name) const {
  // What is there may be a pipe that nobody writes to.
  const int descriptor = openat(descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return -1;
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return give_up(descriptor, errno);
  return S_ISREG(status.st_mode) ? descriptor : give_up(descriptor, EPERM);
}

void RunFolder::remove(const std::string& name) const { unlinkat(descriptor_, name.c_str(), 0); }

std::vector<std::string> RunFolder::names(const std::string& prefix) const {
  std::vector<std::string> names;
  const int again = openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = again >= 0 ? fdopendir(again) : nullptr;
  if (!folder) {
    if (again >= 0) close(again);
    return names;
  }
  while (const dirent* entry = readdir(folder))
    if (std::string_view(entry->d_name).starts_with(prefix)) names.emplace_back(entry->d_name);
  closedir(folder);
  return names;
}

void RunFolder::remove_all(const std::string& prefix) const {
  for (const std::string& name : names(prefix)) remove(name);
}

}  // namespace flowrun
