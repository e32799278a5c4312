#include "engine/language/formats.h"

#include <chrono>

namespace flowrun {
namespace {

using namespace std::chrono;

/// Takes |count| digits off; -1 when there are not as many.
int digits(std::string_view& rest, int count) {
  int value = 0;
  for (; count > 0; --count) {
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') return -1;
    value = value * 10 + (rest[0] - '0');
    rest.remove_prefix(1);
  }
  return value;
}

bool take(std::string_view& rest, std::string_view any) {
  if (rest.empty() || any.find(rest[0]) == any.npos) return false;
  rest.remove_prefix(1);
  return true;
}

/// Two digits up to |most| with |before| in front.
int part(std::string_view& rest, std::string_view before, int most) {
  if (!before.empty() && !take(rest, before)) return -1;
  const int value = digits(rest, 2);
  return value > most ? -1 : value;
}

bool take_date(std::string_view& rest, year_month_day& date) {
  const int y = digits(rest, 4), m = part(rest, "-", 12), d = part(rest, "-", 31);
  if (y < 0 || m < 0 || d < 0) return false;
  date = year(y) / static_cast<unsigned>(m) / static_cast<unsigned>(d);
  return date.ok();
}

}  // namespace

bool is_date(std::string_view text) {
  year_month_day date;
  return take_date(text, date) && text.empty();
}

bool is_date_time(std::string_view text) {
  year_month_day date;
  if (!take_date(text, date)) return false;
  const int hour = part(text, "Tt", 23), minute = part(text, ":", 59), second = part(text, ":", 60);
  if (hour < 0 || minute < 0 || second < 0) return false;
  if (take(text, ".")) {
    if (digits(text, 1) < 0) return false;
    while (digits(text, 1) >= 0) {
    }
  }
  minutes offset{0};
  if (!take(text, "Zz")) {
    const bool west = !text.empty() && text[0] == '-';
    const int hours_off = part(text, "+-", 23), minutes_off = part(text, ":", 59);
    if (hours_off < 0 || minutes_off < 0) return false;
    offset = hours(hours_off) + minutes(minutes_off);
    if (west) offset = -offset;
  }
  if (!text.empty()) return false;
  if (second < 60) return true;
  const auto next = sys_days(date) + hours(hour) + minutes(minute) - offset + minutes(1);
  const year_month_day behind(floor<days>(next));
  return next == floor<days>(next) && behind.day() == day(1) && (behind.month() == January || behind.month() == July);
}

}  // namespace flowrun
