#include "cli/progress/live_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/progress/columns.h"
#include "cli/terminal.h"
#include "engine/run/history.h"

namespace flowrun::cli {
namespace {

using RowMark = LiveRow::Mark;

constexpr std::size_t kShortestName = 8;
constexpr std::size_t kIndent = 3;  // a blank, the mark, a blank
constexpr std::array<const char*, 10> kTurning = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr std::array<const char*, 4> kTurningAscii = {"|", "/", "-", "\\"};

struct Sign {
  const char* utf8;
  const char* ascii;
  const char* color;  ///< parameters of SGR
};

Sign sign_of(RowMark mark) {
  switch (mark) {
    case RowMark::Runs:
      return {"", "", "36"};
    case RowMark::Waits:
      return {"?", "?", "1;33"};
    case RowMark::Later:
      return {"·", ".", "2"};
    case RowMark::Ok:
      return {"✓", "+", "32"};
    case RowMark::Failed:
      return {"✗", "x", "1;31"};
    case RowMark::Other:
      return {"-", "-", "33"};
    case RowMark::Note:
      break;
  }
  return {" ", " ", ""};
}

std::string painted(const std::string& text, const char* color, const LiveStyle& style) {
  if (!style.colors || *color == '\0' || text.empty()) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", color, text);
}

/// What may come from outside, as it may be shown in one row.
std::string safe(std::string_view text, const LiveStyle& style) {
  std::string clean = shown(one_line(text, 1000));
  if (style.utf8) return clean;
  // A character that the terminal has no sign for is one question mark.
  std::string ascii;
  for (const char c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) ascii += c;
    if (byte >= 0xC0) ascii += '?';
  }
  return ascii;
}

std::string bar(double share, std::size_t width, const LiveStyle& style) {
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  std::string text;
  for (std::size_t i = 0; i < width; ++i) text += style.utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : ".");
  return style.utf8 ? text : "[" + text + "]";
}

std::size_t bar_columns(std::size_t columns) { return columns >= 100 ? 20 : columns >= 60 ? 10 : 0; }

}  // namespace

std::size_t name_columns(std::size_t longest, std::size_t columns) {
  return std::clamp(longest, kShortestName, std::max(columns / 3, kShortestName));
}

ScreenLine line_of(const LiveRow& row, std::size_t names, std::size_t columns, std::size_t frame,
                   const LiveStyle& style) {
  const char* cut = style.utf8 ? "…" : "..";
  const std::size_t most = std::max<std::size_t>(columns, 2) - 1;
  const Sign sign = sign_of(row.mark);
  const char* mark = row.mark == RowMark::Runs ? (style.utf8 ? kTurning[frame % kTurning.size()]
                                                             : kTurningAscii[frame % kTurningAscii.size()])
                     : style.utf8              ? sign.utf8
                                               : sign.ascii;
  if (row.whole) {
    const std::string all = std::string(kIndent, ' ') + safe(row.text, style);
    return {all, columns_of(all)};
  }
  if (most < kIndent + kShortestName) {
    const std::string only = cut_to_columns(safe(row.name + " " + row.text, style), most, "");
    return {only, columns_of(only)};
  }
  std::string text = " " + painted(mark, sign.color, style) + " ";
  std::size_t used = kIndent;
  const auto put = [&](const std::string& more, const char* color) {
    text += painted(more, color, style);
    used += columns_of(more);
  };
  if (!row.name.empty()) {
    names = std::min(names, most - used);
    const std::string name = safe(row.name, style);
    // A name that is too long runs over into the next column, where there is room.
    put(padded_to_columns(cut_to_columns(name, std::max(names, most * 2 / 3), cut), names),
        row.mark == RowMark::Later ? "2" : "");
  }
  const std::string right = safe(row.right, style);
  const std::size_t for_right = right.empty() ? 0 : columns_of(right) + 2;
  if (used + for_right + 2 < most) {
    const std::size_t room = most - used - for_right - 2;
    std::string said;
    if (row.share && bar_columns(columns) > 0 && room > bar_columns(columns) + 12) {
      put("  " + bar(*row.share, bar_columns(columns), style), "36");
      said = cut_to_columns(safe(row.text, style), most - used - for_right - 2, cut);
    } else {
      said = cut_to_columns(safe(row.text, style), room, cut);
    }
    if (!said.empty()) put(std::string(row.name.empty() ? 0 : 2, ' ') + said, row.mark == RowMark::Later ? "2" : "");
  }
  if (!right.empty() && used + for_right <= most) {
    text.append(most - used - columns_of(right), ' ');
    used = most - columns_of(right);
    put(right, "2");
  }
  return {text, used};
}

}  // namespace flowrun::cli
