// What the answer to a call means: the result of an attempt, or one of the documented failures. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/model/event.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"
#include "engine/restate/requests.h"

namespace flowrun::restate {

/// What the server says of a call that brought no answer: its handler has failed for good, or somebody has ended it.
Failure failure_of_call(int code, const std::string& said, const std::string& service);

/// How attempt |attempt| at |path| has ended, by |text|, the answer of |service|. Where that tells nothing of the sort,
/// a failure at |otherwise|.
Event event_of_answer(std::string_view text, const std::string& path, int attempt, const std::string& service,
                      Instant otherwise);

/// Whether |answer| says nothing of the attempt, only of the way there: the same call is sent again.
bool is_to_be_sent_again(const Answer& answer);

/// The result of |task|, which began |took| ago. REQUIRES: it is not to be sent again.
Result result_of(const Answer& answer, const Task& task, Duration took);

}  // namespace flowrun::restate
