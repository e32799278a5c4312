// A terminal for tests: takes the bytes that a program writes and knows what a person would see. Understands what the
// live view uses, and says so when it is sent anything else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun::test {

class Terminal {
 public:
  Terminal(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows), screen_(1) {}

  void feed(std::string_view bytes);
  /// What is on the screen, a line a row, without blanks at the ends of lines and empty rows at the end.
  std::string text() const;
  /// The rows that have left it at the top, likewise.
  std::string history() const;
  /// What was sent that it does not understand, or that a program of ours must not send; empty: nothing.
  const std::string& strange() const { return strange_; }
  /// The share of the newest OSC 9;4; below 0: none is shown.
  int share() const { return share_; }

 private:
  struct Cell {
    std::string bytes;  ///< empty: blank, or behind a wide character
    bool behind = false;
  };
  using Row = std::vector<Cell>;

  void put(std::string_view character, std::size_t columns);
  void line_feed();
  void control(std::string_view parameters, char final);
  static std::string text_of(const Row& row);

  std::size_t columns_, rows_;
  std::vector<Row> screen_;  ///< as many rows as were written to
  std::vector<Row> gone_;
  std::size_t row_ = 0, column_ = 0;
  bool wraps_ = false;  ///< the last column was written; what follows goes to the next row
  std::string rest_;    ///< of a sequence that is not whole yet
  std::string strange_;
  int share_ = -1;
};

}  // namespace flowrun::test
