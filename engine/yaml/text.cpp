#include "engine/yaml/text.h"

#include <fmt/format.h>

namespace flowrun {
namespace {

constexpr std::size_t kMaxFile = 4 << 20;

/// Offset of the first byte that is not UTF-8 or not text; npos when there is none.
std::size_t find_not_text(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  for (std::size_t i = 0; i < text.size();) {
    unsigned c = byte(i);
    std::size_t size = 1;
    if (c >= 0x80) {
      // Lead bytes, and what overlong forms and surrogates look like: RFC 3629, section 4.
      if (c >= 0xC2 && c <= 0xDF)
        size = 2;
      else if (c >= 0xE0 && c <= 0xEF && !(c == 0xE0 && byte(i + 1) < 0xA0) && !(c == 0xED && byte(i + 1) >= 0xA0))
        size = 3;
      else if (c >= 0xF0 && c <= 0xF4 && !(c == 0xF0 && byte(i + 1) < 0x90) && !(c == 0xF4 && byte(i + 1) >= 0x90))
        size = 4;
      else
        return i;
      for (std::size_t k = 1; k < size; ++k)
        if (!tail(i + k)) return i;
    } else if (c == 0x7F || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
      return i;
    }
    i += size;
  }
  return std::string_view::npos;
}

}  // namespace

bool indented_by_tab(std::string_view line) {
  std::size_t text = line.find_first_not_of(" \t");
  return line.substr(0, std::min(text, line.size())).find('\t') != std::string_view::npos;
}

std::optional<Refusal> refused_bytes(std::string_view text) {
  if (text.size() > kMaxFile)
    return Refusal{"E008", 0, 1, "the file has more than 4 MiB, which is the most that is read"};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return Refusal{"E007", 0, 1, "this file is UTF-16", "save it as UTF-8"};
  if (std::size_t bad = find_not_text(text); bad != std::string_view::npos) {
    unsigned value = static_cast<unsigned char>(text[bad]);
    if (value < 0x80) return Refusal{"E007", bad, 1, fmt::format("byte 0x{:02x}: this is no text file", value), ""};
    return Refusal{"E007", bad, 1, fmt::format("byte 0x{:02x} is not UTF-8", value), "save the file as UTF-8"};
  }
  return std::nullopt;
}

}  // namespace flowrun
