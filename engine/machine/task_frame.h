// What a step is that acts outside: it asks for a slot, starts a task there and is told how that ended.
#pragma once

#include <optional>

#include "engine/machine/limits.h"
#include "engine/model/event.h"

namespace flowrun {

class Frame;

class TaskFrame {
 public:
  explicit TaskFrame(Frame& self) : self_(self) {}
  /// Gives back what it waits for and what it has.
  virtual ~TaskFrame();
  TaskFrame(const TaskFrame&) = delete;
  TaskFrame& operator=(const TaskFrame&) = delete;

  /// The slot that it asked for is its own now.
  virtual void on_admitted() = 0;
  /// A server holds back the pool in whose line it stands.
  virtual void on_held() = 0;
  /// The executor holds a place for its strict start.
  virtual void on_reserved() = 0;
  /// Its attempt has ended, which is no entry yet. Adds to the result whether it is what a poll waits for, what a page
  /// puts out and which page follows, so that the entry is a small one. Changes nothing else. A replay does not ask.
  virtual void complete_result(Result& result) const = 0;
  virtual void on_ended(const TaskEnded& ended) = 0;
  /// Its attempt has not begun and will not: it waited for a place of the executor.
  virtual void on_withdrawn() = 0;
  /// Its attempt was in flight when the run was cut off; decides what becomes of it.
  virtual void on_crashed(const RunResumed& resumed) = 0;

  Frame& frame() const { return self_; }

 private:
  friend class Attempts;
  friend class Slots;
  Frame& self_;
  std::optional<Pools::Ticket> ticket_;  ///< of Slots: it waits
  bool in_flight_ = false;               ///< of Attempts
};

}  // namespace flowrun
