// The handler `step`: attempts that others ask for, their line for a place, and the executors of their runs. Knows
// invocations and what answers them; nothing of HTTP. Belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/executor/inbox.h"
#include "engine/restate/handler.h"
#include "engine/restate/step_call.h"
#include "engine/restate/worker_folder.h"
#include "engine/restate/worker_run.h"

namespace flowrun::restate {

class WorkerSteps {
 public:
  /// The answer of the request with that number: frames. Empty: none, it is to be asked again.
  using Answer = std::function<void(std::uint64_t request, std::string frames)>;
  /// A line for people about an attempt.
  using Say = std::function<void(const std::string& line)>;

  /// |folder| and |wakeup|, which is notified when settle() has something to do, outlive it.
  WorkerSteps(WorkerFolder& folder, std::string workdir, int jobs, const WakeupFd& wakeup, Answer answer, Say say);
  ~WorkerSteps();

  /// Answers |invocation| when its attempt has ended, or at once.
  void begin(std::uint64_t request, const Invocation& invocation);
  /// Nobody waits for the answer of |request| any more: its attempt is stopped.
  void gone(std::uint64_t request);
  /// Answers what has ended.
  void settle();
  /// Nothing begins any more; what has not begun is to be asked again.
  void drain();
  /// Everything is stopped, and killed after |most|.
  void stop_all(Duration most);
  /// Attempts that are there, also those that nobody waits for.
  std::size_t size() const { return attempts_.size(); }
  /// Runs that have not been used for a while are given up. To be called now and then.
  void tidy();

 private:
  using Clock = std::chrono::steady_clock;
  struct Run {
    std::string key;
    std::unique_ptr<WorkerRun> run;
    /// Of each path the attempts in the order in which they came; only the first may have begun.
    std::unordered_map<std::string, std::deque<std::uint64_t>> paths{};
    std::map<std::string, int> staying{};  ///< steps in flight whose processes may stay behind
    Clock::time_point used = Clock::now();
  };
  struct Attempt {
    std::string invocation;
    Run* run;
    Task task;
    std::string path;
    int number;
    bool counted = false, shared = false;  ///< it needs a place
    int weight = 1;
    bool leaves = false;
    enum class State : std::uint8_t { BehindAnother, InLine, Begun } state = State::BehindAnother;
    bool stopped = false;  ///< its end is no answer
    bool repeats = true;
  };
  struct EndedIn {
    Run* run;
    WorkerRun::Ended ended;
  };

  Run& run_of(const StepCall& call);
  void line_up(std::uint64_t id);
  bool has_place(const Attempt& attempt) const;
  void start(std::uint64_t request);
  /// The server asks again before it has closed the connection of the first.
  void give_up_earlier(Run& run, const std::string& path, const std::string& invocation);
  void fill_places();
  void stop(Attempt& attempt);
  void take(const EndedIn& ended);
  void drop(std::uint64_t id);
  void fail(std::uint64_t request, const Task& task, const char* type, std::string message);
  void note_staying(Run& run, const std::string& path, int change);

  WorkerFolder& folder_;
  const std::string workdir_;
  const int jobs_, cpus_;
  Answer answer_;
  Say say_;
  Inbox<EndedIn> inbox_;
  std::unordered_map<std::uint64_t, Attempt> attempts_;  ///< by the number of the request
  std::map<std::string, std::unique_ptr<Run>> runs_;
  std::deque<std::uint64_t> line_;
  int begun_ = 0, begun_shared_ = 0;  ///< the weight of processes that have a place
  bool draining_ = false;
  Clock::time_point tidied_ = Clock::now();
};

/// |path| below |folder| is below |workdir|.
std::string moved_path(const std::string& path, const std::string& folder, const std::string& workdir);

}  // namespace flowrun::restate
