#include "engine/executor/process_slots.h"

#include <algorithm>

#include "engine/model/path.h"

namespace flowrun {

bool ProcessSlots::below_limit(bool shared) const {
  if (jobs_ > 0) return running_ < jobs_;
  return !shared || running_ < cpus_;
}

bool ProcessSlots::take(bool shared) {
  if (!below_limit(shared)) return false;
  if (!counts(shared)) return true;
  if (jobserver_ && !jobserver_->take()) return false;
  ++running_;
  return true;
}

void ProcessSlots::give_back(bool shared) {
  if (!counts(shared)) return;
  --running_;
  if (jobserver_) jobserver_->put_back();
}

bool ProcessSlots::shares_cpus(const Waiting& waiting) {
  const auto* task = std::get_if<Task>(&waiting);
  return task ? std::get<Process>(*task->work).shares_cpus : std::get<Reservation>(waiting).shares_cpus;
}

void ProcessSlots::line_up(Waiting waiting) {
  std::optional<std::size_t> number;
  if (const auto* task = std::get_if<Task>(&waiting); task && line_file_)
    number = line_file_->add(task->path, task->attempt);
  line_.push_back({std::move(waiting), number});
}

ProcessSlots::Waiting ProcessSlots::leave_line(InLine& one) {
  if (one.number) line_file_->remove(*one.number);
  return std::move(one.who);
}

bool ProcessSlots::admit(Task& task) {
  bool shared = std::get<Process>(*task.work).shares_cpus;
  std::lock_guard lock(mutex_);
  if (task.strict && (held_.erase(task.path) > 0 || held_shared_.erase(task.path) > 0)) return true;
  bool must_queue = counts(shared) && !line_.empty();
  if (!must_queue && take(shared)) return true;
  line_up(std::move(task));
  return false;
}

bool ProcessSlots::reserve(Reservation reservation) {
  std::lock_guard lock(mutex_);
  bool must_queue = counts(reservation.shares_cpus) && !line_.empty();
  if (!must_queue && take(reservation.shares_cpus)) {
    (reservation.shares_cpus ? held_shared_ : held_).insert(std::move(reservation.path));
    return true;
  }
  line_up(std::move(reservation));
  return false;
}

void ProcessSlots::leave(bool shared) {
  std::lock_guard lock(mutex_);
  give_back(shared);
}

void ProcessSlots::withhold(const std::string& path, bool shared) {
  std::lock_guard lock(mutex_);
  withheld_.emplace(path, shared);
}

bool ProcessSlots::give_on(const std::string& path) {
  std::lock_guard lock(mutex_);
  const auto withheld = withheld_.find(path);
  if (withheld == withheld_.end()) return false;
  give_back(withheld->second);
  withheld_.erase(withheld);
  return true;
}

std::optional<ProcessSlots::Waiting> ProcessSlots::next() {
  std::lock_guard lock(mutex_);
  if (line_.empty() || !take(shares_cpus(line_.front().who))) {
    if (jobserver_) jobserver_->settle();
    return std::nullopt;
  }
  Waiting first = leave_line(line_.front());
  line_.pop_front();
  if (const auto* reservation = std::get_if<Reservation>(&first))
    (reservation->shares_cpus ? held_shared_ : held_).insert(reservation->path);
  return first;
}

bool ProcessSlots::lacks_token() {
  std::lock_guard lock(mutex_);
  if (!jobserver_ || jobserver_->readable() < 0 || token_awaited_ || line_.empty()) return false;
  token_awaited_ = below_limit(shares_cpus(line_.front().who));
  return token_awaited_;
}

void ProcessSlots::token_came() {
  std::lock_guard lock(mutex_);
  token_awaited_ = false;
}

void ProcessSlots::may_have_lost_tokens() {
  std::lock_guard lock(mutex_);
  if (jobserver_) jobserver_->may_have_lost();
}

bool ProcessSlots::still_lacks_token() {
  std::lock_guard lock(mutex_);
  if (token_awaited_ && !line_.empty()) jobserver_->replace();
  return token_awaited_;
}

std::optional<Task> ProcessSlots::withdraw(const std::string& path, int attempt, bool& freed) {
  freed = false;
  std::lock_guard lock(mutex_);
  if (held_.erase(path) > 0) {
    give_back(false);
    freed = counts(false);
    return std::nullopt;
  }
  if (held_shared_.erase(path) > 0) {
    give_back(true);
    freed = true;
    return std::nullopt;
  }
  for (auto it = line_.begin(); it != line_.end(); ++it) {
    if (auto* task = std::get_if<Task>(&it->who); task && task->path == path && task->attempt == attempt) {
      Task taken = std::get<Task>(leave_line(*it));
      line_.erase(it);
      return taken;
    }
    if (auto* reservation = std::get_if<Reservation>(&it->who); reservation && reservation->path == path) {
      line_.erase(it);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::vector<Task> ProcessSlots::withdraw_below(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::vector<Task> tasks;
  std::erase_if(line_, [&](InLine& waiting) {
    auto* task = std::get_if<Task>(&waiting.who);
    if (!task || !is_below(task->path, path)) return false;
    tasks.push_back(std::get<Task>(leave_line(waiting)));
    return true;
  });
  return tasks;
}

}  // namespace flowrun
