#include "engine/scenario/reading_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "engine/language/formats.h"

namespace flowrun {
namespace {

/// Digits of |text| from |at| on.
int digits(const std::string& text, std::size_t at, std::size_t count) {
  int number = 0;
  std::from_chars(text.data() + at, text.data() + at + count, number);
  return number;
}

/// |text| is `2026-11-23T08:45:12Z`, perhaps with milliseconds before the Z.
std::optional<Instant> instant_from(const std::string& text) {
  if (!text.ends_with("Z") || text.size() < 20 || !is_date_time(text)) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(digits(text, 0, 4)),
                                        std::chrono::month(static_cast<unsigned>(digits(text, 5, 2))),
                                        std::chrono::day(static_cast<unsigned>(digits(text, 8, 2)))};
  if (!day.ok()) return std::nullopt;
  Duration time = std::chrono::hours(digits(text, 11, 2)) + std::chrono::minutes(digits(text, 14, 2)) +
                  std::chrono::seconds(digits(text, 17, 2));
  if (text[19] == '.') time += Duration(digits((text.substr(20, text.size() - 21) + "00").substr(0, 3), 0, 3));
  return Instant(std::chrono::sys_days(day)) + time;
}

}  // namespace

std::string ScenarioValues::text(const Node& node, const char* what) {
  if (node.is_scalar() && node.kind != Node::Kind::Null) return node.text;
  findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be text, not {}", what, node.kind_name()));
  return "";
}

std::optional<Duration> ScenarioValues::duration(const Node& node, const char* what) {
  if (node.is_scalar())
    if (auto span = parse_duration(node.text)) return span;
  findings_.error("E102", node.at, node.text.size(),
                  fmt::format("`{}` must be a duration{}", what,
                              node.is_scalar() ? fmt::format(", and `{}` is none", shortened(node.text, 60))
                                               : fmt::format(", not {}", node.kind_name())),
                  node.kind == Node::Kind::Integer ? fmt::format("with a unit: {0}s or {0}ms", node.text)
                                                   : "for example 250ms, 30s, 2h");
  return std::nullopt;
}

std::optional<Instant> ScenarioValues::instant(const Node& node, const char* what) {
  if (auto at = instant_from(node.text); at && node.is_scalar()) return at;
  findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be a date and time in UTC", what),
                  "for example 2026-11-23T08:45:12Z");
  return std::nullopt;
}

std::optional<std::int64_t> ScenarioValues::number(const Node& node, const char* what, std::int64_t least,
                                                   std::int64_t most) {
  if (node.kind == Node::Kind::Integer) {
    const Json json = node.json();
    if (json.is_number_integer() && json.get<std::int64_t>() >= least && json.get<std::int64_t>() <= most)
      return json.get<std::int64_t>();
  }
  findings_.error("E102", node.at, node.text.size(),
                  fmt::format("`{}` must be a whole number from {} to {}", what, least, most));
  return std::nullopt;
}

std::string ScenarioValues::word(const Node& node, const char* what, const std::vector<std::string>& words) {
  if (node.is_scalar() && std::find(words.begin(), words.end(), node.text) != words.end()) return node.text;
  const std::string near = node.is_scalar() ? nearest(node.text, words) : "";
  findings_.error("E102", node.at, node.text.size(), fmt::format("`{}` must be {}", what, fmt::join(words, " or ")),
                  near.empty() ? "" : "did you mean `" + near + "`?");
  return "";
}

StepPattern ScenarioValues::step(const Node& node, const char* what) {
  if (node.is_string() && !node.text.empty()) return StepPattern(node.text);
  findings_.error("E102", node.at, node.text.size(),
                  fmt::format("`{}` must name a step, and {} is none", what, node.kind_name()),
                  "for example charge, enrich[C-1]/profile, or enrich[*]/*");
  return {};
}

std::string ScenarioValues::said(const Node& node) {
  if (node.kind == Node::Kind::Null) return "";
  if (node.is_string()) return node.text;
  return node.json().dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace flowrun
