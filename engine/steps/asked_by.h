// What an attempt asks of the other side, so that one that goes on in another folder is known again. Starts nothing.
#pragma once

#include "engine/machine/context.h"
#include "engine/model/event.h"
#include "engine/model/task.h"

namespace flowrun {

/// What |task| asks for. A run that goes on in another folder asks a process for the same with other paths, and sends
/// the same file from another place; what a server is sent else is compared as it is.
Context::Asked asked_by(const Task& task, const RunStarted& run);

}  // namespace flowrun
