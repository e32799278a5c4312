#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "engine/executor/answer.h"
#include "engine/model/json_text.h"
#include "tests/fuzz/targets.h"

namespace flowrun::test {
namespace {

constexpr std::int64_t kMost = 100'000;

struct Said {
  Task task;
  std::string coding, body;
  HttpAnswer answer;
};

Result result(const Said& said, std::size_t piece) {
  const auto& request = std::get<HttpRequest>(*said.task.work);
  Body body(expects(request, said.answer.status)
                ? request.response == HttpRequest::Response::None ? Body::For::Nobody : Body::For::Value
                : Body::For::People,
            said.coding, kMost);
  for (std::size_t at = 0; at < said.body.size(); at += piece)
    if (!body.take(std::string_view(said.body).substr(at, piece))) break;
  body.finish();
  if (static_cast<std::int64_t>(body.text().size()) > kMost) throw std::logic_error("more is kept than may come");
  HttpAnswer answer = said.answer;
  answer.body = body.text();
  answer.cut = body.cut();
  answer.broken = body.too_long() ? "is too long" : body.broken();
  static const Mask kMask = [] {
    Mask mask;
    mask.add("s3cr3t-token");
    return mask;
  }();
  Result result = result_of(said.task, answer, kMask, from_millis(1'800'000'000'000));
  result.value = Value::from_text(kMask.json(result.value.text()));
  return result;
}

void check(const Result& result, long status) {
  if (!is_json(result.value.text())) throw std::logic_error("the value is no JSON: " + result.value.text());
  (void)result.value.json();
  if (!result.failure) return;
  const Failure& failure = *result.failure;
  if (failure.type != "parse" && failure.type != "http." + std::to_string(status))
    throw std::logic_error("no documented type: " + failure.type);
  if (failure.message.empty() || failure.message.size() > 4000) throw std::logic_error("no message for people");
  if (!failure.detail.is_null() && !is_json(failure.detail.text())) throw std::logic_error("the detail is no JSON");
  if (result.retry_after && (*result.retry_after < Duration(0) || *result.retry_after > kLongestRetryAfter))
    throw std::logic_error("nobody waits for so long");
}

}  // namespace

void fuzz_answer(const std::uint8_t* bytes, std::size_t size) {
  using Response = HttpRequest::Response;
  static constexpr std::array kModes{Response::Auto, Response::Json, Response::Text, Response::Base64, Response::None};
  static constexpr std::array<long, 8> kStatuses{200, 204, 101, 404, 429, 500, 503, 999};
  static const std::array<std::string, 5> kCodings{"", "gzip", "deflate", "br", "identity"};
  if (size < 4) return;
  Said said;
  HttpRequest request;
  request.response = kModes[bytes[0] % kModes.size()];
  request.expect = {{200, 299}};
  request.max_response = kMost;
  said.task.work = std::move(request);
  said.task.keep_raw = bytes[0] >= 128;
  said.answer.status = kStatuses[bytes[1] % kStatuses.size()];
  said.coding = kCodings[bytes[2] % kCodings.size()];
  const std::size_t piece = 1 + bytes[3];
  std::string_view rest(reinterpret_cast<const char*>(bytes) + 4, size - 4);
  // Two lines: the type, what Retry-After says; then the body.
  auto line = [&rest] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string text(trimmed(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return text;
  };
  said.answer.method = "GET";
  said.answer.url = "http://shop/";
  said.answer.content_type = in_small_letters(line());
  said.answer.retry_after = line();
  said.answer.headers = {{"Content-Type", said.answer.content_type}, {"content-type", said.answer.retry_after}};
  said.body = rest;
  const Result one = result(said, piece), other = result(said, said.body.size() + 1);
  check(one, said.answer.status);
  if (one.value.text() != other.value.text() || one.failure.has_value() != other.failure.has_value())
    throw std::logic_error("it matters in which pieces an answer comes");
}

}  // namespace flowrun::test
