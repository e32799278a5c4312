#include "engine/model/path.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/hash.h"

namespace flowrun {

namespace {

constexpr std::size_t kLongestKey = 80;

// More than files and steps nested as deep as the reader takes them can make, with the longest names and keys.
constexpr std::size_t kLongestPath = 131072, kMostParts = 1500;

// What remains of a longer key: at least kCut - 3 bytes (a character or an escape is not split), `~` and 32 digits.
// That is more than kLongestKey, so a cut key equals no key that was short enough to stay whole.
constexpr std::size_t kCut = 52;
static_assert(kCut - 3 + 1 + 32 > kLongestKey);

bool must_escape(std::string_view key, std::size_t i) {
  const auto byte = static_cast<unsigned char>(key[i]);
  if (byte < 0x20 || byte == 0x7f || byte == '%' || byte == '/' || byte == '[' || byte == ']') return true;
  // U+0080 to U+009F are control characters too, and some terminals obey them.
  const auto is_c1 = [&](std::size_t at) {
    return at + 1 < key.size() && key[at] == '\xc2' && static_cast<unsigned char>(key[at + 1]) >= 0x80 &&
           static_cast<unsigned char>(key[at + 1]) < 0xa0;
  };
  return is_c1(i) || (i > 0 && is_c1(i - 1));
}

std::string escape(std::string_view key) {
  std::string text;
  text.reserve(key.size());
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (must_escape(key, i))
      text += fmt::format("%{:02X}", static_cast<unsigned char>(key[i]));
    else
      text += key[i];
  }
  return text;
}

/// The longest whole number of characters and escapes in the first kCut bytes.
std::size_t place_to_cut(std::string_view escaped) {
  std::size_t end = kCut;
  if (escaped[end - 1] == '%') return end - 1;
  if (escaped[end - 2] == '%') return end - 2;
  for (int i = 0; i < 3 && (escaped[end] & 0xc0) == 0x80; ++i) --end;
  return end;
}

}  // namespace

std::string child_path(std::string_view parent, std::string_view name) {
  std::string path;
  path.reserve(parent.size() + 1 + name.size());
  path += parent;
  if (!parent.empty()) path += '/';
  path += name;
  return path;
}

std::string item_path(std::string_view parent, std::string_view key) {
  std::string escaped = escape(key);
  if (escaped.size() > kLongestKey) {
    escaped.resize(place_to_cut(escaped));
    escaped += '~';
    escaped += hash_name(key);
  }
  std::string path;
  path.reserve(parent.size() + 2 + escaped.size());
  path += parent;
  path += '[';
  path += escaped;
  path += ']';
  return path;
}

bool may_be_path(std::string_view text) {
  const auto parts = [&] {
    return std::count_if(text.begin(), text.end(), [](char c) { return c == '/' || c == '['; });
  };
  return text.size() <= kLongestPath && static_cast<std::size_t>(parts()) <= kMostParts;
}

bool is_below(std::string_view path, std::string_view above) {
  if (above.empty()) return true;
  if (!path.starts_with(above)) return false;
  return path.size() == above.size() || std::string_view("/[.").find(path[above.size()]) != std::string_view::npos;
}

std::string without_keys(std::string_view path) {
  std::string step;
  bool in_key = false;
  for (char c : path) {
    in_key = in_key || c == '[';
    if (!in_key) step += c;
    in_key = in_key && c != ']';
  }
  return step;
}

}  // namespace flowrun
