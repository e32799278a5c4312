// The two halves of entry.cpp. Only for the files of this room.
#pragma once

#include <fmt/format.h>

#include "engine/model/entry.h"
#include "engine/model/entry_reading.h"
#include "engine/model/error.h"

namespace flowrun {

/// Fills path, attempt, data and value.
void write_fact(Entry& entry, const Fact& fact);
/// The inverse, for the alternative of that number.
Fact read_fact(const Entry& entry, std::size_t alternative);

/// A replay does not read decisions back, only their answers (answers_of): it makes them again.
void write_decision(Entry& entry, const Decision& decision);

/// `'ended' of pay, attempt 2`
std::string name_of(const Entry& entry);

/// |read|(), with the members of |entry|; what they should not be becomes Corruption that names the entry.
template <class Read>
auto reading_members(const Entry& entry, Read&& read) {
  try {
    return read();
  } catch (const Corruption& error) {
    throw Corruption(fmt::format("entry {}, {}: {}", entry.seq, name_of(entry), error.what()));
  } catch (const Json::exception& error) {
    damaged(entry, error.what());
  }
}

}  // namespace flowrun
