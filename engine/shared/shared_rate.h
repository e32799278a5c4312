// When steps of a pool were started, by all drives that share it: kept in the file of a SharedFile. Knows no line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/model/time.h"
#include "engine/shared/shared_file.h"

namespace flowrun {

/// Times are nanoseconds of CLOCK_BOOTTIME. What an earlier boot of the machine has left counts for nothing. To be used
/// by the first of the pool's line only, so that nobody else changes it meanwhile.
class SharedRate {
 public:
  /// |file| is lent.
  SharedRate(SharedFile& file, std::string_view name);

  static std::int64_t now();
  /// When the next may start, of |rate| in any span of |per|. Nothing: ask again.
  std::optional<std::int64_t> opens(std::int64_t rate, Duration per);
  /// One starts at |now|. False: that can not be written down, so it must not. REQUIRES: opens() has said so.
  bool start(std::int64_t rate, Duration per, std::int64_t now);

 private:
  struct Head {
    std::uint64_t name = 0, boot = 0;
    std::int64_t token = 0;    ///< when the rate, spread evenly, allows the next start
    std::uint64_t starts = 0;  ///< how many there were
  };
  /// Finds its record, or takes one.
  bool find();
  std::int64_t at_start(std::uint64_t number) const;

  SharedFile& file_;
  const std::uint64_t name_, boot_;
  std::optional<std::int64_t> at_;  ///< of its record in the file
  Head head_;
};

}  // namespace flowrun
