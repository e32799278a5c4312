// Why steps are stopped: the words of the journal, and what is said of them. Knows no step.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace flowrun::cli {

/// Why steps are stopped, as the journal says it, and in words. {} is the group that was decided, failed or ran out of
/// time.
struct StopReason {
  std::string_view word;
  const char* text;
  const char* change;
};
constexpr std::array kStopReasons = {
    StopReason{"lost", "{} was decided without it", ""},
    StopReason{"fail_fast", "something else in {} had failed, and `fail_fast: true` cancels what runs",
               "`fail_fast: false` or -k lets the others go on"},
    StopReason{"drain", "something else in {} had failed, and nothing new is begun then",
               "`fail_fast: false` or -k begins the others all the same"},
    StopReason{"timeout", "the `timeout` of {} was over", "a longer `timeout`"},
    StopReason{"deadline", "the `deadline` of {} was over", "a longer `deadline`"},
    StopReason{"cancelled", "{} was cancelled", ""},
    StopReason{"suspend", "the run was being suspended", ""},
};

inline const StopReason* known_reason(std::string_view word) {
  const auto found =
      std::find_if(kStopReasons.begin(), kStopReasons.end(), [&](const StopReason& one) { return one.word == word; });
  return found == kStopReasons.end() ? nullptr : &*found;
}

}  // namespace flowrun::cli
