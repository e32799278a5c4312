// Threads for the shop: a connection holds one as long as it lives, so there are as many as there are connections.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace shop {

/// Grows whenever nobody is free. A pool of a fixed size would let clients that keep their connections open, or calls
/// that hang on purpose, lock everybody else out.
class GrowingPool : public httplib::TaskQueue {
  // void in older versions of the library, bool in newer ones.
  using Queued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));

 public:
  Queued enqueue(std::function<void()> work) override {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    // Never joined: the program ends with _exit, with requests still hanging.
    if (free_ < waiting_.size())
      std::thread(&GrowingPool::serve, this).detach();
    else
      some_.notify_one();
    return Queued(true);
  }

  void shutdown() override {}

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++free_;
      some_.wait(lock, [this] { return !waiting_.empty(); });
      --free_;
      std::function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> waiting_;
  std::size_t free_ = 0;
};

}  // namespace shop
