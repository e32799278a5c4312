// Output of processes beyond what the journal keeps: one file a run, framed. Knows neither journal nor steps' meaning.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model/time.h"

namespace flowrun {

struct LogFrame {
  std::string path;
  int attempt = 0;
  bool is_stderr = false;
  Instant at{};
  std::string bytes;
};

/// Appends frames; any thread. The file is made with the first.
class OutputLog {
 public:
  explicit OutputLog(std::string file) : file_(std::move(file)) {}
  ~OutputLog();
  OutputLog(const OutputLog&) = delete;
  OutputLog& operator=(const OutputLog&) = delete;
  /// One write(2) a frame, so that frames of several threads do not mix. A log that can not be written is given up:
  /// it is a convenience, the journal is the truth.
  void append(const std::string& path, int attempt, bool is_stderr, std::string_view bytes);

 private:
  void open_file();

  std::string file_;
  std::mutex mutex_;
  int descriptor_ = -1;
  bool broken_ = false;
};

/// The frames of |file| in order; a torn last one is left out. Empty when there is no file.
std::vector<LogFrame> read_output_log(const std::string& file);

}  // namespace flowrun
