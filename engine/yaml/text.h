// The text of a YAML file before YAML: its lines, its bytes, its limits. Knows no YAML.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/diagnostics.h"

namespace flowrun {

/// Lists and maps within each other.
constexpr std::size_t kMaxYamlDepth = 64;

/// Why a file can not be read. Thrown within the reader.
struct Refusal {
  std::string code;
  std::size_t offset;
  int length;
  std::string message;
  std::string suggestion = "";
};

/// The file's text, and where its lines begin.
class YamlText {
 public:
  explicit YamlText(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
      starts_.push_back(at + 1);
  }
  std::string_view all() const { return text_; }
  char at(std::size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }
  Position position(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    // Mostly it is near to the one before.
    const auto begins = [&](std::size_t line) {
      return line < starts_.size() ? starts_[line] : std::string_view::npos;
    };
    std::size_t line = near_;
    for (int i = 0; i < 3 && offset >= begins(line + 1); ++i) ++line;
    if (offset < begins(line) || offset >= begins(line + 1))
      line = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), offset) - starts_.begin()) - 1;
    near_ = line;
    return {static_cast<int>(line) + 1, static_cast<int>(offset - starts_[line]) + 1};
  }
  std::size_t offset(Position at) const { return start(at.line) + static_cast<std::size_t>(at.column - 1); }
  std::string_view line(int number) const {
    std::size_t index = static_cast<std::size_t>(number) - 1;
    if (number < 1 || index >= starts_.size()) return {};
    std::string_view found = text_.substr(starts_[index], text_.find('\n', starts_[index]) - starts_[index]);
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
  }
  std::size_t start(int number) const { return starts_[static_cast<std::size_t>(number) - 1]; }
  int lines() const { return static_cast<int>(starts_.size()); }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
  mutable std::size_t near_ = 0;  ///< the line of the newest position
};

/// True when a tab is among the blanks that |line| begins with.
bool indented_by_tab(std::string_view line);

/// What is wrong with the bytes, before YAML is asked.
std::optional<Refusal> refused_bytes(std::string_view text);

}  // namespace flowrun
