// What views make of an entry: the struct of its kind, or a tree of its data, and errors that name it. Replays read by
// to_event instead.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/entry.h"
#include "engine/model/value.h"

namespace flowrun {

/// Throws Corruption: |entry| is not as any version writes it.
[[noreturn]] void damaged(const Entry& entry, const std::string& what);

/// The fact or decision that |entry| tells of; a task without its work, of which input_of() has what is kept.
/// REQUIRES: |entry| is of the kind of that name, or a LateEnd for a TaskEnded. Throws Corruption that names the entry
/// and the member which is not as any version writes it.
template <class What>
What as(const Entry& entry);
/// What the task of a StartTask was asked for, as JSON text; of a long one its size and hash; empty: it does not say.
std::string_view input_of(const Entry& start);

enum class Work { Process, Request, Unknown };
/// What the StartTask |start| begins. Unknown: its input is long, and only its size and hash are kept.
Work work_of(const Entry& start);

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
