// One HTTP exchange: options for libcurl before, a result after. Knows neither loop nor other transfers.
#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/executor/answer.h"
#include "engine/executor/body_file.h"
#include "engine/executor/libcurl.h"
#include "engine/executor/mask.h"
#include "engine/executor/sockets.h"
#include "engine/executor/work_clock.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// scheme://host:port of |url|, in small letters, without the port that its scheme means anyway.
std::string host_of(const std::string& url);

struct Transfer {
  Task task;
  std::string host;      ///< scheme://host:port
  std::size_t lane = 0;  ///< for who carries it out
  CURL* easy = nullptr;
  Sockets* sockets = nullptr;
  curl_slist* header_list = nullptr;
  std::FILE* upload = nullptr;
  WorkClock::time_point begun;  ///< when it was taken, not when a connection was free for it
  Instant began;                ///< the same by the wall clock
  /// libcurl measures the time to connect, and by a clock that goes on while flowrun is frozen.
  WorkClock::duration lost{0};  ///< in which flowrun did not run before the connection was asked for
  bool stirred = false;         ///< since the last look a byte has moved
  WorkClock::time_point moved;  ///< when the last one was seen
  std::int64_t uploaded = 0;    ///< at that look
  enum class Over { No, Timeout, Wait, Idle } over = Over::No;
  std::optional<Body> body;  ///< since its first byte
  BodyFile file;
  bool headed = false;                             ///< the answer's headers are complete
  bool switched = false;                           ///< the answer is 101: what follows is no HTTP
  bool enough = false;                             ///< no more of the body was wanted
  std::size_t header_lines = 0, header_bytes = 0;  ///< of all answers to this request, 1xx included
  std::string header_fault;    ///< not empty: why the answer's header can not be taken for what it says
  std::string content_length;  ///< as the answer says it
  bool file_broken = false;
  bool located = false;                        ///< the name of its host is looked up
  bool sent = false;                           ///< some request has gone out, perhaps one that was redirected
  bool sent_here = false, sent_twice = false;  ///< the request to where it has been redirected
  std::string url, method;                     ///< now, after redirects
  std::string shown_url;                       ///< the same without secrets
  const Mask* mask = nullptr;
  std::optional<Mask::Stream> file_mask;  ///< of an answer that is streamed into a file
  bool with_body = true;                  ///< a redirect may have dropped it
  bool unusual = false;                   ///< the handle has options that the next transfer must not see
  int redirects = 0;
  std::string bad_redirect;  ///< not empty: why the answer's redirect can not be followed
  char trouble[CURL_ERROR_SIZE] = {};

  ~Transfer();
  /// Before secrets are filled in: how it is to be shown, and what is to be masked in the answer.
  void conceal(const Mask& secrets);
  const HttpRequest& request() const { return std::get<HttpRequest>(*task.work); }
  /// |idle|: of an earlier transfer; null: a new one is made. False: libcurl is out of memory.
  bool take_handle(CURL* idle, Sockets& sockets);
  /// For the next transfer; null: it is spent. |good|: nothing has failed. libcurl's reset is not used: it takes the
  /// size of a buffer back that is there still when a connection is shared, and would write beyond its end (7.88).
  CURL* give_handle_back(bool good);
  /// Sets the handle's options. |crowded|: it shares the memory with hundreds. A failure: why it can not begin.
  std::optional<Failure> prepare(const RunFolder& folder, bool crowded);
  /// The answer sends the request elsewhere, and it may go there.
  bool redirected() const;
  /// Sets the options for going there. Not empty: why it can not.
  std::string prepare_redirect();
  long status() const;
  /// All that is wanted has come, perhaps because libcurl was told to stop there.
  bool complete(CURLcode code) const;
  /// It waited for another all the time that it had; nothing of it was sent. |connecting|: for the connection.
  Failure out_of_time(bool connecting) const;
  /// A piece of the answer's body. False: no more is wanted.
  bool take(std::string_view bytes);
  /// |now|: when it is over.
  Result result(CURLcode code, WorkClock::time_point now);
  /// Whether it has taken too long; sets |over|. Time in which flowrun was frozen does not count.
  bool overdue(WorkClock::time_point now);
  /// When to look at it again.
  WorkClock::time_point look_at(WorkClock::time_point now) const;

 private:
  Failure failure_of(CURLcode code) const;
  /// What is left of |span| since it was taken; at least a bit.
  template <typename Setting>
  void set(CURLoption option, Setting value);
  /// The options that are the same for all transfers.
  void set_usual();
  std::string prepare_headers();
  bool sends_body() const;
  std::string prepare_body();
  bool has_secret(TaskHole::In in, std::size_t index = 0) const;
  HttpAnswer answer() const;
  /// Of the answer, while the handle is here.
  std::optional<std::string_view> header(const char* name) const;
};

}  // namespace flowrun
