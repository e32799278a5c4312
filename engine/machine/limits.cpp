#include "engine/machine/limits.h"

#include <algorithm>

#include "engine/model/token_rate.h"

namespace flowrun {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

/// Nanoseconds of 64 bit end some days later, in 2262. A journal may have later dates: from then on no rate binds.
constexpr Instant kLastCounted{Duration{9'223'000'000'000}};

std::int64_t nanoseconds(Instant at) { return Nanoseconds(std::min(at, kLastCounted).time_since_epoch()).count(); }

}  // namespace

Pools::Pools(const std::vector<std::unique_ptr<Limit>>& limits) {
  for (const auto& limit : limits) {
    Pool& pool = pools_[limit.get()];
    pool.limit = limit.get();
    in_order_.push_back(&pool);
    if (!limit->name.empty()) dated_.push_back(&pool);
  }
}

Pools::Ticket Pools::line_up(TaskFrame& frame, const Limit* limit, std::size_t weight, bool again) {
  Ticket ticket = again ? again_++ : fresh_++;
  Pool& own = pool(limit);
  own.line.emplace(ticket, Waiting{&frame, weight});
  ++waiting_;
  refresh(own);
  return ticket;
}

void Pools::leave(Ticket ticket, const Limit* limit) {
  Pool& own = pool(limit);
  own.line.erase(ticket);
  --waiting_;
  refresh(own);
}

std::optional<std::size_t> Pools::next(Instant now) {
  now_ = now;
  for (Pool* dated : dated_) refresh(*dated);
  if (next_.empty()) return std::nullopt;
  return next_.begin()->second->line.begin()->second.weight;
}

TaskFrame* Pools::admit() {
  Pool& first = *next_.begin()->second;
  TaskFrame* frame = first.line.begin()->second.frame;
  if (first.limit && first.limit->rate > 0) count_start(first, now_);
  leave(first.line.begin()->first, first.limit);
  return frame;
}

void Pools::occupy(const Limit* limit, std::size_t weight) {
  if (!limit) return;
  Pool& own = pool(limit);
  own.busy += weight;
  refresh(own);
}

void Pools::vacate(const Limit* limit, std::size_t weight) {
  if (!limit) return;
  Pool& own = pool(limit);
  own.busy -= weight;
  refresh(own);
}

void Pools::hold(const Limit& limit, Instant until) {
  Pool& own = pool(&limit);
  own.held = std::max(own.held, until);
  refresh(own);
}

std::vector<TaskFrame*> Pools::waiting_in(const Limit& limit) const {
  std::vector<TaskFrame*> frames;
  for (const auto& [ticket, waiting] : pool(&limit).line) frames.push_back(waiting.frame);
  return frames;
}

std::vector<Pools::Line> Pools::closed() const {
  std::vector<Line> closed;
  for (const Pool* dated : dated_)
    if (!dated->line.empty() && !full(*dated) && opens(*dated) > now_) closed.push_back(describe(*dated));
  return closed;
}

std::vector<Pools::Line> Pools::lines() const {
  std::vector<Line> lines;
  if (!free_.line.empty()) lines.push_back(describe(free_));
  for (const Pool* pool : in_order_)
    if (!pool->line.empty()) lines.push_back(describe(*pool));
  return lines;
}

Pools::Line Pools::describe(const Pool& pool) const {
  Line line{pool.limit, pool.line.size(), full(pool)};
  if (opens(pool) > now_) line.opens = opens(pool);
  line.held = line.opens == pool.held;
  return line;
}

// What is heavier than all there is runs alone.
bool Pools::full(const Pool& pool) {
  if (!pool.limit || pool.limit->max == 0) return false;
  return pool.busy + std::min(pool.line.begin()->second.weight, pool.limit->max) > pool.limit->max;
}

// The tokens are spread evenly, with the slack for late starts. That alone might let a few too many into a span; the
// dates of the last |rate| starts keep the promise: each is a whole span after the start that is |rate| before it.
Instant Pools::opens(const Pool& pool) {
  Instant at = pool.held;
  if (!pool.limit || pool.limit->rate == 0) return at;
  at = std::max(at, Instant(std::chrono::floor<Duration>(Nanoseconds(pool.token))));
  if (pool.starts.size() >= static_cast<std::size_t>(pool.limit->rate))
    at = std::max(at, pool.starts.front() + pool.limit->per);
  return at;
}

void Pools::count_start(Pool& pool, Instant now) {
  const Limit& limit = *pool.limit;
  pool.token = next_token(pool.token, nanoseconds(now), limit.rate, limit.per);
  pool.starts.push_back(now);
  if (pool.starts.size() > static_cast<std::size_t>(limit.rate)) pool.starts.pop_front();
}

void Pools::refresh(Pool& pool) {
  std::optional<Ticket> next;
  if (!pool.line.empty() && !full(pool) && opens(pool) <= now_) next = pool.line.begin()->first;
  if (next == pool.next) return;
  if (pool.next) next_.erase(*pool.next);
  if (next) next_.emplace(*next, &pool);
  pool.next = next;
}

}  // namespace flowrun
