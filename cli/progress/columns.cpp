#include "cli/progress/columns.h"

#include <clocale>
#include <cwchar>

#include <algorithm>

namespace flowrun::cli {
namespace {

/// The width of characters is that of glibc's table for UTF-8, whatever the locale of the process is.
class Utf8Locale {
 public:
  Utf8Locale() : before_(uselocale(utf8())) {}
  ~Utf8Locale() { uselocale(before_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;  // null: the locale of the process stays
  }
  locale_t before_;
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

/// Calls |take|(bytes, columns) for each character until that returns false. A byte that is no UTF-8 counts as one.
template <typename Take>
void each_character(std::string_view text, Take take) {
  Utf8Locale locale;
  while (!text.empty()) {
    std::mbstate_t state{};
    wchar_t wide = 0;
    std::size_t size = std::mbrtowc(&wide, text.data(), text.size(), &state);
    int columns = 1;
    if (size == 0 || size > text.size()) {
      size = 1;
    } else if (const int known = wcwidth(wide); known >= 0) {
      columns = known;
    }
    if (!take(size, static_cast<std::size_t>(columns))) return;
    text.remove_prefix(size);
  }
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  if (is_ascii(text)) return text.size();
  std::size_t sum = 0;
  each_character(text, [&](std::size_t, std::size_t columns) {
    sum += columns;
    return true;
  });
  return sum;
}

std::string cut_to_columns(std::string_view text, std::size_t most, std::string_view mark) {
  if (columns_of(text) <= most) return std::string(text);
  const std::size_t marked = columns_of(mark);
  if (marked > most) return {};
  std::size_t bytes = 0, used = 0;
  each_character(text, [&](std::size_t size, std::size_t columns) {
    if (used + columns > most - marked) return false;
    bytes += size;
    used += columns;
    return true;
  });
  return std::string(text.substr(0, bytes)).append(mark);
}

std::string padded_to_columns(std::string text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  if (used < columns) text.append(columns - used, ' ');
  return text;
}

}  // namespace flowrun::cli
