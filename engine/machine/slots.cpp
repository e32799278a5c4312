#include "engine/machine/slots.h"

#include <algorithm>

#include "engine/machine/frame.h"
#include "engine/machine/task_frame.h"

namespace flowrun {

void Slots::request(TaskFrame& frame, bool again) {
  const Step& step = frame.frame().step();
  const Limit* limit = step.limit;
  frame.ticket_ = pools_.line_up(frame, limit, step.weight, again);
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

TaskFrame* Slots::admit(std::size_t room, std::size_t all) {
  if (pools_.waiting() == 0) return nullptr;
  // What is heavier than all there is runs alone.
  if (const auto weight = pools_.next(time_.now()); weight && std::min(*weight, all) <= room) {
    TaskFrame* frame = pools_.admit();
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
