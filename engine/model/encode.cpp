#include "engine/model/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "engine/model/value.h"

namespace flowrun {

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string percent_encoded(std::string_view bytes, std::string_view kept) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (char c : bytes) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
                 c == '_' || c == '~' || kept.find(c) != kept.npos;
    auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string sendable_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == url.npos ? 0 : scheme + 3;
  const std::size_t behind = std::min(url.find_first_of("/?#", host), url.size());
  return std::string(url.substr(0, behind)) + percent_encoded(url.substr(behind), ":/?#[]@!$&'()*+,;=%");
}

std::string header_fault(std::string_view name, std::string_view value) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2
  const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || kMarks.find(static_cast<char>(c)) != kMarks.npos;
  });
  const std::string shown = shortened(name, 60);
  if (!token) return fmt::format("`{}` can not be the name of a header", shown);
  for (std::string_view framing : {"content-length", "transfer-encoding"})
    if (std::equal(name.begin(), name.end(), framing.begin(), framing.end(),
                   [](unsigned char a, char b) { return std::tolower(a) == b; }))
      return fmt::format("header `{}` follows from the body, and can not be another", shown);
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }))
    return fmt::format("header `{}` has a line break or another control character in it", shown);
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!value.empty() && (is_blank(value.front()) || is_blank(value.back())))
    return fmt::format("header `{}` has a blank at an end of its value, which would not arrive", shown);
  return "";
}

}  // namespace flowrun
