// Messages on their way to one thread: any thread posts, the receiver takes them all at once. Knows nothing of what
// they say.
#pragma once

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/executor/wakeup_fd.h"

namespace flowrun {

/// Keeps the order of posting.
template <typename Message>
class Inbox {
 public:
  /// |wakeup| outlives the inbox, and wakes the receiver.
  explicit Inbox(const WakeupFd& wakeup) : wakeup_(wakeup) {}

  /// Any thread.
  void post(Message message) {
    bool first;
    {
      std::lock_guard lock(mutex_);
      first = messages_.empty();
      messages_.push_back(std::move(message));
    }
    // The receiver takes all there is: one wake-up serves every message posted before it does.
    if (first) wakeup_.notify();
  }

  /// Appends all messages to |into|. The receiver clears the wake-up before.
  void take(std::vector<Message>& into) {
    std::lock_guard lock(mutex_);
    if (into.empty()) {
      into.swap(messages_);
    } else {
      std::move(messages_.begin(), messages_.end(), std::back_inserter(into));
      messages_.clear();
    }
  }

 private:
  const WakeupFd& wakeup_;
  std::mutex mutex_;
  std::vector<Message> messages_;
};

}  // namespace flowrun
