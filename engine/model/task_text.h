// A task whole, as text that another machine reads. Of secrets it has the names and places, never a value. What of a
// task is journaled is shorter: see to_json_text in task.h.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/event.h"
#include "engine/model/task.h"

namespace flowrun {

/// An object. `traceparent` is in it; `call` and `pool`, which only say how it gets there, are not.
std::string task_text(const Task& task);
/// The inverse; members that are not known are ignored. Throws Corruption for what is no such text.
Task task_from_text(std::string_view text);

/// How an attempt ended: {at, path, attempt, data, value}, the last two as the journal has them.
std::string ended_text(const TaskEnded& ended, Instant at);
/// The inverse. Throws Corruption for what is no such text.
Event ended_from_text(std::string_view text);

}  // namespace flowrun
