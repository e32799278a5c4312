#include "engine/restate/requests.h"

#include <fmt/format.h>

#include "engine/model/error.h"
#include "engine/model/json_text.h"

namespace flowrun::restate {
namespace {

constexpr std::size_t kShown = 300;  // of an answer, in a message

Answer answer_of(const TaskEnded& ended) {
  Answer answer;
  answer.id = std::stoull(ended.path);
  answer.sent = ended.result.sent;
  if (ended.result.failure) {
    answer.failure = ended.result.failure;
    return answer;
  }
  for (ObjectReader raw(ended.result.value.text()); raw.next();) {
    if (raw.key() == "status") answer.status = raw.integer();
    if (raw.key() == "body" && raw.raw().starts_with('"')) answer.body = raw.text();
    if (raw.key() != "headers" || answer.status < 300) continue;
    for (ObjectReader headers(raw.raw()); headers.next();)
      if (headers.key() == "x-restate-error-source") answer.source = headers.text();
  }
  return answer;
}

}  // namespace

std::string message_in(std::string_view body) {
  std::string message(body);
  if (auto json = json_of(body); json && json->is_object())
    if (auto found = json->find("message"); found != json->end() && found->is_string()) message = *found;
  message = message.substr(0, message.find('\n'));
  if (message.size() <= kShown) return message;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
  return message.substr(0, end) + "...";
}

std::string Answer::why() const {
  if (failure) return failure->message;
  const std::string message = message_in(body);
  return fmt::format("it answered {}{}{}", status, message.empty() ? "" : ": ", message);
}

Requests::Requests() {
  ExecutorOptions options;
  options.workers = 1;
  executor_ = make_worker_pool(options);
}

Requests::~Requests() = default;

std::uint64_t Requests::send(const std::string& method, std::string url, std::optional<std::string> body,
                             std::vector<std::pair<std::string, std::string>> headers, std::optional<Duration> timeout,
                             std::int64_t most) {
  HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.headers = std::move(headers);
  if (body) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  request.response = HttpRequest::Response::Text;
  request.max_response = most;
  request.max_redirects = 0;
  request.idle_timeout = Duration{0};
  Task task;
  task.path = std::to_string(++last_);
  task.keep_raw = true;
  task.timeout = timeout;
  *task.work = std::move(request);
  executor_->begin(std::move(task));
  return last_;
}

void Requests::stop(std::uint64_t id) { executor_->stop(std::to_string(id), 1); }

void Requests::wait(std::vector<Answer>& into, Duration timeout) {
  happened_.clear();
  executor_->wait(happened_, timeout);
  for (const Event& event : happened_)
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact)) into.push_back(answer_of(*ended));
  executor_->acted();
}

Answer answer_to(Requests& requests, std::uint64_t id) {
  std::vector<Answer> answers;
  for (;;) {
    requests.wait(answers, Duration{1000});
    for (Answer& answer : answers)
      if (answer.id == id) return std::move(answer);
    answers.clear();
  }
}

}  // namespace flowrun::restate
