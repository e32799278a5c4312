#include "engine/restate/http_parser.h"

#include <algorithm>
#include <cassert>

namespace flowrun::restate {
namespace {

constexpr std::size_t kLongestChunkLine = 1024;
constexpr std::size_t kMostHeaders = 256;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return low;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// False: it is no number in |base| that is well below 2^63.
bool number_from(std::string_view text, unsigned base, std::uint64_t& number) {
  number = 0;
  if (text.empty() || text.size() > 15) return false;
  for (const char c : text) {
    unsigned digit = 99;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return false;
    number = number * base + digit;
  }
  return true;
}

/// Whether |word| is one of a list with commas.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (lower(trimmed(list.substr(0, comma))) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

std::string_view HttpMessage::header(std::string_view name) const {
  for (const auto& [known, value] : headers)
    if (known == name) return value;
  return {};
}

std::size_t HttpParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    switch (state_) {
      case State::Head:
        taken += take_head(rest);
        break;
      case State::Body:
      case State::Chunk:
        taken += take_body(rest);
        break;
      case State::ChunkSize:
      case State::ChunkEnd:
      case State::Trailer:
        taken += take_line(rest);
        break;
      case State::Complete:
      case State::Refused:
        return taken;
    }
  }
  return taken;
}

std::size_t HttpParser::take_head(std::string_view bytes) {
  const std::size_t room = limits_.head - head_.size();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i >= room) {
      refuse(431, "the headers are longer than the worker takes");
      return bytes.size();
    }
    if (bytes[i] == '\n' && (i > 0 ? bytes[i - 1] : head_.empty() ? ' ' : head_.back()) != '\r') {
      refuse(400, "a line ends without a carriage return");
      return bytes.size();
    }
    if (bytes[i] != '\n') continue;
    // At the end of a line: of an empty one the head ends.
    head_.append(bytes.substr(0, i + 1));
    if (head_.size() == 2) {
      head_.clear();  // an empty line before a request (RFC 9112, 2.2)
    } else if (head_.ends_with("\r\n\r\n")) {
      read_head();
    }
    return i + 1;
  }
  head_.append(bytes);
  return bytes.size();
}

std::size_t HttpParser::take_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
  head_.append(bytes.substr(0, count));
  const bool trailer = state_ == State::Trailer;
  if (head_.size() > (trailer ? limits_.head : kLongestChunkLine) ||
      (!trailer && between_ + head_.size() > limits_.body)) {
    refuse(400, "a line between chunks is too long");
    return bytes.size();
  }
  if (end == std::string_view::npos) return count;
  if (!head_.ends_with("\r\n")) {
    refuse(400, "a line ends without a carriage return");
    return bytes.size();
  }
  between_ += head_.size();
  head_.resize(head_.size() - 2);
  if (head_.find_first_of(std::string_view("\r\0", 2)) != std::string::npos) {
    refuse(400, "a line between chunks has a carriage return or a zero byte in it");
    return bytes.size();
  }
  if (state_ == State::ChunkSize) {
    read_chunk_size();
  } else if (state_ == State::ChunkEnd) {
    if (!head_.empty())
      refuse(400, "a chunk is longer than it says");
    else
      state_ = State::ChunkSize;
  } else if (head_.empty()) {
    state_ = State::Complete;
  } else if (between_ > limits_.head) {
    refuse(431, "what follows the chunks is longer than the worker takes");
  }
  head_.clear();
  return count;
}

std::size_t HttpParser::take_body(std::string_view bytes) {
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  message_.body.append(bytes.substr(0, count));
  left_ -= count;
  if (left_ == 0) state_ = state_ == State::Chunk ? State::ChunkEnd : State::Complete;
  return count;
}

void HttpParser::read_head() {
  std::string_view rest = head_;
  rest.remove_suffix(2);
  for (bool first = true; !rest.empty() && !refusal_; first = false) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos)
      refuse(400, "a header has a carriage return or a zero byte in it");
    else if (first)
      read_request_line(line);
    else
      read_header(line);
  }
  head_.clear();
  if (!refusal_) read_framing();
}

