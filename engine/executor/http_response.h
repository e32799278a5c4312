// The answer to a request as it comes from libcurl: headers, body, and what is wrong with them. Knows nothing of the
// time it takes or of where the request was sent.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/executor/answer.h"
#include "engine/executor/body_file.h"
#include "engine/executor/libcurl.h"
#include "engine/executor/mask.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

class IncomingResponse {
 public:
  /// Both outlive it.
  IncomingResponse(const Task& task, const Mask& mask) : task_(task), mask_(mask) {}
  IncomingResponse(const IncomingResponse&) = delete;
  IncomingResponse& operator=(const IncomingResponse&) = delete;

  /// The answer comes by |easy|, and its body is written to a file in |folder| if the request says so. A failure: why
  /// it can not be.
  std::optional<Failure> prepare(CURL* easy, const RunFolder& folder);
  /// Forgets the answer: the request is sent elsewhere.
  void start_over();

  /// A line of the header, the empty one at its end included. False: no more is wanted.
  bool take_header(std::string_view line);
  /// A piece of the body. False: no more is wanted.
  bool take_body(std::string_view bytes);

  long status() const;
  std::optional<std::string_view> header(const char* name) const;
  /// The answer sends the request elsewhere, and the request may go there.
  bool redirects() const;
  /// The answer's headers are there.
  bool headed() const { return headed_; }
  /// All that is wanted has come, perhaps because libcurl was told to stop there.
  bool complete(CURLcode code) const;
  /// The answer is longer than the request takes.
  bool too_long() const { return body_ && body_->too_long(); }
  /// What was found wrong with the answer to |request|, if anything was.
  std::optional<Failure> failure(const std::string& request) const;

  /// REQUIRES: complete(). |request|, |method| and |url| are for messages and without secrets. `took` and the `began`
  /// and `sent` of the result are left as they are.
  Result result(const std::string& request, const std::string& method, const std::string& url, Duration took);

 private:
  HttpAnswer answer(const std::string& method, const std::string& url) const;
  const HttpRequest& request() const { return std::get<HttpRequest>(*task_.work); }

  const Task& task_;
  const Mask& mask_;
  CURL* easy_ = nullptr;
  std::optional<Body> body_;  ///< since its first byte
  BodyFile file_;
  std::optional<Mask::Stream> file_mask_;  ///< of what is written to |file_|
  bool file_broken_ = false;
  bool headed_ = false;
  bool switched_ = false;                            ///< the answer is 101: what follows is no HTTP
  bool enough_ = false;                              ///< no more of the body was wanted
  std::size_t header_lines_ = 0, header_bytes_ = 0;  ///< of all answers to this request, 1xx included
  std::string header_fault_;    ///< not empty: why the answer's header can not be taken for what it says
  std::string content_length_;  ///< as the answer says it
};

}  // namespace flowrun
