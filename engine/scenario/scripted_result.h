// What an attempt comes to that a scenario answers: the same result that the executor would have made of such an
// answer or such a process. Pure.
#pragma once

#include "engine/model/outcome.h"
#include "engine/model/task.h"
#include "engine/scenario/scenario_file.h"

namespace flowrun {

/// |now| is when the attempt begins; `took` is the delay of |answer|. REQUIRES: it is no Pass, and fits the kind of
/// work, see fits().
Result scripted_result(const ScriptedAnswer& answer, const Task& task, Instant now);

/// Whether work of this kind can end like this: a process has no status.
bool fits(const ScriptedAnswer& answer, bool process);

}  // namespace flowrun
