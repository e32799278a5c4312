// An entry as it lies in the journal, lent for one look: of a million of them no copy is made.
#pragma once

#include <string_view>

#include "engine/model/entry.h"

namespace flowrun {

struct EntryView {
  std::int64_t seq = 0;
  Instant at{};
  EntryKind kind{};
  std::string_view path;
  int attempt = 0;
  std::string_view data;
  std::string_view value;  ///< JSON; empty: none

  Entry copy() const {
    return {seq, at, kind, std::string(path), attempt, std::string(data), Value::from_text(std::string(value))};
  }
};

}  // namespace flowrun
