#include "engine/executor/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <ctime>
#include <iterator>
#include <optional>
#include <variant>

#include "engine/executor/capture.h"
#include "engine/executor/charset.h"
#include "engine/model/encode.h"
#include "engine/model/json_text.h"

namespace flowrun {
namespace {

constexpr std::int64_t kMostErrorBody = 64 * 1024;  // of an answer that is an error, kept in it
// Of what nobody asked for, whatever max_response is: for a file that is 64 GiB. Up to here a connection is worth it.
constexpr std::int64_t kMostUnwanted = 8 << 20;
constexpr std::size_t kMostUrl = 1000;  // of a URL in a message

std::string named(const HttpAnswer& answer) {
  return fmt::format("the answer to {} {}", answer.method, shortened(answer.url, kMostUrl));
}

std::string shown_body(const HttpAnswer& answer, const Mask& mask) { return mask.text(answer.body, answer.cut); }

/// The body in UTF-8. Without a charset, and in UTF-8 that is none, it is what it is.
Fallible<std::string> text_of(const HttpAnswer& answer) {
  const std::string charset = charset_of(answer.content_type);
  if (charset.empty() || answer.body.empty()) return answer.body;
  auto text = decoded(answer.body, charset);
  if (auto* good = std::get_if<std::string>(&text)) return std::move(*good);
  if (std::get<Undecoded>(text) == Undecoded::Unknown)
    return parse_failure(
        fmt::format("{} is in the charset `{}`, which is not known here; `response: base64` takes it as it is",
                    named(answer), shortened(charset, 40)));
  // Servers say us-ascii, and send UTF-8.
  if (is_utf8(answer.body)) return answer.body;
  return parse_failure(fmt::format("{} is not in the charset `{}` that it names; `response: base64` takes it as it is",
                                   named(answer), shortened(charset, 40)));
}

/// The body as one value, or as |lines| of them.
Fallible<Value> json_of(const HttpAnswer& answer, const Mask& mask, bool lines = false) {
  auto parsed = [&](std::string_view text, const std::string& what) {
    return lines ? json_lines(text, what) : json_value(text, what);
  };
  // RFC 8259, 8.1: JSON is UTF-8, whatever its type says. Some is not.
  std::string_view body = answer.body;
  std::string other;
  if (!is_utf8(answer.body)) {
    auto text = text_of(answer);
    if (!text) return std::move(text.failure());
    body = other = *std::move(text);
  }
  auto value = parsed(body, "");
  // The message shows how it begins.
  return std::holds_alternative<Value>(value) ? value : parsed(mask.text(body, answer.cut), named(answer));
}

Fallible<Value> body_value(const HttpAnswer& answer, HttpRequest::Response response, const Mask& mask) {
  using Response = HttpRequest::Response;
  if (response == Response::File) return answer.file;
  if (response == Response::None) return Value();
  if (response == Response::Base64) return Value::string(base64(answer.body));
  if (response == Response::Jsonl) return json_of(answer, mask, true);
  if (response == Response::Json || (response == Response::Auto && says_json(answer.content_type)))
    return answer.body.empty() ? Value() : json_of(answer, mask);
  auto text = text_of(answer);
  if (auto* failure = std::get_if<Failure>(&text)) {
    if (response == Response::Text || answer.content_type.starts_with("text/")) return std::move(*failure);
    text = answer.body;
  }
  const std::string& plain = *text;
  if (response == Response::Auto && !is_utf8(plain)) return Value::string(base64(answer.body));
  return Value::string(mask.text(plain, answer.cut));
}

/// An answer that is an error, as what it says it is, whatever `response` wants of a good one.
Value shown_value(const HttpAnswer& answer, const Mask& mask) {
  if (says_json(answer.content_type))
    if (auto json = json_of(answer, mask); std::holds_alternative<Value>(json)) return std::get<Value>(json);
  auto text = text_of(answer);
  const auto* plain = std::get_if<std::string>(&text);
  return Value::string(plain ? mask.text(*plain, answer.cut) : shown_body(answer, mask));
}

/// As an object; a header that comes several times is one with commas (RFC 9110, 5.3).
std::string header_json(const HttpAnswer& answer) {
  Json object = Json::object();
  for (const auto& [name, value] : answer.headers) {
    Json& known = object[in_small_letters(name)];
    if (known.is_null())
      known = value;
    else
      known.get_ref<std::string&>() += ", " + value;
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// RFC 9110, 5.6.7: three spellings of a date, all in UTC.
std::optional<Instant> date_of(const std::string& text) {
  for (const char* spelling : {"%a, %d %b %Y %H:%M:%S ", "%A, %d-%b-%y %H:%M:%S ", "%a %b %d %H:%M:%S %Y"}) {
    std::tm date{};
    const char* end = strptime(text.c_str(), spelling, &date);
    if (end && (!*end || std::strcmp(end, "GMT") == 0 || std::strcmp(end, "UTC") == 0))
      return Instant(std::chrono::seconds(timegm(&date)));
  }
  return std::nullopt;
}

/// RFC 9110, 10.2.3: seconds or a date.
std::optional<Duration> wanted_wait(const std::string& after, Instant now) {
  if (after.empty()) return std::nullopt;
  if (std::all_of(after.begin(), after.end(), [](unsigned char c) { return std::isdigit(c); })) {
    // Longer than a life is long enough.
    return std::chrono::seconds(std::stol(after.size() > 9 ? "999999999" : after));
  }
  const auto date = date_of(after);
  if (!date) return std::nullopt;
  return std::clamp<Duration>(*date - now, Duration(0), std::chrono::seconds(999999999));
}

}  // namespace

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  return small;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front())) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.remove_suffix(1);
  return text;
}

