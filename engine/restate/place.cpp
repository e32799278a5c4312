#include "engine/restate/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/model/diagnostics.h"
#include "engine/model/error.h"

namespace flowrun::restate {
namespace {

constexpr std::string_view kForm = "write restate=http://HOST:8080[,admin=http://HOST:9070], or here";

/// The parts of `scheme://host[:port][/path]`; no host: it is no such URL.
struct Address {
  std::string scheme, host, port, path;
};

Address address_of(std::string_view url) {
  Address address;
  const std::size_t colon = url.find("://");
  if (colon == url.npos) return {};
  address.scheme = url.substr(0, colon);
  if (address.scheme != "http" && address.scheme != "https") return {};
  url.remove_prefix(colon + 3);
  if (url.find_first_of("?#@\\ \t\"<>") != url.npos) return {};
  if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c < 0x21 || c > 0x7e; })) return {};
  const std::size_t slash = std::min(url.find('/'), url.size());
  std::string_view authority = url.substr(0, slash);
  address.path = url.substr(slash);
  while (address.path.ends_with('/')) address.path.pop_back();
  // The address of IPv6 has colons, and brackets around them.
  const std::size_t bracket = authority.rfind(']');
  const std::size_t port = authority.rfind(':');
  if (port != authority.npos && (bracket == authority.npos || port > bracket)) {
    address.port = authority.substr(port + 1);
    authority = authority.substr(0, port);
    if (address.port.empty() || address.port.size() > 5 || std::stoi("0" + address.port) > 65535 ||
        !std::all_of(address.port.begin(), address.port.end(), [](unsigned char c) { return std::isdigit(c); }))
      return {};
  }
  address.host = authority;
  return address;
}

std::string url_of(const Address& address) {
  return fmt::format("{}://{}{}{}{}", address.scheme, address.host, address.port.empty() ? "" : ":", address.port,
                     address.path);
}

[[noreturn]] void refuse(std::string_view option, const std::string& why) {
  throw Error(Problem::Usage, fmt::format("{}{}", option, why));
}

std::string checked_url(const std::string& name, const std::string& url, std::string_view option) {
  if (url.find('@') != url.npos)
    refuse(option, fmt::format(": the URL of `{}` has a user or password in it, which the journal would keep", name));
  const Address address = address_of(url);
  if (address.host.empty())
    refuse(option, fmt::format(": `{}={}` is no http or https URL; for example {}=http://127.0.0.1:{}", name, url, name,
                               name == "admin" ? 9070 : 8080));
  return url_of(address);
}

}  // namespace

Place place_from(const std::string& text, std::string_view option) {
  if (text == "here") return {};
  Place place;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    const std::size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    if (equals == part.npos || (name != "restate" && name != "admin")) {
      if (part.starts_with("http://") || part.starts_with("https://"))
        refuse(option,
               fmt::format(" {}: did you mean {}={}?", text, place.ingress.empty() ? "restate" : "admin", part));
      const std::string near = nearest(name, {"restate", "admin", "here"});
      refuse(option, fmt::format(" {}: {}{}", text, near.empty() ? "" : "did you mean `" + near + "`? ", kForm));
    }
    std::string& url = name == "restate" ? place.ingress : place.admin;
    if (!url.empty()) refuse(option, fmt::format(" {}: `{}` is there twice", text, name));
    url = checked_url(name, part.substr(equals + 1), option);
  }
  if (place.ingress.empty()) refuse(option, fmt::format(" {}: `restate` is missing; {}", text, kForm));
  if (place.admin.empty()) {
    Address address = address_of(place.ingress);
    address.port = "9070";
    address.path.clear();
    place.admin = url_of(address);
  }
  return place;
}

std::string to_text(const Place& place) {
  return place.is_here() ? "" : fmt::format("restate={},admin={}", place.ingress, place.admin);
}

}  // namespace flowrun::restate
