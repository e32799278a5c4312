// What a worker has for each run whose steps it carries out: an executor with the secrets of that run, and the thread
// that waits for it. Knows tasks and results; nothing of requests.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/inbox.h"
#include "engine/executor/secrets.h"
#include "engine/restate/step_call.h"

namespace flowrun::restate {

/// Everything but the constructor and the destructor may be called by any thread.
class WorkerRun {
 public:
  struct Options {
    ExecutorOptions executor;           ///< its secrets are those of this class
    std::vector<SecretSource> secrets;  ///< each may be missing; only who needs it fails then
    std::string workdir;                ///< where files of secrets and their commands start
    std::string file;                   ///< of the workflow, for messages
  };
  /// An attempt has ended. |text|: ended_text(). Called on the thread of this class.
  struct Ended {
    std::string path;
    int attempt;
    std::string text, failure;  ///< |failure|: its type; empty: it succeeded
    Duration took{0};
  };
  using OnEnded = std::function<void(Ended)>;

  /// |prepare| is called on the thread of this class before the first task that uses the folder of the run; what it
  /// throws fails that task.
  WorkerRun(Options options, std::function<void()> prepare, OnEnded on_ended);
  /// What still runs is killed.
  ~WorkerRun();

  /// REQUIRES: no other task of that path is there.
  void begin(Task task) { post(std::move(task)); }
  void stop(std::string path, int attempt) { post(Stop{std::move(path), attempt}); }
  void stop_all(Duration most) {
    ending_ = true;
    post(StopAll{most});
  }

 private:
  struct Stop {
    std::string path;
    int attempt;
  };
  struct StopAll {
    Duration most;
  };
  struct Quit {};
  using Command = std::variant<Task, Stop, StopAll, Quit>;

  void post(Command command);
  void run();
  /// False: it is to quit.
  bool handle(Command command);
  void open();
  void begin_task(Task task);
  void fail(const Task& task, const char* type, std::string message);

  const Options options_;
  const std::function<void()> prepare_;
  const OnEnded on_ended_;
  WakeupFd wakeup_;  ///< wakes the thread while there is no executor yet
  Inbox<Command> commands_{wakeup_};
  std::atomic<bool> ending_{false};  ///< secrets need not be read any more
  Secrets secrets_;
  std::mutex mutex_;  ///< guards the pointer: it is woken by others
  std::unique_ptr<Executor> executor_;
  bool prepared_ = false;
  std::thread thread_;  ///< last: it uses the above
};

}  // namespace flowrun::restate
