// --events: entries of the journal as lines of JSON, once they are committed. Knows nothing of runs.
#pragma once

#include <cstdio>
#include <string>

#include "engine/model/entry.h"

namespace flowrun::cli {

class EventStream {
 public:
  /// |name|: a file, emptied first, or `-` for standard output. Throws Error(Usage) when it can not be opened.
  explicit EventStream(const std::string& name);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// One line, at once: who reads them may act on them. Throws OutputLost when it can not be written.
  void write(const Entry& entry);

 private:
  const std::string name_;
  std::FILE* out_;
};

}  // namespace flowrun::cli
