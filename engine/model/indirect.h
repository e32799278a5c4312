// A value on the heap: whoever holds it is small, and moves it from thread to thread by its pointer.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

namespace flowrun {

/// Copied as a T is. Moved from, it may only be assigned to or destroyed.
template <typename T>
class Indirect {
 public:
  Indirect() : held_(std::make_unique<T>()) {}
  template <typename From>
  requires(!std::same_as<From, Indirect> && std::convertible_to<From, T>) Indirect(From value)
      : held_(std::make_unique<T>(std::move(value))) {}
  Indirect(const Indirect& other) : held_(std::make_unique<T>(*other)) {}
  Indirect(Indirect&&) noexcept = default;
  Indirect& operator=(const Indirect& other) { return *this = Indirect(other); }
  Indirect& operator=(Indirect&&) noexcept = default;
  ~Indirect() = default;

  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace flowrun
