// A descriptor that becomes readable when another thread, or a signal handler, wants its owner's attention: an eventfd.
#pragma once

namespace flowrun {

class WakeupFd {
 public:
  /// Throws Error(Internal) when the kernel gives no descriptor.
  WakeupFd();
  ~WakeupFd();
  WakeupFd(const WakeupFd&) = delete;
  WakeupFd& operator=(const WakeupFd&) = delete;

  int descriptor() const { return descriptor_; }
  /// Makes the descriptor readable. Any thread, and signal handlers.
  void notify() const;
  /// Takes all notifications back. The owner's thread.
  void clear() const;

 private:
  int descriptor_;
};

}  // namespace flowrun
