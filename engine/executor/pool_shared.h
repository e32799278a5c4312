// What the workers of a pool share with the run thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/executor/environment.h"
#include "engine/executor/executor.h"
#include "engine/executor/inbox.h"
#include "engine/executor/jobserver.h"
#include "engine/executor/output_log.h"
#include "engine/executor/process_slots.h"
#include "engine/executor/run_folder.h"
#include "engine/executor/secret_outputs.h"
#include "engine/executor/secrets.h"
#include "engine/executor/shared_limits.h"
#include "engine/executor/wakeup_fd.h"
#include "engine/executor/work_clock.h"

namespace flowrun {

/// Any thread may use everything in it, but for take(), which is the run thread's.
struct PoolShared {
  explicit PoolShared(const ExecutorOptions& options);
  PoolShared(const PoolShared&) = delete;
  PoolShared& operator=(const PoolShared&) = delete;

  /// Hands |event| to the run thread.
  void tell(Event event) { events_.post(std::move(event)); }
  /// Masks the secrets in |result|, and tells that |task| has ended with it.
  void tell_ended(const Task& task, Result result);
  /// Appends to |into| every event that was told; waits up to |timeout| for the first.
  void take(std::vector<Event>& into, Duration timeout);
  /// Makes take() return soon. Safe in a signal handler.
  void wake() { wakeup_fd_.notify(); }
  /// True: |task| has its places of what drives share, and may begin. Else it was taken, and comes again.
  bool may_begin(Task& task);
  /// What |task|, which may begin, has of what drives share.
  std::optional<HeldPlaces> held_by(const Task& task) const;
  /// Tells that |task|, which has not begun, was stopped.
  void tell_stopped(const Task& task);
  /// Gives back the slot of |task|, which waited for places of what drives share. True: it had one.
  bool leave_slot(const Task& task);
  /// Stops a task that waits for such places, and sets |freed| when a slot is free now. False: it does not wait there.
  bool stop_waiting(const std::string& path, int attempt, bool& freed);
  /// All that wait there. True: a slot is free now.
  bool stop_all_waiting();
  /// What processes need; for the run thread, before each is begun.
  void prepare_processes();
  /// Makes the run's folder, once. Throws Error when it can not be used.
  void make_run_dir();
  /// Numbers processes, from 1.
  std::uint64_t next_process() { return ++processes_; }
  const Secrets& secrets() const { return options.secrets ? *options.secrets : none_; }

  WorkClock clock;
  const ExecutorOptions options;
  BaseEnvironment base_environment;
  RunFolder folder;
  Jobserver jobserver;
  const std::unique_ptr<LineFile> line;  ///< null: the run has no folder
  ProcessSlots slots;
  SharedLimits limits;
  Mask mask;  ///< of the secrets, and of what is taken out of secret outputs
  /// Of what comes back from |task| for its value: a secret output is kept as it is.
  const Mask& mask_of(const Task& task) const { return task.secret_output ? no_mask_ : mask; }
  SecretOutputs secret_outputs{mask};
  OutputLog log;

 private:
  WakeupFd wakeup_fd_;
  Inbox<Event> events_{wakeup_fd_};
  std::once_flag run_dir_made_;
  bool processes_prepared_ = false;
  std::atomic<std::uint64_t> processes_ = 0;
  const Secrets none_;
  const Mask no_mask_;
};

}  // namespace flowrun
