// A program at a terminal of its own, and what a person sees there.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/fake_terminal.h"

namespace flowrun::test {

class Watched {
 public:
  /// |env|: VARIABLE=VALUE on top of ours. |cwd|: empty: ours.
  Watched(std::vector<std::string> argv, std::size_t columns, std::size_t rows, std::vector<std::string> env = {},
          const std::string& cwd = "");
  ~Watched();  ///< killed if it still runs
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  /// Reads until |enough| says so or the program is over, at most a minute.
  bool until(const std::function<bool()>& enough);
  std::string all() const { return screen.history() + screen.text(); }
  bool shows(const std::string& text);
  /// Reads to its end; its exit code, or 128 + signal.
  int finish();
  void resize(std::size_t columns, std::size_t rows);
  void type(const std::string& text);
  int pid() const { return pid_; }
  /// How many it has written.
  std::size_t bytes() const { return bytes_; }

  Terminal screen;

 private:
  int master_ = -1;
  pid_t pid_ = -1;
  std::size_t bytes_ = 0;
};

}  // namespace flowrun::test
