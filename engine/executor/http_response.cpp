#include "engine/executor/http_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <utility>

#include "engine/executor/redirect.h"
#include "engine/model/encode.h"

namespace flowrun {
namespace {

// Of an answer. libcurl has limits like these, but not all its versions have.
constexpr int kMostHeaders = 1000;
constexpr std::size_t kMostHeaderBytes = 256 * 1024;  // all headers together

Failure failure_of(const char* type, std::string message) { return {type, std::move(message)}; }

/// Why the header |line| leaves open where the body ends. |length| is the Content-Length of earlier lines. libcurl
/// takes the last of several, none that is too large, and unpacks for the transfer without a look at the end.
std::string framing_fault(std::string_view line, std::string& length) {
  // Most headers are something else.
  if (line.size() < 15 || !std::strchr("cCtT", line[0])) return "";
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string name = in_small_letters(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(std::min(colon + 1, line.size())));
  if (name == "transfer-encoding" && in_small_letters(value) != "chunked" && in_small_letters(value) != "identity")
    return fmt::format("is sent as `{}`, and only `chunked` was offered", shortened(value, 40));
  if (name != "content-length") return "";
  if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != value.npos)
    return fmt::format("says that it is `{}` bytes long", shortened(value, 40));
  if (!length.empty() && length != value)
    return fmt::format("says that it is {} bytes long, and that it is {}", length, value);
  length = value;
  return "";
}

/// Whether the first line of an answer has a code of three digits. libcurl 8.14 takes the first three of many.
bool has_code(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_of(" \t"), line.size());
  const std::size_t code = std::min(line.find_first_not_of(" \t", begin), line.size());
  const std::string_view rest = line.substr(code);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  return digits == 3 && (digits == rest.size() || std::string_view(" \t\r\n").find(rest[digits]) != rest.npos);
}

}  // namespace

std::optional<Failure> IncomingResponse::prepare(CURL* easy, const RunFolder& folder) {
  easy_ = easy;
  if (request().response != HttpRequest::Response::File) return std::nullopt;
  const std::string name = fmt::format("body-{:016x}-{}", std::hash<std::string>{}(task_.path), task_.attempt);
  if (!file_.open(folder, name))
    return failure_of("internal",
                      fmt::format("cannot write the answer to {}/{}: {}", folder.path(), name, std::strerror(errno)));
  file_mask_.emplace(mask_);
  return std::nullopt;
}

void IncomingResponse::start_over() {
  headed_ = enough_ = false;
  header_lines_ = header_bytes_ = 0;
  content_length_.clear();
  body_.reset();
}

bool IncomingResponse::take_header(std::string_view line) {
  const bool first = line.substr(0, 5) == "HTTP/";
  header_bytes_ += line.size();
  if (++header_lines_ > 2 + kMostHeaders || header_bytes_ > kMostHeaderBytes)
    header_fault_ = fmt::format("has more than {} headers, or {} KiB of them", kMostHeaders, kMostHeaderBytes / 1024);
  else if (first && !has_code(line))
    header_fault_ = "has no status of three digits";
  else if (header_fault_ = framing_fault(line, content_length_); !header_fault_.empty() && task_.secret_output)
    header_fault_ = "does not say well where it ends";
  if (!header_fault_.empty()) return false;
  if (first) {  // a 1xx may have been before it
    headed_ = false;
    content_length_.clear();
  }
  if (!trimmed(line).empty()) return true;
  headed_ = true;
  // Nobody has asked for another protocol. libcurl would wait for the end of it.
  switched_ = status() == 101;
  return !switched_;
}

bool IncomingResponse::take_body(std::string_view bytes) {
  if (!body_) {
    auto what = Body::For::Value;
    if (redirects())
      what = Body::For::Redirect;
    else if (!expects(request(), status()))
      what = Body::For::People;
    else if (request().response == HttpRequest::Response::None)
      what = Body::For::Nobody;
    body_.emplace(what, header("content-encoding").value_or(""), request().max_response);
  }
  Unpacker::Sink sink;
  if (file_.is_open())
    sink = [this](std::string_view piece) {
      std::string_view safe = file_mask_->pass(piece);
      file_broken_ = !file_.write(safe.data(), safe.size());
      return !file_broken_;
    };
  enough_ = !body_->take(bytes, sink);
  return !enough_;
}

long IncomingResponse::status() const {
  long number = 0;
  libcurl().curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &number);
  return number;
}

std::optional<std::string_view> IncomingResponse::header(const char* name) const {
  curl_header* found = nullptr;
  if (libcurl().curl_easy_header(easy_, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return std::nullopt;
  return trimmed(found->value);
}

bool IncomingResponse::redirects() const {
  return request().max_redirects > 0 && is_redirect(status()) && header("location");
}

bool IncomingResponse::complete(CURLcode code) const {
  if (code == CURLE_OK) return headed_;
  return code == CURLE_WRITE_ERROR && headed_ && (switched_ || (enough_ && !file_broken_ && !too_long()));
}

std::optional<Failure> IncomingResponse::failure(const std::string& request_name) const {
  if (!header_fault_.empty()) return failure_of("parse", fmt::format("{}: the answer {}", request_name, header_fault_));
  if (too_long())
    return failure_of("parse", fmt::format("{}: the answer is longer than {}({} bytes)", request_name,
                                           body_->most() == request().max_response ? "max_response " : "is taken in ",
                                           body_->most()));
  if (file_broken_) return failure_of("internal", request_name + ": the answer can not be written to the run's folder");
  return std::nullopt;
}

HttpAnswer IncomingResponse::answer(const std::string& method, const std::string& url) const {
  HttpAnswer answer;
  answer.status = status();
  answer.method = method;
  answer.url = url;
  answer.content_type = in_small_letters(header("content-type").value_or(""));
  answer.retry_after = header("retry-after").value_or("");
  if (!wants_headers(task_, answer.status)) return answer;
  // Those of a 101 are of an answer that libcurl takes for the first of two.
  const unsigned origins = switched_ ? CURLH_1XX : CURLH_HEADER | CURLH_TRAILER;
  curl_header* each = nullptr;
  // libcurl looks for the next among all of them.
  while ((each = libcurl().curl_easy_nextheader(easy_, origins, -1, each)))
    answer.headers.emplace_back(each->name, trimmed(each->value));
  return answer;
}

Result IncomingResponse::result(const std::string& request_name, const std::string& method, const std::string& url,
                                Duration took) {
  HttpAnswer said = answer(method, url);
  said.took = took;
  if (body_) {
    body_->finish();
    said.body = std::move(body_->text());
    said.cut = body_->cut();
    said.broken = body_->broken();
  }
  if (file_.is_open() && said.broken.empty() && expects(request(), said.status)) {
    std::string_view left = file_mask_->rest();
    std::string about = file_.write(left.data(), left.size()) ? file_.close() : "";
    if (about.empty()) file_broken_ = true;
    said.file = Value::from_text(std::move(about));
  }
  if (!file_broken_)
    return result_of(task_, said, mask_, std::chrono::floor<Duration>(std::chrono::system_clock::now()));
  Result result;
  result.took = took;
  result.code = static_cast<int>(said.status);
  result.failure = failure(request_name);
  return result;
}

}  // namespace flowrun
