// What the processes of a run say while it is driven here: the file that it is written to, read on from where the last
// look has ended. What one says beyond the beginning that is kept there comes when it is over. Prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/run/run_log.h"

namespace flowrun {

class LogTail {
 public:
  using Take = std::function<void(const LogLine&)>;

  /// |folder|: of the run; it may not be there yet. What it holds already was said before.
  explicit LogTail(std::string folder);
  ~LogTail();
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

  /// Takes the lines that were finished since the last look.
  void look(const Take& take);
  /// After look(): |attempt| of |step| has ended, so that what it has begun of a line is one.
  void finish(const std::string& step, int attempt, const Take& take);

 private:
  struct Stream {
    std::uint64_t seen = 0;  ///< bytes, from its beginning on
    Instant began{};         ///< the line that is not finished
    std::string line;
  };
  struct Process {
    std::string step;
    int attempt = 0;
    Stream out{}, err{};
  };

  bool is_open();
  /// |bytes| that |of| tells the rest of.
  void add(Stream& stream, const LogLine& of, std::string_view bytes, const Take& take);
  void flush(Stream& stream, const LogLine& of, const Take& take);

  const std::string folder_;
  int file_ = -1;
  std::uint64_t read_ = 0;  ///< bytes of the file
  std::map<std::string, Process> processes_;
};

}  // namespace flowrun
