// A value on the heap: whoever holds it is small, and moves it from thread to thread by its pointer.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

namespace flowrun {

/// Copied as a T is. Moved from, it may only be assigned to or destroyed.
template <typename T>
class Boxed {
 public:
  Boxed() : held_(std::make_unique<T>()) {}
  template <typename From>
  requires(!std::same_as<From, Boxed> && std::convertible_to<From, T>) Boxed(From value)
      : held_(std::make_unique<T>(std::move(value))) {}
  Boxed(const Boxed& other) : held_(std::make_unique<T>(*other)) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(const Boxed& other) { return *this = Boxed(other); }
  Boxed& operator=(Boxed&&) noexcept = default;
  ~Boxed() = default;

  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace flowrun
