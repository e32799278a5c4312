#include "engine/scenario/scripted_result.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/executor/answer.h"
#include "engine/executor/process_result.h"

namespace flowrun {
namespace {

/// Nothing of the request can have reached the other side.
bool is_unsent(std::string_view error) {
  static constexpr std::array<std::string_view, 4> kUnsent{"connect", "dns", "tls", "spawn"};
  return std::find(kUnsent.begin(), kUnsent.end(), error) != kUnsent.end();
}

/// A status that counts as success.
int good_status(const HttpRequest& request) {
  return request.expect.empty() || expects(request, 200) ? 200 : request.expect.front().first;
}

Json header_object(const ScriptedAnswer& answer) {
  Json headers = Json::object();
  for (const auto& [name, value] : answer.headers) headers[name] = value;
  return headers;
}

Result with_value(const ScriptedAnswer& answer, const Task& task) {
  Result result;
  result.value = Value(answer.value);
  if (const auto* request = std::get_if<HttpRequest>(&*task.work)) {
    result.code = answer.code.value_or(good_status(*request));
    if (task.keep_raw)
      result.value = Value(Json{{"status", result.code},
                                {"duration_ms", answer.delay.count()},
                                {"attempt", task.attempt},
                                {"url", request->url},
                                {"headers", header_object(answer)},
                                {"body", answer.value}});
    return result;
  }
  const std::vector<int>& good = std::get<Process>(*task.work).success_codes;
  result.code = answer.code.value_or(good.empty() ? 0 : good.front());
  if (!task.keep_raw) return result;
  std::string output = answer.output;
  if (output.empty()) output = answer.value.is_string() ? answer.value.get<std::string>() : result.value.text();
  result.value = Value(Json{{"exit_code", result.code},
                            {"duration_ms", answer.delay.count()},
                            {"attempt", task.attempt},
                            {"stdout", std::move(output)},
                            {"stderr_tail", answer.errors},
                            {"value", answer.value}});
  return result;
}

Result of_server(const ScriptedAnswer& answer, const Task& task, Instant now) {
  const auto& request = std::get<HttpRequest>(*task.work);
  HttpAnswer came;
  came.status = answer.code.value_or(200);
  came.method = request.method;
  came.url = request.url;
  came.headers = answer.headers;
  for (const auto& [name, value] : answer.headers) {
    if (name == "content-type") came.content_type = in_small_letters(value);
    if (name == "retry-after") came.retry_after = value;
  }
  came.body = answer.output;
  came.took = answer.delay;
  return result_of(task, came, Mask(), now);
}

Result of_process(const ScriptedAnswer& answer, const Task& task) {
  const auto& process = std::get<Process>(*task.work);
  ProcessEnd end;
  end.status_code = CLD_EXITED;
  end.status = answer.code.value_or(0);
  end.stdout_bytes = static_cast<std::int64_t>(answer.output.size());
  end.stdout_head = answer.output.substr(0, static_cast<std::size_t>(process.max_output));
  end.stderr_tail = answer.errors;
  end.file = answer.file;
  end.took = answer.delay;
  return result_of(task, end, Mask());
}

}  // namespace

Result scripted_result(const ScriptedAnswer& answer, const Task& task, Instant now) {
  Result result;
  switch (answer.kind) {
    case ScriptedAnswer::Kind::Value:
      result = with_value(answer, task);
      break;
    case ScriptedAnswer::Kind::Status:
      result = of_server(answer, task, now);
      break;
    case ScriptedAnswer::Kind::Exit:
      result = of_process(answer, task);
      break;
    case ScriptedAnswer::Kind::Again:
      result.again = true;
      break;
    case ScriptedAnswer::Kind::Page:
      result.value = Value(answer.value);
      result.page = std::max(task.page, 1);
      result.next = answer.next;
      break;
    case ScriptedAnswer::Kind::Error:
    case ScriptedAnswer::Kind::Pass:
      result.failure = Failure{answer.error, answer.message};
      result.sent = !is_unsent(answer.error);
      break;
  }
  result.took = answer.delay;
  return result;
}

bool fits(const ScriptedAnswer& answer, bool process) {
  switch (answer.kind) {
    case ScriptedAnswer::Kind::Status:
      return !process;
    case ScriptedAnswer::Kind::Exit:
      return process;
    case ScriptedAnswer::Kind::Error:
      return process ? answer.error == "spawn" || answer.error == "killed" || answer.error == "timeout" ||
                           answer.error == "parse"
                     : answer.error != "spawn" && answer.error != "killed";
    case ScriptedAnswer::Kind::Value:
      return process ? answer.headers.empty() : answer.output.empty() && answer.errors.empty();
    case ScriptedAnswer::Kind::Page:
      return !process;
    default:
      return true;
  }
}

}  // namespace flowrun
