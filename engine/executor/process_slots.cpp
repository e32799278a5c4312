#include "engine/executor/process_slots.h"

#include <algorithm>

#include "engine/model/path.h"

namespace flowrun {

bool ProcessSlots::below_limit(const Place& place) const {
  if (jobs_ > 0) return fits(running_, place.weight, jobs_);
  return !place.shares_cpus || fits(running_, place.weight, cpus_);
}

bool ProcessSlots::take(const Place& place) {
  if (!below_limit(place)) return false;
  if (!counts(place)) return true;
  if (jobserver_ && !jobserver_->take()) return false;
  running_ += place.weight;
  return true;
}

void ProcessSlots::give_back(const Place& place) {
  if (!counts(place)) return;
  running_ -= place.weight;
  if (jobserver_) jobserver_->put_back();
}

ProcessSlots::Place ProcessSlots::place_of(const Waiting& waiting) {
  if (const auto* task = std::get_if<Task>(&waiting)) return flowrun::place_of(std::get<Process>(*task->work));
  const auto& reservation = std::get<ReservePlace>(waiting);
  return {reservation.shares_cpus, reservation.weight};
}

void ProcessSlots::line_up(Waiting waiting) {
  std::optional<std::size_t> number;
  if (const auto* task = std::get_if<Task>(&waiting); task && line_file_)
    number = line_file_->add(task->path, task->attempt, LineKind::Slot);
  line_.push_back({std::move(waiting), number});
}

ProcessSlots::Waiting ProcessSlots::leave_line(InLine& one) {
  if (one.number) line_file_->remove(*one.number);
  return std::move(one.who);
}

bool ProcessSlots::admit(Task& task) {
  const Place place = flowrun::place_of(std::get<Process>(*task.work));
  std::lock_guard lock(mutex_);
  if (task.strict && held_.erase(task.path) > 0) return true;
  bool must_queue = counts(place) && !line_.empty();
  if (!must_queue && take(place)) return true;
  line_up(std::move(task));
  return false;
}

bool ProcessSlots::reserve(ReservePlace reservation) {
  const Place place = place_of(reservation);
  std::lock_guard lock(mutex_);
  bool must_queue = counts(place) && !line_.empty();
  if (!must_queue && take(place)) {
    held_.emplace(std::move(reservation.path), place);
    return true;
  }
  line_up(std::move(reservation));
  return false;
}

void ProcessSlots::leave(const Place& place) {
  std::lock_guard lock(mutex_);
  give_back(place);
}

void ProcessSlots::withhold(const std::string& path, const Place& place) {
  std::lock_guard lock(mutex_);
  withheld_.emplace(path, place);
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
  if (line_.empty() || !take(place_of(line_.front().who))) {
    if (jobserver_) jobserver_->settle();
    return std::nullopt;
  }
  Waiting first = leave_line(line_.front());
  line_.pop_front();
  if (const auto* reservation = std::get_if<ReservePlace>(&first)) held_.emplace(reservation->path, place_of(first));
  return first;
}

bool ProcessSlots::lacks_token() {
  std::lock_guard lock(mutex_);
  if (!jobserver_ || jobserver_->readable() < 0 || token_awaited_ || line_.empty()) return false;
  token_awaited_ = below_limit(place_of(line_.front().who));
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
  if (const auto held = held_.find(path); held != held_.end()) {
    give_back(held->second);
    freed = counts(held->second);
    held_.erase(held);
    return std::nullopt;
  }
  for (auto it = line_.begin(); it != line_.end(); ++it) {
    // Who stood behind it may be lighter.
    const bool first = it == line_.begin();
    if (auto* task = std::get_if<Task>(&it->who); task && task->path == path && task->attempt == attempt) {
      freed = first;
      Task taken = std::get<Task>(leave_line(*it));
      line_.erase(it);
      return taken;
    }
    if (auto* reservation = std::get_if<ReservePlace>(&it->who); reservation && reservation->path == path) {
      freed = first;
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
