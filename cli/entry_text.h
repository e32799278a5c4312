// An entry of the journal as a line for people, and as a record for `--json` and `--events`. One switch has all kinds.
#pragma once

#include <string>

#include "engine/model/entry.h"

namespace flowrun::cli {

/// One line of `journal show` without its number and time: what happened, step, what is known.
struct EntryLine {
  std::string what;    ///< `start`, `ok`, `failed`, `retry`, ...
  std::string step;    ///< path, or `run`
  std::string detail;  ///< attempt, duration, status, preview, winner
  bool news = true;    ///< false: only the bookkeeping of the machine needs it; progress leaves it out
};
/// |full|: values are not cut. Throws Corruption when |entry| is not as any version writes it.
EntryLine describe(const Entry& entry, bool full);

Json entry_json(const Entry& entry);

}  // namespace flowrun::cli