bool expects(const HttpRequest& request, long status) {
  return request.expect.empty() ||
         std::any_of(request.expect.begin(), request.expect.end(),
                     [&](const StatusRange& one) { return status >= one.first && status <= one.last; });
}

bool says_json(std::string_view content_type) {
  const std::string type = in_small_letters(trimmed(content_type.substr(0, content_type.find(';'))));
  const std::size_t slash = type.find('/');
  if (slash == type.npos) return false;
  std::string_view sub = std::string_view(type).substr(slash + 1);
  if (sub.starts_with("x-")) sub.remove_prefix(2);
  // RFC 6839, 3.1: what ends so is JSON. Spring has sent lines of it by that name.
  if (sub.ends_with("+json")) return sub != "stream+json";
  return sub == "json" || sub == "json-rpc" || sub == "jsonrequest" || sub == "json+protobuf" ||
         sub.starts_with("amz-json-");
}

Body::Body(For what, std::string_view coding, std::int64_t most)
    : what_(what), most_(most), coding_(in_small_letters(trimmed(coding))) {
  packed_ = what != For::Redirect && (coding_ == "gzip" || coding_ == "x-gzip" || coding_ == "deflate");
  if (coding_ == "identity") coding_.clear();
  if (what == For::People || what == For::Redirect) most_ = std::min(most_, kMostUnwanted);
}

bool Body::keep(std::string_view bytes, const Unpacker::Sink& sink) {
  size_ += static_cast<std::int64_t>(bytes.size());
  if (size_ > most_) {
    (what_ == For::People ? cut_ : too_long_) = true;
    bytes.remove_suffix(std::min(bytes.size(), static_cast<std::size_t>(size_ - most_)));
  }
  if (what_ == For::People) {
    const std::size_t room =
        static_cast<std::size_t>(kMostErrorBody) - std::min<std::size_t>(kMostErrorBody, text_.size());
    cut_ = cut_ || room < bytes.size();
    text_.append(bytes.substr(0, room));
  } else if (what_ == For::Value) {
    if (!sink)
      text_ += bytes;
    else if (!too_long_ && !sink(bytes))
      return false;
  }
  return size_ <= most_;
}

bool Body::take(std::string_view bytes, const Unpacker::Sink& sink) {
  began_ = began_ || !bytes.empty();
  if (!packed_) {
    if (!coding_.empty() && began_ && what_ == For::Value) {
      broken_ = fmt::format("is packed as `{}`, which nobody has asked for", shortened(coding_, 40));
      return false;
    }
    return keep(bytes, sink);
  }
  switch (unpacker_.take(bytes, [&](std::string_view piece) { return keep(piece, sink); })) {
    case Unpacker::State::Good:
      return true;
    case Unpacker::State::Refused:
      return false;
    case Unpacker::State::Broken:
      broken_ = fmt::format("is not what its header says, packed by {}", coding_);
      return false;
  }
  return false;
}

void Body::finish() {
  if (packed_ && broken_.empty() && !cut_ && !too_long_ && !unpacker_.whole())
    broken_ = fmt::format("is cut off: it was packed by {}, and its end is not there", coding_);
}

bool wants_headers(const Task& task, long status) {
  return task.keep_raw || !expects(std::get<HttpRequest>(*task.work), status);
}

Result result_of(const Task& task, const HttpAnswer& answer, const Mask& mask, Instant now) {
  const auto& request = std::get<HttpRequest>(*task.work);
  Result result;
  result.took = answer.took;
  result.code = static_cast<int>(answer.status);
  if (!expects(request, answer.status)) {
    result.value = shown_value(answer, mask);
    std::string message =
        fmt::format("{} {} answered {}", answer.method, shortened(answer.url, kMostUrl), answer.status);
    if (result.code == 429 || result.code == 503) result.retry_after = wanted_wait(answer.retry_after, now);
    if (result.retry_after > kLongestRetryAfter) {
      message += fmt::format("; it asks to wait {}, of which {} are waited", to_display(*result.retry_after),
                             to_string(kLongestRetryAfter));
      result.retry_after = kLongestRetryAfter;
    }
    result.failure = Failure{fmt::format("http.{}", result.code), std::move(message), "", 0,
                             Value::from_text(fmt::format("{{\"http\":{{\"status\":{},\"headers\":{},\"body\":{}}}}}",
                                                          result.code, header_json(answer), result.value.text()))};
    return result;
  }
  Fallible<Value> value;
  if (!answer.broken.empty())
    value = parse_failure(named(answer) + " " + answer.broken);
  else
    value = body_value(answer, request.response, mask);
  if (auto* failure = std::get_if<Failure>(&value)) {
    result.failure = task.secret_output ? unreadable_output() : std::move(*failure);
    result.value = Value::string(shown_body(answer, mask));
    return result;
  }
  result.value = std::get<Value>(std::move(value));
  if (task.keep_raw) {
    std::string raw = fmt::format("{{\"status\":{},\"duration_ms\":{},\"attempt\":{},\"url\":", result.code,
                                  result.took.count(), task.attempt);
    append_json_string(raw, answer.url);
    raw += ",\"headers\":" + header_json(answer) + ",\"body\":" + result.value.text() + "}";
    result.value = Value::from_text(std::move(raw));
  }
  return result;
}

}  // namespace flowrun
