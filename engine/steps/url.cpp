#include "engine/steps/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace flowrun {
namespace {

struct Parts {
  std::string_view scheme;  ///< with its `:`; empty: none
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
};

Parts parts_of(std::string_view url) {  // RFC 3986, appendix B
  Parts parts;
  url = without_fragment(url);
  std::size_t end = url.find_first_of(":/?");
  if (end != url.npos && end > 0 && url[end] == ':' && std::isalpha(static_cast<unsigned char>(url[0]))) {
    parts.scheme = url.substr(0, end + 1);
    url.remove_prefix(end + 1);
  }
  if (std::size_t question = url.find('?'); question != url.npos) {
    parts.query = url.substr(question + 1);
    url = url.substr(0, question);
  }
  if (url.starts_with("//")) {
    std::size_t slash = std::min(url.find('/', 2), url.size());
    parts.authority = url.substr(2, slash - 2);
    url.remove_prefix(slash);
  }
  parts.path = url;
  return parts;
}

/// Section 5.2.4, segment by segment.
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    std::size_t end = std::min(path.find('/', 1), path.size());
    std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "/." || segment == "/..") {
      if (segment == "/..") out.erase(std::min(out.rfind('/'), out.size()));
      if (path.empty()) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

std::string composed(std::string_view scheme, std::string_view authority, std::string_view path,
                     const std::optional<std::string_view>& query) {
  std::string url(scheme);
  for (char& c : url) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  url += fmt::format("//{}{}", authority, path);
  if (query) url += fmt::format("?{}", *query);
  return url;
}

/// As a server reads the name of a parameter.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto digit = [&](std::size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '%' && digit(i + 1) && digit(i + 2)) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void append_encoded(std::string& out, std::string_view text) {
  for (char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

std::string_view without_fragment(std::string_view url) { return url.substr(0, url.find('#')); }

std::string resolve_reference(std::string_view base, std::string_view reference) {
  Parts from = parts_of(base), to = parts_of(reference);
  std::string_view authority = from.authority.value_or("");
  if (!to.scheme.empty()) {
    if (!to.authority) return std::string(without_fragment(reference));  // mailto: and the like
    return composed(to.scheme, *to.authority, without_dots(to.path), to.query);
  }
  if (to.authority) return composed(from.scheme, *to.authority, without_dots(to.path), to.query);
  if (to.path.empty()) return composed(from.scheme, authority, from.path, to.query ? to.query : from.query);
  if (to.path.front() == '/') return composed(from.scheme, authority, without_dots(to.path), to.query);
  std::string merged(from.path.substr(0, from.path.rfind('/') + 1));
  if (merged.empty()) merged = "/";
  merged += to.path;
  return composed(from.scheme, authority, without_dots(merged), to.query);
}

SecretText with_parameter(const SecretText& url, std::string_view name, std::string_view value) {
  const std::string& text = url.text;
  SecretText out;
  // A placeholder between two parts belongs to the one before it: what parts them stands behind the placeholder.
  auto keep = [&](std::size_t begin, std::size_t end) {
    for (const Placeholder& placeholder : url.placeholders)
      if (placeholder.at >= begin && placeholder.at <= end) {
        out.placeholders.push_back(placeholder);
        out.placeholders.back().at = out.text.size() + placeholder.at - begin;
      }
    out.text.append(text, begin, end - begin);
  };
  const std::size_t question = std::min(text.find('?'), text.size());
  keep(0, question);
  char separator = '?';
  for (std::size_t begin = question + 1; begin < text.size();) {
    const std::size_t end = std::min(text.find('&', begin), text.size());
    const std::string_view parameter = std::string_view(text).substr(begin, end - begin);
    if (decoded(parameter.substr(0, parameter.find('='))) != name) {
      out.text += std::exchange(separator, '&');
      keep(begin, end);
    }
    begin = end + 1;
  }
  out.text += separator;
  append_encoded(out.text, name);
  out.text += '=';
  append_encoded(out.text, value);
  return out;
}

}  // namespace flowrun
