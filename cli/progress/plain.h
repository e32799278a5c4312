// Progress as plain lines on standard error, one a change, columns that stay. Moves no cursor.
#pragma once

#include <string>
#include <unordered_map>

#include "cli/render.h"
#include "engine/model/entry.h"

namespace flowrun::cli {

class PlainProgress {
 public:
  /// |silent|: nothing is written.
  explicit PlainProgress(bool silent) : silent_(silent) {}

  void entry(const Entry& entry);
  /// Says something of the run itself.
  void note(const std::string& text);
  /// To be called now and then: after 60 s of silence it says what runs, because CI systems end silent jobs.
  void heartbeat(Instant now, std::size_t in_flight, std::size_t waiting);

 private:
  void line(Instant at, const std::string& what, const std::string& step, const std::string& detail);

  bool silent_;
  Instant last_{};
  std::unordered_map<std::string, bool> running_;
};

}  // namespace flowrun::cli
