// A worker: an endpoint of Restate's service protocol over HTTP/1.1, which offers `step` and what others give it. Knows
// paths, versions and frames; what handlers do is theirs.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/executor/event_loop.h"
#include "engine/executor/inbox.h"
#include "engine/restate/handler.h"
#include "engine/restate/http_listener.h"
#include "engine/restate/identity.h"
#include "engine/restate/worker_folder.h"
#include "engine/restate/worker_steps.h"

namespace flowrun::restate {

/// Belongs to the first thread of the process: orphans of steps come to it.
class Endpoint {
 public:
  /// Lines for people; |detail|: only for who wants to see each attempt.
  using Say = std::function<void(const std::string& line, bool detail)>;

  /// Listens, from here on. Throws Error(Usage) for options that can not be, Error(Impossible) and Error(Journal) where
  /// it can not listen or keep files.
  Endpoint(WorkerOptions options, Say say);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Where it listens: ADDRESS:PORT.
  const std::string& address() const { return server_->address(); }
  const std::vector<Leftover>& leftovers() const { return folder_.leftovers(); }
  /// Serves until |asked| says an end: 1: what runs may finish, and nothing new begins; 2 or more: it is stopped. Looks
  /// at it several times a second.
  void serve(const std::function<int()>& asked);

 private:
  struct Done {
    std::uint64_t request;
    std::string frames;
  };
  struct Work {
    std::uint64_t request;
    const OfferedHandler* handler;
    std::shared_ptr<Invocation> invocation;
  };

  void on_request(std::uint64_t id, HttpMessage request);
  void discover(std::uint64_t id, const HttpMessage& request);
  void invoke(std::uint64_t id, HttpMessage request, const std::string& service, const std::string& handler);
  const OfferedHandler* offered(const std::string& service, const std::string& handler) const;
  void answer_frames(std::uint64_t id, std::string frames);
  void refuse(std::uint64_t id, int status, const std::string& why);
  void settle();
  void hand_over(Work work);
  void work();
  std::string call(const OfferedHandler& handler, const Invocation& invocation) const;

  const WorkerOptions options_;
  const Say say_;
  const Identity identity_;
  WorkerFolder folder_;
  WorkClock clock_;
  EventLoop loop_{clock_};
  Inbox<Done> done_{loop_.wakeup_fd()};
  std::unordered_map<std::uint64_t, int> protocols_;                       ///< of requests that are being answered
  std::unordered_map<std::uint64_t, std::shared_ptr<Invocation>> called_;  ///< of handlers beside `step`
  bool draining_ = false;
  int hinted_ = 0;  ///< the last refusal that was told

  // Handlers that block.
  std::mutex mutex_;
  std::condition_variable more_work_;
  std::deque<Work> work_;
  bool quit_ = false;
  std::vector<std::thread> threads_;

  std::unique_ptr<HttpListener> server_;
  std::unique_ptr<WorkerSteps> steps_;
};

/// The names of service and handler in `/invoke/SERVICE/HANDLER`, whatever stands before it. False: it is none.
bool invoked_by(std::string_view target, std::string& service, std::string& handler);
/// The N of `application/vnd.restate.invocation.vN`; 0: it is none.
int protocol_from(std::string_view content_type);

}  // namespace flowrun::restate
