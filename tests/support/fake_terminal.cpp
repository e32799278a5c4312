#include "tests/support/fake_terminal.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "cli/progress/columns.h"

namespace flowrun::test {
namespace {

constexpr char kEscape = '\x1b';

/// How many bytes the character takes that begins with |lead|.
std::size_t size_of(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

std::string joined(const std::vector<std::string>& rows) {
  std::string text;
  std::size_t last = rows.size();
  while (last > 0 && rows[last - 1].empty()) --last;
  for (std::size_t i = 0; i < last; ++i) text += rows[i] + "\n";
  return text;
}

}  // namespace

void Terminal::feed(std::string_view bytes) {
  std::string all = std::exchange(rest_, {});
  all += bytes;
  std::string_view left = all;
  while (!left.empty()) {
    const auto lead = static_cast<unsigned char>(left[0]);
    std::size_t size = size_of(lead);
    if (left[0] == kEscape) {
      if (left.size() < 2) break;
      if (left[1] == '[') {
        const std::size_t end = left.find_first_not_of("0123456789;?", 2);
        if (end == left.npos) break;
        control(left.substr(2, end - 2), left[end]);
        size = end + 1;
      } else if (left[1] == ']') {
        const std::size_t end = left.find("\x1b\\");
        if (end == left.npos) break;
        const std::string_view said = left.substr(2, end - 2);
        if (said == "9;4;0") {
          share_ = -1;
        } else if (said.starts_with("9;4;1;")) {
          share_ = std::atoi(std::string(said.substr(6)).c_str());
        } else {
          strange_ += "OSC " + std::string(said) + "; ";
        }
        size = end + 2;
      } else {
        strange_ += "ESC " + std::string(1, left[1]) + "; ";
        size = 2;
      }
    } else if (left[0] == '\r') {
      column_ = 0;
      wraps_ = false;
    } else if (left[0] == '\n') {
      line_feed();
    } else if (lead < 0x20 || lead == 0x7f) {
      strange_ += "control " + std::to_string(lead) + "; ";
    } else {
      if (left.size() < size) break;
      put(left.substr(0, size), cli::columns_of(left.substr(0, size)));
    }
    left.remove_prefix(std::min(size, left.size()));
  }
  rest_ = left;
}

void Terminal::line_feed() {
  wraps_ = false;
  if (++row_ >= rows_) {
    row_ = rows_ - 1;
    gone_.push_back(screen_.front());
    screen_.erase(screen_.begin());
  }
  if (screen_.size() <= row_) screen_.resize(row_ + 1);
}

void Terminal::put(std::string_view character, std::size_t columns) {
  if (columns == 0) {
    if (column_ > 0) screen_[row_][column_ - 1].bytes += character;
    return;
  }
  if (wraps_ || column_ + columns > columns_) {
    column_ = 0;
    line_feed();
  }
  Row& row = screen_[row_];
  if (row.size() < column_ + columns) row.resize(column_ + columns);
  row[column_] = {std::string(character), false};
  for (std::size_t i = 1; i < columns; ++i) row[column_ + i] = {"", true};
  column_ += columns;
  if (column_ == columns_) {
    --column_;
    wraps_ = true;
  }
}

void Terminal::control(std::string_view parameters, char final) {
  const std::size_t number = parameters.empty() ? 1 : std::strtoul(std::string(parameters).c_str(), nullptr, 10);
  switch (final) {
    case 'A':
      row_ -= std::min(row_, number);
      wraps_ = false;
      break;
    case 'K':
      if (screen_[row_].size() > column_) screen_[row_].resize(column_);
      break;
    case 'J':
      if (screen_[row_].size() > column_) screen_[row_].resize(column_);
      screen_.resize(row_ + 1);
      break;
    case 'm':
      break;
    default:
      strange_ += "CSI " + std::string(parameters) + final + "; ";
  }
}

std::string Terminal::text_of(const Row& row) {
  std::string text;
  for (const Cell& cell : row) text += cell.behind ? "" : cell.bytes.empty() ? " " : cell.bytes;
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string Terminal::text() const {
  std::vector<std::string> rows;
  for (const Row& row : screen_) rows.push_back(text_of(row));
  return joined(rows);
}

std::string Terminal::history() const {
  std::vector<std::string> rows;
  for (const Row& row : gone_) rows.push_back(text_of(row));
  return joined(rows);
}

}  // namespace flowrun::test
