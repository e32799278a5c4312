// A descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace flowrun {

class OpenFile {
 public:
  /// |descriptor|: negative for one that could not be opened.
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

}  // namespace flowrun
