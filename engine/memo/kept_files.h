// Files that are copied, compared and put in place, and the sums of their contents. Knows no store.
#pragma once

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace flowrun {

/// Whether what is being done with a file is not wanted any more: another thread may set it at any time. Looked at once
/// a MiB, and GivenUp is thrown then.
using IsGivenUp = std::atomic<bool>;
inline const IsGivenUp kNeverGivenUp = false;
struct GivenUp : std::runtime_error {
  GivenUp() : std::runtime_error("it was stopped meanwhile") {}
};

/// Throws std::runtime_error: |path|, and what errno says.
[[noreturn]] void fail_at(const std::string& path);

/// The sum of the content behind |descriptor|, from its beginning: XXH3 128 of each MiB, and of these where there are
/// more. |path| is for the message of what it throws.
std::string content_sum(int descriptor, const std::string& path, const IsGivenUp& given_up);
/// Whether two files have the same content.
bool same_content(int one, int other, const std::string& path, const IsGivenUp& given_up);
/// Copies the content, sharing its blocks where the file system can.
void copy_content(int from, int to, const std::string& path, const IsGivenUp& given_up);

/// A file in the folder of |path| that has no name yet, or one that nobody looks for, until it takes the place of
/// |path|. It is gone when it never does.
class FileInPlaceOf {
 public:
  /// Makes the folders around it that are missing. Throws std::runtime_error.
  explicit FileInPlaceOf(std::string path);
  ~FileInPlaceOf();
  FileInPlaceOf(const FileInPlaceOf&) = delete;
  FileInPlaceOf& operator=(const FileInPlaceOf&) = delete;
  int descriptor() const { return descriptor_; }
  /// Throws std::runtime_error.
  void take_place();

 private:
  std::string unused_name() const;

  const std::string path_;
  std::string named_;  ///< its own name meanwhile; empty: it has none
  int descriptor_ = -1;
};

}  // namespace flowrun
