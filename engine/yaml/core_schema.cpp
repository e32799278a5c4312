#include "engine/yaml/core_schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace flowrun {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Node::Kind core_kind(std::string_view text) {
  static constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
  static constexpr std::string_view kBooleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
  // Most begin with a letter that none of those below begins with.
  if (!text.empty() && std::string_view("~nNtTfF0123456789+-.").find(text[0]) == std::string_view::npos)
    return Node::Kind::String;
  if (std::find(std::begin(kNulls), std::end(kNulls), text) != std::end(kNulls)) return Node::Kind::Null;
  if (std::find(std::begin(kBooleans), std::end(kBooleans), text) != std::end(kBooleans)) return Node::Kind::Boolean;
  auto all = [](std::string_view digits, const char* set) {
    return !digits.empty() && digits.find_first_not_of(set) == std::string_view::npos;
  };
  if (text.starts_with("0x"))
    return all(text.substr(2), "0123456789abcdefABCDEF") ? Node::Kind::Integer : Node::Kind::String;
  if (text.starts_with("0o")) return all(text.substr(2), "01234567") ? Node::Kind::Integer : Node::Kind::String;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return Node::Kind::Float;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return Node::Kind::Float;
  std::size_t i = 0;
  auto digits = [&] {
    std::size_t from = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i - from;
  };
  std::size_t whole = digits();
  if (whole > 0 && i == text.size()) return Node::Kind::Integer;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() + whole == 0) return Node::Kind::String;
  } else if (whole == 0) {
    return Node::Kind::String;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return Node::Kind::String;
  }
  return i == text.size() ? Node::Kind::Float : Node::Kind::String;
}

std::optional<Json> integer_of(std::string_view text) {
  // Hexadecimal and octal carry no sign in the core schema.
  int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 10;
  std::string_view digits = base == 10 ? text : text.substr(2);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t number = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number, base).ec == std::errc{}) return number;
  std::uint64_t large = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), large, base).ec == std::errc{}) return large;
  return std::nullopt;
}

bool is_finite(std::string_view text) {
  return is_digit(text.back()) ? std::isfinite(std::strtod(std::string(text).c_str(), nullptr)) : text.back() == '.';
}

}  // namespace flowrun
