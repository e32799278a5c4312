// Points in time and spans of time as data, and their spellings. Reads no clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace flowrun {

using Duration = std::chrono::milliseconds;
/// Milliseconds since 1970 in UTC.
using Instant = std::chrono::sys_time<Duration>;

/// `250ms`, `30s`, `5m`, `2h`, `7d`, `1h30m`; nothing for anything else, a bare number and more
/// than a century included.
std::optional<Duration> parse_duration(std::string_view text);
/// The shortest spelling that parse_duration reads back: `1h30m`, `250ms`, `0s`.
std::string to_string(Duration span);
/// For people: `0.31s`, `41s`, `6m02s`, `2h05m`, `3d04h`.
std::string to_display(Duration span);
/// RFC 3339 in UTC with milliseconds: `2026-11-23T08:45:12.481Z`.
std::string timestamp(Instant at);

inline std::int64_t to_millis(Instant at) { return at.time_since_epoch().count(); }
inline Instant from_millis(std::int64_t ms) { return Instant(Duration(ms)); }

}  // namespace flowrun
