// A file that is written beside the one that it replaces, and is there as a whole or not at all. Does not know what is
// in it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace flowrun::cli {

/// Throws Error(Usage) for |why|, an errno.
[[noreturn]] void can_not_be_written(const std::string& file, int why);

/// Whether |file| is there and is no regular file: a pipe, a terminal, /dev/null, nothing that could be replaced.
bool is_written_through(const std::string& file);

/// Writes to |file|, of which that is so.
void write_through(const std::string& file, std::string_view text);

/// The new |file|, until it is finished. One that is read-only is not replaced: to do that takes no right to write to
/// it, but who took that right from all wants it to stay.
class Draft {
 public:
  /// |mode|: nothing: that of the file which it replaces, or what the umask leaves. Throws Error(Usage).
  Draft(const std::string& file, std::optional<mode_t> mode);
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  /// Throws Error(Usage); what was there is as it was then.
  void finish();

 private:
  const std::string file_;
  std::filesystem::path real_;
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace flowrun::cli
