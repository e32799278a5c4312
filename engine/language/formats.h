// Dates as RFC 3339 has them: what `format` of JSON Schema checks. Knows no clock and no zone.
#pragma once

#include <string_view>

namespace flowrun {

/// `2026-02-28`: a full-date of a day that there is.
bool is_date(std::string_view text);
/// `2026-02-28T13:45:00.5+01:00`: a date-time. Second 60 only where a leap second may be: at the end of June and
/// December in UTC (RFC 3339, 5.7).
bool is_date_time(std::string_view text);

}  // namespace flowrun
