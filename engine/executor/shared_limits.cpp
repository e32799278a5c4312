#include "engine/executor/shared_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/error.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

// Who has waited for long looks less often: a short task is followed at once, and a long wait costs next to nothing.
constexpr std::chrono::nanoseconds kSoonest = std::chrono::milliseconds(1), kLatest = std::chrono::milliseconds(20);
constexpr int kPart = 8;  // of the time waited
// So many begin in one turn, where a rate is faster than lines can be looked at.
constexpr std::int64_t kTurns = 1000;  // in a second

std::int64_t starts_in_turn(const SharedPool& of) {
  const std::int64_t seconds = std::max<std::int64_t>(1, of.per.count() / 1000);
  return std::max<std::int64_t>(1, of.rate / seconds / kTurns);
}

}  // namespace

bool SharedLimits::admit(Task& task) {
  std::unique_lock lock(mutex_);
  if (stopped_) return true;
  std::unique_ptr<Pool>& pool = pools_[task.shared->name];
  try {
    if (!file_) file_ = std::make_unique<SharedFile>(path_);
    if (!pool) pool = std::make_unique<Pool>(*file_, task.shared->name);
    TakenPlaces places;
    if (pool->waiting.empty()) {
      pool->since = Clock::now();
      if (has_turn(*pool, *task.shared, places)) {
        if (!places.empty()) held_[{task.path, task.attempt}] = {pool.get(), std::move(places)};
        task.shared.reset();
        tidy(*pool);
        return true;
      }
    }
    const SharedPool& of = *task.shared;
    const std::string who = of.max > 0 ? pool->line.never_behind(of.weight, of.max) : "";
    if (!who.empty()) {
      tidy(*pool);
      Failure failure{"limit", fmt::format("it would wait for ever: {}, below which it runs, has places of limit `{}`",
                                           who, of.name)};
      ready_(std::move(task), std::move(failure));
      return false;
    }
  } catch (const Error& error) {
    ready_(std::move(task), Failure{"internal", error.what()});
    return false;
  }
  const auto number = line_file_ ? line_file_->add(task.path, task.attempt, LineKind::SharedPlace) : std::nullopt;
  pool->waiting.push_back({std::move(task), number});
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
  return false;
}

std::optional<HeldPlaces> SharedLimits::held_by(const std::string& path, int attempt) const {
  std::lock_guard lock(mutex_);
  const auto held = held_.find({path, attempt});
  if (held == held_.end()) return std::nullopt;
  const TakenPlaces& places = held->second.second;
  return HeldPlaces{file_->identity(), "", ranges_of(places.bytes), places.mark};
}

bool SharedLimits::has_turn(Pool& pool, const SharedPool& of, TakenPlaces& places) {
  const auto now = Clock::now();
  pool.look = now + std::clamp<std::chrono::nanoseconds>((now - pool.since) / kPart, kSoonest, kLatest);
  if (!pool.line.is_first()) return false;
  const std::int64_t moment = of.rate > 0 ? SharedRate::now() : 0;
  if (of.rate > 0) {
    const std::optional<std::int64_t> opens = pool.rate.opens(of.rate, of.per);
    if (opens && *opens > moment) pool.look = std::min(now + std::chrono::nanoseconds(*opens - moment), now + kLatest);
    if (!opens || *opens > moment) return false;
  }
  if (of.max > 0 && !pool.line.take(of.weight, of.max, places)) return false;
  if (of.rate > 0 && !pool.rate.start(of.rate, of.per, moment)) {
    pool.line.give_back(std::exchange(places, {}));
    return false;
  }
  // Others have their turn before the next of ours.
  if (++pool.begun >= starts_in_turn(of)) {
    pool.begun = 0;
    pool.line.leave();
  }
  pool.since = now;
  return true;
}

Task SharedLimits::take_out(Pool& pool, std::deque<InLine>::iterator which) {
  if (which->number) line_file_->remove(*which->number);
  Task task = std::move(which->task);
  task.shared.reset();
  pool.waiting.erase(which);
  return task;
}

void SharedLimits::tidy(Pool& pool) {
  if (pool.waiting.empty()) pool.line.leave();
}

void SharedLimits::serve(Pool& pool) {
  TakenPlaces places;
  try {
    while (!pool.waiting.empty() && has_turn(pool, *pool.waiting.front().task.shared, places)) {
      Task task = take_out(pool, pool.waiting.begin());
      if (!places.empty()) held_[{task.path, task.attempt}] = {&pool, std::exchange(places, {})};
      ready_(std::move(task), std::nullopt);
    }
  } catch (const Error& error) {
    while (!pool.waiting.empty()) ready_(take_out(pool, pool.waiting.begin()), Failure{"internal", error.what()});
  }
  tidy(pool);
}

void SharedLimits::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    std::optional<Clock::time_point> next;
    for (auto& [name, pool] : pools_) {
      if (!pool || pool->waiting.empty()) continue;
      if (pool->look <= Clock::now()) serve(*pool);
      if (!pool->waiting.empty() && (!next || pool->look < *next)) next = pool->look;
    }
    if (next) {
      changed_.wait_until(lock, *next);
    } else {
      changed_.wait(lock);
    }
  }
}

void SharedLimits::ended(const std::string& path, int attempt) {
  std::lock_guard lock(mutex_);
  const auto held = held_.find({path, attempt});
  if (held == held_.end()) return;
  Pool& pool = *held->second.first;
  pool.line.give_back(held->second.second);
  held_.erase(held);
  pool.look = {};
  changed_.notify_one();
}

std::optional<Task> SharedLimits::withdraw(const std::string& path, int attempt) {
  std::lock_guard lock(mutex_);
  for (auto& [name, pool] : pools_) {
    if (!pool) continue;
    const auto found = std::find_if(pool->waiting.begin(), pool->waiting.end(), [&](const InLine& one) {
      return one.task.path == path && one.task.attempt == attempt;
    });
    if (found == pool->waiting.end()) continue;
    Task task = take_out(*pool, found);
    tidy(*pool);
    return task;
  }
  return std::nullopt;
}

std::vector<Task> SharedLimits::withdraw_below(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::vector<Task> tasks;
  for (auto& [name, pool] : pools_) {
    if (!pool) continue;
    for (auto one = pool->waiting.begin(); one != pool->waiting.end();) {
      const auto at = one - pool->waiting.begin();
      if (is_below(one->task.path, path)) {
        tasks.push_back(take_out(*pool, one));
        one = pool->waiting.begin() + at;
      } else {
        ++one;
      }
    }
    tidy(*pool);
  }
  return tasks;
}

std::map<std::string, std::size_t> SharedLimits::waiting() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::size_t> waiting;
  for (const auto& [name, pool] : pools_)
    if (pool && !pool->waiting.empty()) waiting[name] = pool->waiting.size();
  return waiting;
}

void SharedLimits::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace flowrun
