// Requests of HTTP/1.1 out of bytes, as a server reads them (RFC 9112). Pure: knows no socket, no clock and no path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flowrun::restate {

struct HttpMessage {
  std::string method;
  std::string target;                                        ///< as it was sent, with the query
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;                                          ///< without the chunks it came in
  bool keep_alive = true;

  /// The first of that name, which is in lower case; empty: none.
  std::string_view header(std::string_view name) const;
};

struct HttpLimits {
  std::size_t head = 64 << 10;   ///< bytes of request line and headers; also of what follows chunks
  std::size_t body = 512 << 20;  ///< bytes: a run has all its calls and results in one
};

/// Reads one request after the other. What could be read in two ways is refused: a server behind a proxy that reads
/// it in the other way would take a part of one request for the next.
class HttpParser {
 public:
  explicit HttpParser(HttpLimits limits = {}) : limits_(limits) {}

  /// Takes bytes of the request, and none behind its end; returns how many.
  std::size_t feed(std::string_view bytes);
  /// Something of a request is there.
  bool begun() const { return state_ != State::Head || !head_.empty(); }
  /// Its headers are not all there.
  bool in_head() const { return state_ == State::Head; }
  bool complete() const { return state_ == State::Complete; }
  /// Not 0: the status to refuse it with, and nothing that follows can be read.
  int refusal() const { return refusal_; }
  const std::string& why() const { return why_; }
  /// Its headers are read, and whoever sends it waits for a `100 Continue` with the body. True once a request.
  bool takes_expectation();
  /// How much of the body is there.
  std::size_t body_bytes() const { return message_.body.size(); }
  /// REQUIRES: it is complete. The next one begins.
  HttpMessage take();

 private:
  enum class State : std::uint8_t { Head, Body, ChunkSize, Chunk, ChunkEnd, Trailer, Complete, Refused };

  std::size_t take_head(std::string_view bytes);
  std::size_t take_line(std::string_view bytes);
  std::size_t take_body(std::string_view bytes);
  void read_head();
  void read_request_line(std::string_view line);
  void read_header(std::string_view line);
  void read_framing();
  void read_chunk_size();
  void refuse(int status, std::string why);

  HttpLimits limits_;
  State state_ = State::Head;
  std::string head_;         ///< what is there of request line and headers, or of a line between chunks
  std::size_t between_ = 0;  ///< bytes of lines between chunks
  std::uint64_t left_ = 0;   ///< of the body or the chunk
  bool expects_ = false, http_1_0_ = false;
  HttpMessage message_;
  int refusal_ = 0;
  std::string why_;
};

}  // namespace flowrun::restate
