// What views make of an entry: trees of its data, and errors that name it. Replays read by to_event instead.
#pragma once

#include <string>

#include "engine/model/entry.h"
#include "engine/model/value.h"

namespace flowrun {

/// Throws Corruption: |entry| is not as any version writes it.
[[noreturn]] void damaged(const Entry& entry, const std::string& what);

/// entry.data as a tree. Corruption when it is no object, or when one of its own numbers is none that is counted.
Json data_of(const Entry& entry);

/// |read|(), with a view of |entry|; a member that is not what it should be becomes Corruption that names the entry.
template <class Read>
decltype(auto) reading(const Entry& entry, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    damaged(entry, error.what());
  }
}

}  // namespace flowrun
