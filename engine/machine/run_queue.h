// What is to be told to frames, in order: a start, or that a child has settled. A frame calls no other directly, so the
// order of decisions does not depend on how deep the tree is. Does not know what frames do.
#pragma once

#include <deque>

namespace flowrun {

class Frame;

class RunQueue {
 public:
  /// start() of |frame| follows, after what is queued already.
  void start(Frame& frame);
  /// |frame| has settled: its parent is told, after what is queued already.
  void settled(Frame& frame);
  /// |frame| vanishes.
  void forget(Frame& frame);
  /// Tells all that is queued, and what comes to it meanwhile.
  void run();
  bool empty() const { return items_.empty(); }

 private:
  struct QueueItem {
    Frame* frame;  ///< null: vanished meanwhile
    bool settled;  ///< else: start
  };
  std::deque<QueueItem> items_;
};

}  // namespace flowrun
