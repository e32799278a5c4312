#include "cli/draft.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/executor/named_file.h"
#include "engine/model/error.h"

namespace flowrun::cli {
namespace {

/// What |file| names in the end, though it may not be there yet.
std::filesystem::path behind_links(const std::string& file) {
  std::error_code error;
  std::filesystem::path at = file;
  while (std::filesystem::is_symlink(at, error)) at = at.parent_path() / std::filesystem::read_symlink(at, error);
  const std::filesystem::path real = std::filesystem::weakly_canonical(at, error);
  return real.empty() ? at : real;
}

}  // namespace

void can_not_be_written(const std::string& file, int why) {
  throw Error(Problem::Usage, fmt::format("{} can not be written: {}", file, std::strerror(why)));
}

bool is_written_through(const std::string& file) {
  struct stat there {};
  return stat(file.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
}

void write_through(const std::string& file, std::string_view text) {
  const int out = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (out < 0) can_not_be_written(file, errno);
  const int why = write_all(out, text) ? 0 : errno;
  close(out);
  if (why != 0) can_not_be_written(file, why);
}

Draft::Draft(const std::string& file, std::optional<mode_t> mode) : file_(file) {
  struct stat there {};
  const bool is_there = stat(file.c_str(), &there) == 0;
  if (!is_there && errno != ENOENT) can_not_be_written(file, errno);
  if (is_there && ((there.st_mode & 0222) == 0 || access(file.c_str(), W_OK) != 0)) can_not_be_written(file, EACCES);
  if (!mode) {
    const mode_t mask = umask(0);
    umask(mask);
    mode = is_there ? there.st_mode & 07777 : 0666 & ~mask;
  }
  real_ = behind_links(file);
  path_ = real_.string() + ".XXXXXX";
  descriptor_ = mkostemp(path_.data(), O_CLOEXEC);
  if (descriptor_ < 0) can_not_be_written(file, errno);
  if (fchmod(descriptor_, *mode) == 0) return;
  const int why = errno;
  unlink(path_.c_str());
  close(descriptor_);
  can_not_be_written(file, why);
}

Draft::~Draft() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(path_.c_str());
}

void Draft::finish() {
  if (fsync(descriptor_) != 0 || rename(path_.c_str(), real_.c_str()) != 0) can_not_be_written(file_, errno);
  close(descriptor_);
  descriptor_ = -1;
}

}  // namespace flowrun::cli
