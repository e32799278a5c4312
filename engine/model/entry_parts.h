// The two halves of entry.cpp. Only for the files of this room.
#pragma once

#include "engine/model/entry.h"

namespace flowrun {

/// Fills path, attempt, data and value. Data is appended to a string and read in slices, never by way of a tree: a
/// run has two entries a step.
void write_fact(Entry& entry, const Fact& fact);
/// The inverse, for the alternative of that number.
Fact read_fact(const Entry& entry, std::size_t alternative);

/// A decision is not read back, only its answers (answers_of): a replay makes it again.
void write_decision(Entry& entry, const Decision& decision);

}  // namespace flowrun
