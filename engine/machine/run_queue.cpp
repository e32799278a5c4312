#include "engine/machine/run_queue.h"

#include "engine/machine/frame.h"

namespace flowrun {

void RunQueue::start(Frame& frame) {
  ++frame.queued_;
  items_.push_back({&frame, false});
}

void RunQueue::settled(Frame& frame) {
  ++frame.queued_;
  items_.push_back({&frame, true});
}

void RunQueue::forget(Frame& frame) {
  if (frame.queued_ == 0) return;
  for (QueueItem& item : items_)
    if (item.frame == &frame) item.frame = nullptr;
}

void RunQueue::run() {
  while (!items_.empty()) {
    QueueItem item = items_.front();
    items_.pop_front();
    if (!item.frame) continue;
    --item.frame->queued_;
    if (item.settled) {
      if (Frame* parent = item.frame->parent()) parent->on_child(*item.frame);
    } else if (!item.frame->settled().over()) {
      item.frame->start();
    }
  }
}

}  // namespace flowrun
