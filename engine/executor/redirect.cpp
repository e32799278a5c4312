#include "engine/executor/redirect.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "engine/executor/answer.h"

namespace flowrun {

std::string host_of(const std::string& url) {
  std::size_t begin = url.find("://");
  if (begin == std::string::npos) return url;
  std::string host = in_small_letters(std::string_view(url).substr(0, url.find_first_of("/?#", begin + 3)));
  const std::size_t scheme = begin + 3;
  if (std::size_t at = host.rfind('@'); at != std::string::npos && at >= scheme) host.erase(scheme, at + 1 - scheme);
  for (std::string_view implied : {"http://:80", "https://:443"})
    if (std::string_view port = implied.substr(implied.rfind(':'));
        implied.starts_with(host.substr(0, scheme)) && host.ends_with(port))
      host.erase(host.size() - port.size());
  return host;
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool becomes_get(long status, const std::string& method) {
  // RFC 9110, 15.4: after 303 one looks at the result; 301 and 302 do so to a POST by old custom.
  return (status == 303 && method != "HEAD") || ((status == 301 || status == 302) && method == "POST");
}

bool may_change_hosts(const std::string& name) {
  static const char* const kHarmless[] = {
      "accept",           "accept-charset",      "accept-language", "cache-control", "content-encoding",
      "content-language", "content-type",        "idempotency-key", "if-match",      "if-modified-since",
      "if-none-match",    "if-unmodified-since", "pragma",          "range",         "user-agent"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless), [&](const char* known) { return name == known; });
}

}  // namespace flowrun
