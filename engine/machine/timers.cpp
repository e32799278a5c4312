#include "engine/machine/timers.h"

#include <algorithm>

#include "engine/machine/frame.h"

namespace flowrun {

void Timers::arm(Frame& frame, TimerKind timer, Duration span, int attempt, std::string reason) {
  auto [entry, fresh] = timers_.try_emplace({frame.path(), timer}, Timer{});
  Timer& armed = entry->second;
  if (!fresh && armed.frame != &frame) --armed.frame->timers_;  // in runs of old programs two items may share a path
  if (fresh || armed.frame != &frame) ++frame.timers_;
  armed = Timer{&frame, time_.now() + span, span};
  decisions_.decide(ArmTimer{frame.path(), timer, attempt, armed.due, span, std::move(reason)});
}

void Timers::disarm(Frame& frame, TimerKind timer) {
  if (frame.timers_ == 0) return;
  auto found = timers_.find({frame.path(), timer});
  if (found == timers_.end() || found->second.frame != &frame) return;
  timers_.erase(found);
  --frame.timers_;
}

void Timers::forget(Frame& frame) {
  if (frame.timers_ == 0) return;
  for (TimerKind timer : kTimerKinds) disarm(frame, timer);
}

void Timers::arm(const Limit& limit, Instant opens, std::string reason) {
  const Duration span = opens - time_.now();
  if (!timers_.insert({{limit.path, TimerKind::Limit}, {nullptr, opens, span}}).second) return;
  decisions_.decide(ArmTimer{limit.path, TimerKind::Limit, 0, opens, span, std::move(reason)});
}

void Timers::disarm(const Limit& limit) { timers_.erase({limit.path, TimerKind::Limit}); }

Frame* Timers::fire(const TimerFired& fired) {
  auto timer = timers_.find({fired.path, fired.timer});
  Frame* frame = timer->second.frame;
  timers_.erase(timer);
  if (frame) --frame->timers_;
  return frame;
}

void Timers::postpone_limits_of_work(Duration lost) {
  for (auto& [key, timer] : timers_)
    if (is_limit_of_work(key.second)) timer.due += lost;
}

std::vector<PendingTimer> Timers::pending() const {
  std::vector<PendingTimer> pending;
  pending.reserve(timers_.size());
  for (const auto& [key, timer] : timers_) pending.push_back({key.first, key.second, timer.due, timer.span});
  return pending;
}

std::optional<Instant> Timers::due(const std::string& path, TimerKind timer) const {
  auto found = timers_.find({path, timer});
  if (found == timers_.end()) return std::nullopt;
  return found->second.due;
}

bool Timers::limit_work() const {
  return std::any_of(timers_.begin(), timers_.end(),
                     [](const auto& timer) { return is_limit_of_work(timer.first.second); });
}

}  // namespace flowrun
