#include "engine/model/time.h"

#include <fmt/format.h>

#include <charconv>

namespace flowrun {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

/// From long to short, the order in which a spelling has them.
constexpr Unit kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

/// A century. What is longer is a slip of the finger, and sums with instants stay far from overflow.
constexpr std::int64_t kLongestSpan = 36'525 * kUnits[0].ms;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return {};
  std::int64_t total = 0;
  const Unit* unit = kUnits;  // the first that may still come: 1h30m, not 30m1h or 1h1h
  while (!text.empty()) {
    std::int64_t count = 0;
    if (!is_digit(text[0])) return {};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc()) return {};
    text.remove_prefix(end - text.data());

    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    while (unit != std::end(kUnits) && unit->name != text.substr(0, letters)) ++unit;
    if (unit == std::end(kUnits) || count > kLongestSpan / unit->ms) return {};
    total += count * unit->ms;
    if (total > kLongestSpan) return {};
    text.remove_prefix(letters);
    ++unit;
  }
  return Duration(total);
}

std::string to_string(Duration span) {
  std::int64_t rest = span.count();
  if (rest == 0) return "0s";
  if (rest < 0) return "-" + to_string(-span);
  std::string text;
  for (const Unit& unit : kUnits) {
    if (rest < unit.ms) continue;
    text += std::to_string(rest / unit.ms);
    text += unit.name;
    rest %= unit.ms;
  }
  return text;
}

std::string to_display(Duration span) {
  // Cut off, not rounded, so that 59.9 s never reads as a minute that has not passed.
  const std::int64_t ms = span.count();
  if (ms < 0) return "-" + to_display(-span);
  if (ms < 10'000) return fmt::format("{}.{:02}s", ms / 1000, ms % 1000 / 10);
  const std::int64_t s = ms / 1000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

std::string timestamp(Instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::int64_t ms = (at - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), ms / 3'600'000,
                     ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

}  // namespace flowrun
