#include "engine/executor/pool_shared.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/model/error.h"

namespace flowrun {

PoolShared::PoolShared(const ExecutorOptions& chosen)
    : options(chosen),
      base_environment(chosen),
      folder(chosen.run_dir),
      line(chosen.run_dir.empty() ? nullptr : std::make_unique<LineFile>(folder, chosen.token)),
      slots(chosen.jobs, std::max(1, chosen.cpus), line.get(), &jobserver),
      limits(chosen.shared_file, line.get()),
      mask(chosen.secrets ? chosen.secrets->mask() : Mask()),
      log(folder, chosen.token.substr(0, 8)) {
  if (chosen.secret_outputs) mask.let_grow();
}

bool PoolShared::may_begin(Task& task) {
  if (!task.shared || options.shared_file.empty()) return true;
  try {
    make_run_dir();  // what waits in line stands in it
  } catch (const Error&) {
    // It is taken for one that has begun, should this drive be killed.
  }
  return limits.admit(task);
}

std::optional<HeldPlaces> PoolShared::held_by(const Task& task) const {
  std::optional<HeldPlaces> held = limits.held_by(task.path, task.attempt);
  if (held) held->holder = "step `" + task.path + "` of run " + options.run_id;
  return held;
}

void PoolShared::tell_ended(const Task& task, Result result) {
  limits.ended(task.path, task.attempt);
  if (!mask.empty()) {
    auto masked = [&](Value& value) { value = Value::from_text(mask.json(value.text())); };
    if (!task.secret_output) masked(result.value);
    if (result.failure) {
      result.failure->message = mask.text(result.failure->message);
      masked(result.failure->detail);
    }
  }
  tell({{}, TaskEnded{task.path, task.attempt, std::move(result)}});
}

void PoolShared::tell_stopped(const Task& task) {
  Result result;
  result.failure = Failure{"cancelled", "stopped before it began"};
  result.sent = false;
  tell_ended(task, std::move(result));
}

bool PoolShared::leave_slot(const Task& task) {
  const auto* process = std::get_if<Process>(&*task.work);
  if (process) slots.leave(place_of(*process));
  return process != nullptr;
}

bool PoolShared::stop_waiting(const std::string& path, int attempt, bool& freed) {
  const auto waiting = limits.withdraw(path, attempt);
  if (!waiting) return false;
  freed = leave_slot(*waiting) || freed;
  tell_stopped(*waiting);
  return true;
}

bool PoolShared::stop_all_waiting() {
  bool freed = false;
  for (const Task& waiting : limits.withdraw_below("")) {
    freed = leave_slot(waiting) || freed;
    tell_stopped(waiting);
  }
  return freed;
}

void PoolShared::take(std::vector<Event>& into, Duration timeout) {
  pollfd waiting{wakeup_fd_.descriptor(), POLLIN, 0};
  poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, 1 << 30)));
  wakeup_fd_.clear();
  events_.take(into);
}

void PoolShared::prepare_processes() {
  if (std::exchange(processes_prepared_, true)) return;
  jobserver.open(options.jobs);
  if (jobserver.makeflags()) base_environment.set_inherited("MAKEFLAGS", *jobserver.makeflags());
  try {
    make_run_dir();  // what waits in line stands in it
  } catch (const Error&) {
    // Who needs more of it fails with this message.
  }
}

void PoolShared::make_run_dir() {
  std::call_once(run_dir_made_, [this] {
    if (options.run_dir.empty()) return;
    folder.make();
    folder.remove_all(kOutputName);  // those of attempts that a crash cut off
  });
}

}  // namespace flowrun
