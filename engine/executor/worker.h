// One thread with one event loop: processes, transfers and due times. Knows tasks and results.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/executor/environment.h"
#include "engine/executor/executor.h"
#include "engine/executor/output_log.h"
#include "engine/executor/process_slots.h"
#include "engine/executor/run_folder.h"
#include "engine/executor/secrets.h"
#include "engine/executor/work_clock.h"

namespace flowrun {

class Http;
class Children;

inline Instant wall_clock() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

/// What the workers of a pool share with the run thread. Everything in it may be used by any thread.
struct PoolShared {
  explicit PoolShared(const ExecutorOptions& options);
  ~PoolShared();
  PoolShared(const PoolShared&) = delete;
  PoolShared& operator=(const PoolShared&) = delete;

  /// Hands |event| to the run thread.
  void tell(Event event);
  /// With nothing secret in |result|.
  void tell_ended(const Task& task, Result result);
  /// Takes all that was told; waits up to |timeout| for the first.
  void take(std::vector<Event>& into, Duration timeout);
  void wake();
  /// Makes the run's folder, once. Throws Error when it can not be used.
  void make_run_dir();
  /// Numbers processes, from 1.
  std::uint64_t next_process() { return ++processes_; }
  const Secrets& secrets() const { return options.secrets ? *options.secrets : none_; }

  WorkClock clock;
  const ExecutorOptions options;
  const BaseEnvironment base_environment;
  RunFolder folder;
  ProcessSlots slots;
  OutputLog log;

 private:
  std::mutex mutex_;
  std::vector<Event> told_;
  int bell_;  ///< eventfd
  std::once_flag run_dir_made_;
  std::atomic<std::uint64_t> processes_ = 0;
  const Secrets none_;
};

/// One step of a worker's loop is done for whoever registered a descriptor.
class Worker {
 public:
  struct Stop {
    std::string path;
    int attempt;
  };
  struct StopAll {
    std::optional<Duration> most;  ///< of each kill_grace
  };
  struct HandOut {};  ///< one place has become free without a process of this worker
  /// Answered when all has been taken in that had happened before.
  struct CatchUp {
    std::shared_ptr<std::promise<void>> done;
  };
  struct Quit {};
  using Order = std::variant<Task, Stop, StopAll, HandOut, CatchUp, Quit>;

  explicit Worker(PoolShared& shared);
  ~Worker();

  /// Any thread.
  void post(Order order);

  // For Children and Http, on the worker's own thread.
  PoolShared& shared() { return shared_; }
  int epoll() const { return epoll_; }
  WorkClock::time_point now() { return shared_.clock.now(); }
  /// Calls Children::due with |id| after |delay|, in which flowrun runs, and after all that had happened by then.
  void alarm(std::uint64_t id, Duration delay);
  /// Calls Http::due at |due|; nothing: never. Only the newest call counts: libcurl changes its mind often, and what
  /// it no longer wants must not pile up in a heap.
  void http_alarm(std::optional<std::chrono::steady_clock::time_point> due) { http_alarm_ = due; }
  /// A process has left its place: whoever waits begins.
  void place_freed(bool shared);
  void begin(Task task);

 private:
  struct Alarm {
    WorkClock::time_point at;
    std::uint64_t id;
    bool operator>(const Alarm& other) const { return at > other.at; }
  };
  void loop();
  bool obey();
  int patience(WorkClock::time_point now) const;
  void ring_alarms(WorkClock::time_point now);
  void hand_out();

  PoolShared& shared_;
  int epoll_, bell_;
  std::mutex mutex_;
  std::vector<Order> orders_;
  std::vector<Alarm> alarms_;  ///< a heap
  std::vector<CatchUp> to_catch_up_;
  std::optional<std::chrono::steady_clock::time_point> http_alarm_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<Http> http_;
  std::thread thread_;  ///< last: the loop uses the above
};

/// In epoll's data: who is meant, and a number that is never used twice, so that a stale event means nobody.
enum class Wake : std::uint64_t { Bell, Exit, Out, Err, In, Socket };
constexpr std::uint64_t wake_data(Wake wake, std::uint64_t id) { return id << 3 | static_cast<std::uint64_t>(wake); }

}  // namespace flowrun
