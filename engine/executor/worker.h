// One thread that carries out tasks: an event loop, the processes and the transfers on it. Knows commands and results.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/executor/event_loop.h"
#include "engine/executor/inbox.h"
#include "engine/executor/pool_shared.h"

namespace flowrun {

class Http;
class Children;

class Worker {
 public:
  struct Stop {
    std::string path;
    int attempt;
  };
  struct StopAll {
    std::optional<Duration> most;  ///< of each kill_grace
  };
  struct FillSlot {};    ///< a slot has become free without a process of this worker
  struct AwaitToken {};  ///< the first in line lacks nothing but a token of the jobserver
  /// Answered when everything that had happened before has been handled.
  struct CatchUp {
    std::shared_ptr<std::promise<void>> done;
  };
  struct Quit {};
  using Command = std::variant<Task, Stop, StopAll, FillSlot, AwaitToken, CatchUp, Quit>;

  /// |shared| outlives the worker.
  explicit Worker(PoolShared& shared);
  ~Worker();

  /// Any thread.
  void post(Command command) { commands_.post(std::move(command)); }

 private:
  void run();
  /// False: the worker is to quit.
  bool handle_commands();
  void begin(Task task);

  PoolShared& shared_;
  EventLoop loop_;
  Inbox<Command> commands_{loop_.wakeup_fd()};
  std::vector<CatchUp> to_catch_up_;
  // They have descriptors on the loop, so they are destroyed before it.
  std::unique_ptr<Children> children_;
  std::unique_ptr<Http> http_;
  std::thread thread_;  ///< last: it uses the above
};

}  // namespace flowrun
