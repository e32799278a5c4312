// --events: entries of the journal as lines of JSON, once they are committed. Knows nothing of runs.
#pragma once

#include <functional>
#include <string>

#include "engine/model/entry.h"

namespace flowrun::cli {

class EventStream {
 public:
  /// |name|: a file, emptied first, a pipe that somebody reads, or `-` for standard output. |stop|: whether somebody
  /// wants an end; then a reader that takes nothing is not waited for. Throws Error(Usage) when it can not be opened.
  EventStream(const std::string& name, std::function<bool()> stop);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// One line, at once: who reads them may act on them. Does nothing once lost().
  void write(const Entry& entry);
  /// |line| has no line end yet.
  void write_line(std::string line);
  /// What can not be written any more; empty: all is well.
  const std::string& lost() const { return lost_; }

 private:
  const std::string name_;
  const std::function<bool()> stop_;
  int out_;
  std::string lost_;
};

}  // namespace flowrun::cli
