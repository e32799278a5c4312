// Runs whose attempts are carried out through a Restate server: what --on says, and by which names the server knows
// the attempts of a run. The door of the room restate for the rest of flowrun.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/model/entry.h"
#include "engine/model/error.h"

namespace flowrun {

/// The text of --on or its variable, as |option| names it, as the journal has it: `here`, or both addresses. Throws
/// Error(Usage).
std::string checked_place(const std::string& text, std::string_view option);

/// That -j is given where it bounds nothing.
Error jobs_elsewhere();

/// Names the attempts of a run by the entries with which they began: no two attempts have the same name, and one that
/// is begun again because nobody has seen its end keeps it. Fed with all entries of the run in order.
class CallNames {
 public:
  void see(const Entry& entry);
  /// Of the attempt in flight at |path|; empty: it is on this machine, or has no entry.
  std::string of(const std::string& seed, const std::string& path) const;

 private:
  struct Begun {
    std::int64_t seq = 0;
    bool again = false;  ///< the next start at this path goes on with it
  };
  void go(const std::string& on);

  bool elsewhere_ = false;
  std::unordered_map<std::string, Begun> begun_;  ///< by path
};

}  // namespace flowrun
