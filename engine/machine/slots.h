// The slots of a run in which its attempts run: those of limits, behind those of `concurrency`. Who asks for one gets
// it in turn, and a pool that waits for a date gets a timer. Does not know what is done in a slot.
#pragma once

#include "engine/machine/limits.h"
#include "engine/machine/timers.h"

namespace flowrun {

class TaskFrame;

class Slots {
 public:
  Slots(const std::vector<std::unique_ptr<Limit>>& limits, Timers& timers, const Timeline& time)
      : pools_(limits), timers_(timers), time_(time) {}

  /// on_admitted() of |frame| follows when it has its slot, and one of its limit. |again|: its attempt was cut off by a
  /// crash, it goes before all who had none.
  void request(TaskFrame& frame, bool again = false);
  bool waits(const TaskFrame& frame) const;
  void withdraw(TaskFrame& frame);

  /// Takes out of its line who is next; null: nobody may start now. |room| of |all| slots are free.
  TaskFrame* admit(std::size_t room, std::size_t all);
  /// A server wants nobody to start from the pool for so long: who waits there is told.
  void hold(const Limit& limit, Duration span);

  Pools& pools() { return pools_; }
  const Pools& pools() const { return pools_; }

 private:
  /// Nobody waits for the date of a line in which nobody is left.
  void left_line(const Limit* limit);

  Pools pools_;
  Timers& timers_;
  const Timeline& time_;
};

}  // namespace flowrun
