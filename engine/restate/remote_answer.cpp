#include "engine/restate/remote_answer.h"

#include <fmt/format.h>

#include "engine/model/error.h"
#include "engine/model/task_text.h"
#include "engine/restate/step_call.h"

namespace flowrun::restate {
namespace {

Failure failure_told_by(const Answer& answer, const Task& task) {
  const std::string said = message_in(answer.body);
  const std::string service = service_name(task.pool);
  if (answer.source == "invocation") return failure_of_call(answer.status, said, service);
  if (answer.status == 413)
    return {"restate.size", fmt::format("the attempt as a message is too large for the Restate server, or for what "
                                        "stands before it: {}",
                                        answer.why())};
  if (answer.status == 404 && answer.source == "ingress")
    return {"restate.service",
            fmt::format("the Restate server has no service `{}` any more: {}; start a worker, and register it", service,
                        said)};
  return {"restate.refused", fmt::format("the Restate server did not take the call: {}", answer.why())};
}

}  // namespace

Failure failure_of_call(int code, const std::string& said, const std::string& service) {
  // The server's own words for an invocation that somebody has ended.
  if (code == 409 && (said == "killed" || said == "canceled" || said == "cancelled"))
    return {"restate.killed", fmt::format("the invocation was {} on the server, not by this run", said)};
  return {"restate.worker", fmt::format("the worker of service `{}` could not carry it out: {}", service, said)};
}

Event event_of_answer(std::string_view text, const std::string& path, int attempt, const std::string& service,
                      Instant otherwise) {
  Event none{otherwise, TaskEnded{path, attempt, {}}};
  std::optional<Failure>& failure = std::get<TaskEnded>(none.fact).result.failure;
  try {
    Event event = ended_from_text(text);
    const auto& ended = std::get<TaskEnded>(event.fact);
    if (ended.path == path && ended.attempt == attempt) return event;
    failure = Failure{"restate.answer", fmt::format("the answer is that of {}, attempt {}", ended.path, ended.attempt)};
  } catch (const Error& error) {
    failure = Failure{"restate.answer",
                      fmt::format("what service `{}` answers is no result of an attempt: {}; its worker is another "
                                  "program, or another version of flowrun",
                                  service, error.what())};
  }
  return none;
}

bool is_to_be_sent_again(const Answer& answer) {
  if (answer.failure) return answer.failure->type != "parse" && answer.failure->type != "internal";
  if (answer.source == "invocation") return false;
  // 408 and 425 come from what stands before the server, if at all.
  return answer.status == 408 || answer.status == 425 || answer.status == 429 || answer.status >= 500;
}

Result result_of(const Answer& answer, const Task& task, Duration took) {
  Result result;
  result.took = took;
  if (answer.failure) {
    result.failure = Failure{"restate.answer", "the answer of the Restate server can not be read: " + answer.why()};
    return result;
  }
  if (!answer.ok()) {
    result.failure = failure_told_by(answer, task);
    return result;
  }
  Event event = event_of_answer(answer.body, task.path, task.attempt, service_name(task.pool), {});
  Result told = std::move(std::get<TaskEnded>(event.fact).result);
  if (told.failure && told.failure->type == "restate.answer") told.took = took;
  return told;
}

}  // namespace flowrun::restate
