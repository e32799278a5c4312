// The event loop of one thread: descriptors by epoll, alarms by the work clock, and a wake-up from other threads. Knows
// nothing of what the descriptors are; whoever watches one gives a handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/executor/wakeup_fd.h"
#include "engine/executor/work_clock.h"

namespace flowrun {

/// Belongs to one thread, but for wakeup_fd(), which any thread may notify.
class EventLoop {
 public:
  /// |id|: what the watch or the alarm was made with. |events|: of epoll; 0 for alarms and timers.
  using Handler = std::function<void(std::uint64_t id, std::uint32_t events)>;
  /// The place of a handler in the loop.
  enum class HandlerId : std::uint8_t {};
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct Turn {
    bool notified;  ///< wakeup_fd() was
    /// Everything that had happened before the turn began has been handled. A signal interrupts a look at the
    /// descriptors, and more may have happened than one look returns.
    bool complete;
  };

  /// |clock| outlives the loop. Throws Error(Internal) when the kernel gives no descriptor.
  explicit EventLoop(WorkClock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// At most 15 in all; none is ever removed.
  HandlerId add(Handler handler);

  /// Calls |handler| with |id| whenever |events| of epoll happen to |descriptor|. |id|: less than 2^60; one that is
  /// never used twice tells a stale event from a new one.
  void watch(int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id);
  /// The same for a descriptor that may be watched already.
  void watch_anew(int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id);
  /// REQUIRES: |descriptor| is open. Call before close: a child between clone and exec may hold a copy of the
  /// descriptor, and a copy keeps the watch alive.
  void unwatch(int descriptor);

  /// Calls |handler| with |id| once, after |delay|, in which flowrun runs, and after everything that had happened by
  /// then.
  void alarm(HandlerId handler, std::uint64_t id, Duration delay);
  /// Calls |handler| once at |due|; nothing: never. A handler has one timer, and only the newest call counts: what is
  /// moved often must not pile up as alarms do.
  void set_timer(HandlerId handler, std::optional<WorkClock::time_point> due);
  /// The same by a clock that goes on while flowrun is frozen.
  void set_steady_timer(HandlerId handler, std::optional<SteadyTime> due);

  WorkClock::time_point now() { return clock_.now(); }
  /// When this turn began. Everything that happened before has been handled when an alarm or a timer is.
  WorkClock::time_point turn_began() const { return turn_began_; }
  const WakeupFd& wakeup_fd() const { return wakeup_fd_; }

  /// Waits until something happens, at most WorkClock::kBeat, and calls the handlers: descriptors, then alarms, then
  /// timers.
  Turn turn();

 private:
  struct Alarm {
    WorkClock::time_point at;
    HandlerId handler;
    std::uint64_t id;
    bool operator>(const Alarm& other) const { return at > other.at; }
  };
  struct Registered {
    Handler call;
    std::optional<WorkClock::time_point> timer{};
    std::optional<SteadyTime> steady_timer{};
  };
  bool control(int operation, int descriptor, std::uint32_t events, HandlerId handler, std::uint64_t id);
  Registered& registered(HandlerId handler) { return handlers_[static_cast<std::size_t>(handler)]; }
  /// How many milliseconds a look at the descriptors may wait.
  int patience() const;
  void call_due();

  WorkClock& clock_;
  WakeupFd wakeup_fd_;
  int epoll_;
  WorkClock::time_point turn_began_;
  std::vector<Registered> handlers_;
  std::vector<Alarm> alarms_;  ///< a heap, the next on top
};

}  // namespace flowrun
