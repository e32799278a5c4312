#include "engine/machine/slots.h"

#include "engine/machine/frame.h"
#include "engine/machine/task_frame.h"

namespace flowrun {

void Slots::request(TaskFrame& frame, bool again) {
  const Limit* limit = frame.frame().step().limit;
  frame.ticket_ = pools_.line_up(frame, limit, again);
  if (limit && pools_.holds(*limit, time_.now())) frame.on_held();
}

bool Slots::waits(const TaskFrame& frame) const { return frame.ticket_.has_value(); }

void Slots::withdraw(TaskFrame& frame) {
  if (!frame.ticket_) return;
  const Limit* limit = frame.frame().step().limit;
  pools_.leave(*frame.ticket_, limit);
  frame.ticket_.reset();
  left_line(limit);
}

TaskFrame* Slots::admit() {
  if (pools_.waiting() == 0) return nullptr;
  if (TaskFrame* frame = pools_.admit(time_.now())) {
    frame->ticket_.reset();
    left_line(frame->frame().step().limit);
    return frame;
  }
  for (const Pools::Line& closed : pools_.closed())
    timers_.arm(*closed.limit, *closed.opens, closed.held ? "Retry-After" : closed.limit->rate_text);
  return nullptr;
}

void Slots::hold(const Limit& limit, Duration span) {
  // Who lines up while it is held is told then.
  const bool was_held = pools_.holds(limit, time_.now());
  pools_.hold(limit, time_.now() + span);
  if (was_held || !pools_.holds(limit, time_.now())) return;
  for (TaskFrame* frame : pools_.waiting_in(limit)) frame->on_held();
}

void Slots::left_line(const Limit* limit) {
  if (limit && !limit->name.empty() && pools_.empty(limit)) timers_.disarm(*limit);
}

}  // namespace flowrun
