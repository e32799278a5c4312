#include "engine/executor/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

#include "engine/model/error.h"

namespace flowrun {
namespace {

// What epoll returns with an event: the handler in the low bits, the id above.
constexpr int kHandlerBits = 4;
constexpr std::uint64_t kHandlerMask = (1 << kHandlerBits) - 1;
constexpr std::uint64_t kWakeup = kHandlerMask;  // no handler has this number

}  // namespace

EventLoop::EventLoop(WorkClock& clock) : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw Error(Problem::Internal, "no epoll from the kernel; is the limit of open files very low?");
  control(EPOLL_CTL_ADD, wakeup_fd_.descriptor(), EPOLLIN, HandlerId(kWakeup), 0);
}

EventLoop::~EventLoop() { close(epoll_); }

EventLoop::HandlerId EventLoop::add(Handler handler) {
  assert(handlers_.size() < kWakeup);
  handlers_.push_back({std::move(handler)});
  return HandlerId(handlers_.size() - 1);
}

bool EventLoop::control(int operation, int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id) {
  epoll_event wanted{};
  wanted.events = events;
  wanted.data.u64 = id << kHandlerBits | static_cast<std::uint64_t>(handler);
  return epoll_ctl(epoll_, operation, descriptor, &wanted) == 0;
}

void EventLoop::watch(int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id) {
  control(EPOLL_CTL_ADD, descriptor, events, handler, id);
}

void EventLoop::watch_anew(int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id) {
  if (!control(EPOLL_CTL_MOD, descriptor, events, handler, id)) control(EPOLL_CTL_ADD, descriptor, events, handler, id);
}

void EventLoop::unwatch(int descriptor) { epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr); }

void EventLoop::alarm(HandlerId handler, std::uint64_t id, Duration delay) {
  alarms_.push_back({now() + delay, handler, id});
  std::push_heap(alarms_.begin(), alarms_.end(), std::greater<>());
}

void EventLoop::set_timer(HandlerId handler, std::optional<WorkClock::time_point> due) {
  registered(handler).timer = due;
}

void EventLoop::set_steady_timer(HandlerId handler, std::optional<SteadyTime> due) {
  registered(handler).steady_timer = due;
}

EventLoop::Turn EventLoop::turn() {
  std::array<epoll_event, 256> happened;
  // Read before the look at the descriptors: whatever ended before something was due is handled before that.
  turn_began_ = clock_.now();
  const int count = epoll_wait(epoll_, happened.data(), static_cast<int>(happened.size()), patience());
  Turn turn{false, count >= 0 && count < static_cast<int>(happened.size())};
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = happened[static_cast<std::size_t>(i)];
    const std::uint64_t handler = event.data.u64 & kHandlerMask;
    if (handler == kWakeup) {
      turn.notified = true;
      wakeup_fd_.clear();
    } else {
      handlers_[handler].call(event.data.u64 >> kHandlerBits, event.events);
    }
  }
  if (turn.complete) call_due();
  return turn;
}

int EventLoop::patience() const {
  WorkClock::duration rest = WorkClock::kBeat;
  if (!alarms_.empty()) rest = std::min(rest, alarms_.front().at - turn_began_);
  for (const Registered& each : handlers_) {
    if (each.timer) rest = std::min(rest, *each.timer - turn_began_);
    if (each.steady_timer)
      rest = std::min<WorkClock::duration>(rest, *each.steady_timer - std::chrono::steady_clock::now());
  }
  // Rounded up: waking early would turn the last millisecond into a busy loop.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
  return static_cast<int>(std::max<std::int64_t>(ms, 0));
}

void EventLoop::call_due() {
  while (!alarms_.empty() && alarms_.front().at <= turn_began_) {
    const Alarm alarm = alarms_.front();
    std::pop_heap(alarms_.begin(), alarms_.end(), std::greater<>());
    alarms_.pop_back();
    registered(alarm.handler).call(alarm.id, 0);
  }
  for (Registered& each : handlers_) {
    if (each.timer && *each.timer <= turn_began_) {
      each.timer.reset();
      each.call(0, 0);
    }
    if (each.steady_timer && *each.steady_timer <= std::chrono::steady_clock::now()) {
      each.steady_timer.reset();
      each.call(0, 0);
    }
  }
}

}  // namespace flowrun
