// Requests to a Restate server, many at once, on one event loop of their own. Knows bytes and statuses; nothing of what
// they mean. One thread uses it; wake() comes from any.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/executor/executor.h"

namespace flowrun::restate {

/// What became of a request.
struct Answer {
  std::uint64_t id = 0;                 ///< as send() had it
  std::optional<Failure> failure = {};  ///< why there is no answer
  bool sent = true;                     ///< false: nothing of it can have reached the server
  int status = 0;
  std::string source = {};  ///< who made an answer that is an error: `ingress`, `invocation`; empty: it does not say
  std::string body = {};

  bool ok() const { return !failure && status >= 200 && status < 300; }
  /// Of a failure or a status that is none, in a few words.
  std::string why() const;
};

class Requests {
 public:
  /// What the server itself takes is half of it.
  static constexpr std::int64_t kLongestAnswer = 64 << 20;

  Requests();
  ~Requests();

  /// |headers| besides those of a body, which is JSON. |timeout|: of all of it; nothing: none.
  /// |most|: bytes of an answer.
  std::uint64_t send(const std::string& method, std::string url, std::optional<std::string> body,
                     std::vector<std::pair<std::string, std::string>> headers = {},
                     std::optional<Duration> timeout = Duration{10000}, std::int64_t most = kLongestAnswer);
  /// No answer comes any more.
  void stop(std::uint64_t id);
  /// Waits for answers, |timeout| at most, and appends them to |into|.
  void wait(std::vector<Answer>& into, Duration timeout);
  Executor& executor() { return *executor_; }

 private:
  std::unique_ptr<Executor> executor_;
  std::uint64_t last_ = 0;
  std::vector<Event> happened_;
};

/// Waits for the answer to request |id|; others that come meanwhile are dropped.
Answer answer_to(Requests& requests, std::uint64_t id);

/// The error that |body| of an answer tells of; else the beginning of it.
std::string message_in(std::string_view body);

}  // namespace flowrun::restate
