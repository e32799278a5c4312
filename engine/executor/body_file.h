// The file that an answer is streamed into, hashed on its way. Knows nothing of HTTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/executor/run_folder.h"

namespace flowrun {

/// Removed again unless it was closed: an incomplete file would look like an answer.
class BodyFile {
 public:
  BodyFile() = default;
  ~BodyFile();
  BodyFile(const BodyFile&) = delete;
  BodyFile& operator=(const BodyFile&) = delete;

  /// |folder| outlives it.
  bool open(const RunFolder& folder, const std::string& name);
  bool write(const char* bytes, std::size_t count);
  /// {path, size, sha256}, path being the name. Closes the file and keeps it. Empty: it is not safely on disk.
  std::string close();
  bool is_open() const { return descriptor_ >= 0; }

 private:
  const RunFolder* folder_ = nullptr;
  std::string name_;  ///< to be removed when it stays incomplete
  int descriptor_ = -1;
  void* digest_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace flowrun
