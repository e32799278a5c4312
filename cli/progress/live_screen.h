// The lines at the bottom of a terminal that are drawn again and again. What is above them is the terminal's own and
// scrolls. Asks the terminal nothing, never hides the cursor and never leaves the normal screen, so there is nothing to
// restore when the process dies. Knows nothing of runs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace flowrun::cli {

struct ScreenSize {
  std::size_t columns = 80, rows = 24;
};

/// A line as it is written, with its escape sequences, and how many columns it takes.
struct ScreenLine {
  std::string text;
  std::size_t columns = 0;
  /// How many rows it takes in a terminal of |width| columns, which wraps it.
  std::size_t rows(std::size_t width) const { return columns <= width ? 1 : (columns + width - 1) / width; }
};

class LiveScreen {
 public:
  /// |out|: a terminal. |progress|: it takes OSC 9;4, the share that a taskbar shows. At most one at a time: what
  /// stops the process finds it.
  LiveScreen(int out, bool progress);
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  ScreenSize size() const;
  /// Whether a frame can be written without waiting: a terminal that was stopped (Ctrl-S) takes nothing.
  bool takes() const;
  /// |scrolled| stay above, |lines| replace those of the frame before. |percent|: of the whole, below 0: not known.
  /// A frame equal to the one before writes nothing.
  void draw(const std::vector<ScreenLine>& scrolled, const std::vector<ScreenLine>& lines, int percent);
  /// Takes the lines away, so that others can write where they were.
  void erase();

 private:
  void write(const std::string& bytes);
  /// How many rows the frame takes, in a terminal that may be narrower by now and has wrapped it.
  std::size_t rows_drawn(std::size_t columns) const;
  std::string erasing(std::size_t columns) const;
  void forget_if_stopped();

  const int out_;
  const bool progress_;
  std::vector<ScreenLine> drawn_;
  int percent_ = -1;
};

}  // namespace flowrun::cli