void HttpParser::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400, "no request line");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  if (version == "HTTP/2.0")
    return refuse(505, "this is HTTP/2; register the worker with \"use_http_11\": true, or --use-http1.1");
  if (!is_token(method)) return refuse(400, "no method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return version.starts_with("HTTP/") ? refuse(505, "only HTTP/1.1 is spoken here") : refuse(400, "no request line");
  if (target.empty() || std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c == 127; }))
    return refuse(400, "the target of the request has spaces or bytes beyond ASCII in it");
  message_.method = method;
  message_.target = target;
  http_1_0_ = version == "HTTP/1.0";
}

void HttpParser::read_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return refuse(400, "a header has no name");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < ' ' && c != '\t') || byte == 127;
      }))
    return refuse(400, "a header has control characters in it");
  if (message_.headers.size() >= kMostHeaders) return refuse(431, "there are more headers than the worker takes");
  message_.headers.emplace_back(lower(line.substr(0, colon)), std::string(value));
}

void HttpParser::read_framing() {
  int hosts = 0, lengths = 0, encodings = 0;
  std::string_view length, encoding;
  message_.keep_alive = !http_1_0_;
  for (const auto& [name, value] : message_.headers) {
    if (name == "host") ++hosts;
    if (name == "content-length") ++lengths, length = value;
    if (name == "transfer-encoding") ++encodings, encoding = value;
    if (name == "connection" && lists(value, "close")) message_.keep_alive = false;
    if (name == "connection" && http_1_0_ && lists(value, "keep-alive")) message_.keep_alive = true;
    if (name == "expect") {
      if (lower(value) != "100-continue") return refuse(417, "nothing but 100-continue can be expected");
      expects_ = !http_1_0_;
    }
  }
  if (hosts > 1 || (hosts == 0 && !http_1_0_)) return refuse(400, "a request has one Host");
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0))
    return refuse(400, "a request says its length once");
  if (encodings > 0) {
    if (http_1_0_) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (lower(encoding) != "chunked") return refuse(501, "chunked is the only Transfer-Encoding");
    state_ = State::ChunkSize;
    return;
  }
  if (lengths > 0) {
    if (length.find_first_not_of("0123456789") != std::string_view::npos || length.empty())
      return refuse(400, "Content-Length is no number");
    if (!number_from(length, 10, left_) || left_ > limits_.body)
      return refuse(413, "the body is longer than the worker takes");
  }
  state_ = left_ > 0 ? State::Body : State::Complete;
  if (left_ == 0) expects_ = false;
}

void HttpParser::read_chunk_size() {
  // Behind a semicolon are extensions that nobody uses.
  const std::string_view line = head_;
  std::string_view size = line.substr(0, line.find(';'));
  size = size.substr(0, size.find_last_not_of(" \t") + 1);
  if (!number_from(size, 16, left_)) return refuse(400, "a chunk does not say its length");
  if (left_ > limits_.body || message_.body.size() + left_ > limits_.body)
    return refuse(413, "the body is longer than the worker takes");
  state_ = left_ > 0 ? State::Chunk : State::Trailer;
  if (left_ == 0) between_ = 0;
}

void HttpParser::refuse(int status, std::string why) {
  if (refusal_) return;
  state_ = State::Refused;
  refusal_ = status;
  why_ = std::move(why);
}

bool HttpParser::takes_expectation() {
  const bool waits = expects_ && (state_ == State::Body || state_ == State::ChunkSize) && message_.body.empty();
  if (state_ != State::Head) expects_ = false;
  return waits;
}

HttpMessage HttpParser::take() {
  assert(complete());
  HttpMessage taken = std::move(message_);
  *this = HttpParser(limits_);
  return taken;
}

}  // namespace flowrun::restate
