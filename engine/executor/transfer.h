// One HTTP exchange: a request that goes out, a response that comes in, the time both have, and what became of it.
// Knows neither loop nor other transfers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/executor/http_request.h"
#include "engine/executor/http_response.h"
#include "engine/executor/libcurl.h"
#include "engine/executor/mask.h"
#include "engine/executor/sockets.h"
#include "engine/executor/work_clock.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// Http moves it through its states: taken, waiting for the first to its host, under way by a handle of libcurl,
/// perhaps redirected, over.
class Transfer {
 public:
  /// |mask| outlives it. REQUIRES: the secrets of |taken| are not filled in yet.
  Transfer(Task taken, const Mask& mask, WorkClock::time_point now)
      : task(std::move(taken)), begun(now), request_(task, mask), response_(task, mask), moved_(now) {}
  ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  Task task;
  std::string host;      ///< of the first URL, as host_of() says
  std::size_t lane = 0;  ///< for who carries it out
  CURL* easy = nullptr;
  const WorkClock::time_point begun;   ///< when it was taken, not when a connection was free for it
  const Instant began = wall_clock();  ///< the same by the wall clock
  WorkClock::duration lost{0};         ///< in which flowrun did not run before the connection was asked for

  const HttpRequest& asked() const { return request_.asked(); }
  /// |idle|: of an earlier transfer; null: a new one is made. False: libcurl is out of memory.
  bool take_handle(CURL* idle, Sockets& sockets);
  /// For the next transfer; null: it is spent. |good|: nothing has failed. libcurl's reset is not used: it takes the
  /// size of a buffer back that is there still when a connection is shared, and would write beyond its end (7.88).
  CURL* give_handle_back(bool good);
  /// Sets the handle's options. |crowded|: it shares the memory with hundreds. A failure: why it can not begin.
  std::optional<Failure> prepare(const RunFolder& folder, bool crowded);

  /// The name of its host is looked up.
  bool located() const { return located_ || sent_; }
  /// libcurl has ended with |code|, and the answer sends the request elsewhere.
  bool redirected(CURLcode code) const { return response_.complete(code) && response_.redirects(); }
  /// Sets the options for going there. False: it can not, as the result says.
  bool prepare_redirect();
  /// libcurl has ended with |code| before a connection was there, and flowrun was frozen meanwhile, as |clock| says:
  /// the time to connect was not the transfer's own. True: try again, as nothing was sent.
  bool may_connect_again(CURLcode code, WorkClock& clock);
  /// Whether it has taken too long at |now|, as the result then says. Time in which flowrun was frozen does not count.
  bool overdue(WorkClock::time_point now);
  /// When to look at it again.
  WorkClock::time_point look_at(WorkClock::time_point now) const;

  /// What became of it when libcurl ended with |code| at |now|.
  Result result(CURLcode code, WorkClock::time_point now);
  /// The result of one that ends at |now| by |failure|, without an answer.
  Result failed(Failure failure, WorkClock::time_point now) const;

 private:
  enum class Limit { None, Timeout, ConnectTimeout, IdleTimeout };

  // What libcurl calls, with the transfer as |self|.
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static int on_send(void* self, char*, char*, int, int);
  static curl_socket_t on_open_socket(void* self, curlsocktype, curl_sockaddr* address);

  /// The options that are the same for all transfers.
  void set_common_options();
  Failure failure_of(CURLcode code) const;

  OutgoingRequest request_;
  IncomingResponse response_;
  Sockets* sockets_ = nullptr;
  bool stirred_ = false;         ///< since the last look a byte has moved
  WorkClock::time_point moved_;  ///< when the last one was seen
  std::int64_t uploaded_ = 0;    ///< at that look
  Limit exceeded_ = Limit::None;
  bool located_ = false;                         ///< libcurl has asked for a socket to its host
  bool sent_ = false;                            ///< some request has gone out, perhaps one that was redirected
  bool sent_here_ = false, sent_twice_ = false;  ///< the request to where it has been redirected
  std::string bad_redirect_;                     ///< not empty: why the answer's redirect can not be followed
  char error_text_[CURL_ERROR_SIZE] = {};        ///< libcurl's own words
};

}  // namespace flowrun
