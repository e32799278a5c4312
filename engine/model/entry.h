// One row of the journal: a fact or a decision, flat. The text form is public, flowrun-journal(5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/decision.h"
#include "engine/model/entry_kind.h"
#include "engine/model/event.h"

namespace flowrun {

struct Entry {
  std::int64_t seq = 0;  ///< from 1 within a run; 0: not appended yet
  Instant at{};
  EntryKind kind{};
  std::string path;
  int attempt = 0;
  std::string data = "{}";  ///< JSON object, compact
  /// The result that the entry brings, if any: of `ended`, `settled`, `items`, `run_ended`. Null: none.
  Value value;
};

/// |late|: the end of a task that nobody waits for any more.
Entry to_entry(const Event& event, bool late = false);
Entry to_entry(const Decision& decision, Instant at);
/// REQUIRES: is_fact(entry.kind). Throws Corruption on data that no version wrote.
Event to_event(const Entry& entry);
/// The answers kept in the entry of a decision.
std::vector<Answer> answers_of(const Entry& entry);
/// Empty when both say the same: kind, path, attempt and what decides of the data. Else what differs, for people.
std::string difference(const Entry& recorded, const Entry& recomputed);

}  // namespace flowrun
