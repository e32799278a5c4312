// What the answer to a call means: the result of an attempt, or one of the documented failures. Pure.
#pragma once

#include "engine/model/outcome.h"
#include "engine/model/task.h"
#include "engine/restate/requests.h"

namespace flowrun::restate {

/// Whether |answer| says nothing of the attempt, only of the way there: the same call is sent again.
bool is_to_be_sent_again(const Answer& answer);

/// The result of |task|, which began |took| ago. REQUIRES: it is not to be sent again.
Result result_of(const Answer& answer, const Task& task, Duration took);

}  // namespace flowrun::restate
