#include "engine/run/redaction.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>

#include "engine/executor/answer.h"

namespace flowrun {
namespace {

/// How the names of parameters end whose values are keys, in small letters: those of the conventions, and what others
/// call theirs.
constexpr std::string_view kKeyEndings[] = {"key",       "keyid", "token",      "secret",
                                            "signature", "sig",   "credential", "password"};

bool is_key(std::string_view name) {
  const std::string small = in_small_letters(name);
  return std::any_of(std::begin(kKeyEndings), std::end(kKeyEndings), [&](std::string_view ending) {
    // `sig` alone: `design` is none.
    return ending == "sig" ? small == ending : small.ends_with(ending);
  });
}

}  // namespace

std::string url_to_tell(std::string url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t host = scheme + 3;
  const std::size_t at = url.substr(0, url.find_first_of("/?#", host)).rfind('@');
  if (at != std::string::npos && at >= host)
    url.replace(host, at - host,
                url.substr(host, at - host).find(':') == std::string::npos ? "REDACTED" : "REDACTED:REDACTED");
  // Behind `#`, too: there are answers that bring a token so.
  for (std::size_t begin = url.find_first_of("?#"); begin < url.size();) {
    const std::size_t name = begin + 1, end = std::min(url.find_first_of("&#", name), url.size());
    const std::size_t value = std::min(url.find('=', name), end);
    begin = end;
    if (value == end || !is_key(std::string_view(url).substr(name, value - name))) continue;
    url.replace(value + 1, end - value - 1, "REDACTED");
    begin = url.find_first_of("&#", value);
  }
  return url;
}

std::string text_to_tell(const std::string& text) {
  std::string told;
  std::size_t done = 0;
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", done)) {
    // From its scheme to what can not be in it.
    std::size_t begin = at, end = std::min(text.find_first_of(" \t\r\n\"'`<>", at), text.size());
    while (begin > done && std::isalpha(static_cast<unsigned char>(text[begin - 1]))) --begin;
    told.append(text, done, begin - done).append(url_to_tell(text.substr(begin, end - begin)));
    done = end;
  }
  return told.append(text, done);
}

}  // namespace flowrun
