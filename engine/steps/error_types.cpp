#include "engine/steps/error_types.h"

#include <algorithm>
#include <array>

namespace flowrun {
namespace {

// flowrun-workflow(5), "Error types": what may well go better next time.
constexpr std::array<std::string_view, 17> kTransient{
    "connect",  "dns",      "timeout",  "killed",   "http.408", "http.425", "http.429", "http.500", "http.502",
    "http.503", "http.504", "http.520", "http.521", "http.522", "http.523", "http.524", "http.529"};

bool is_listed_error(const std::vector<std::string>& patterns, std::string_view type, const Json& error) {
  if (std::any_of(patterns.begin(), patterns.end(), [&](const std::string& one) { return matches(one, type); }))
    return true;
  if (type != "child" && type != "group") return false;
  if (!error.is_object() || !error.contains("causes") || error.contains("more")) return false;
  const Json& causes = error["causes"];
  return causes.is_array() && !causes.empty() && std::all_of(causes.begin(), causes.end(), [&](const Json& cause) {
           const Json of = cause.is_object() ? cause.value("type", Json()) : Json();
           return of.is_string() && is_listed_error(patterns, of.get<std::string>(), cause);
         });
}

}  // namespace

bool is_listed(const std::vector<std::string>& patterns, const Failure& failure) {
  return is_listed_error(patterns, failure.type, failure.detail.json());
}

bool is_refusal(std::string_view type) {
  return matches("http.4xx", type) && !matches("transient", type) && type != "http.409";
}

bool matches(std::string_view pattern, std::string_view type) {
  if (pattern == type) return true;
  if (pattern == "any") return type != "expression" && type != "internal";
  if (pattern == "transient") return std::find(kTransient.begin(), kTransient.end(), type) != kTransient.end();
  std::size_t dot = type.find('.');
  if (dot == std::string_view::npos) return false;
  if (pattern == type.substr(0, dot)) return true;
  // http.5xx
  return pattern.size() == 8 && pattern.substr(6) == "xx" && type.size() == 8 &&
         pattern.substr(0, 6) == type.substr(0, 6);
}

}  // namespace flowrun
