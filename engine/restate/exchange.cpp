#include "engine/restate/exchange.h"

#include <memory>
#include <utility>
#include <vector>

#include "engine/executor/executor.h"

namespace flowrun::restate {

Answered exchange(HttpRequest request, Duration patience) {
  Task task;
  task.path = "exchange";
  task.keep_raw = true;
  task.timeout = patience;
  request.expect.clear();
  request.response = HttpRequest::Response::Text;
  task.work = std::move(request);
  ExecutorOptions options;
  options.workers = 1;
  const std::unique_ptr<Executor> executor = make_worker_pool(options);
  executor->begin(std::move(task));
  std::vector<Event> happened;
  while (happened.empty()) executor->wait(happened, Duration{1000});
  Answered answered;
  const Result& result = std::get<TaskEnded>(happened.front().fact).result;
  if (result.failure) {
    answered.trouble = result.failure->message;
    return answered;
  }
  answered.status = result.code;
  const Json& raw = result.value.json();
  if (raw.is_object() && raw.contains("body") && raw["body"].is_string()) answered.body = raw["body"];
  return answered;
}

}  // namespace flowrun::restate
