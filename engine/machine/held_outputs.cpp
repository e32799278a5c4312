#include "engine/machine/held_outputs.h"

#include <algorithm>

namespace flowrun {
namespace {

constexpr std::size_t kMostHeld = 16 << 20;  // bytes of text
constexpr int kMostBack = 2;

}  // namespace

void HeldOutputs::Owner::hold(std::size_t i, const Value& output) {
  back_.erase(i);
  if (const std::size_t size = output.in_memory(); size >= Value::kLong) add(i, size);
}

void HeldOutputs::Owner::look(std::size_t i, const Value& output) {
  if (!output.is_kept_elsewhere() || output.in_memory() > 0) return;
  if (++back_[i] < kMostBack) add(i, output.size());
}

void HeldOutputs::Owner::add(std::size_t i, std::size_t size) {
  all_.outputs_.emplace(all_.next_, Output{this, i, size});
  held_.push_back(all_.next_++);
  for (all_.bytes_ += size; all_.bytes_ > kMostHeld && all_.outputs_.size() > 1;) all_.let_oldest_go();
}

void HeldOutputs::Owner::forget() {
  std::for_each(held_.begin() + static_cast<std::ptrdiff_t>(gone_), held_.end(), [&](std::uint64_t number) {
    const auto held = all_.outputs_.find(number);
    all_.bytes_ -= held->second.size;
    all_.outputs_.erase(held);
  });
  held_.clear();
  gone_ = 0;
}

void HeldOutputs::let_oldest_go() {
  const Output oldest = outputs_.extract(outputs_.begin()).mapped();
  bytes_ -= oldest.size;
  Owner& owner = *oldest.owner;
  if (++owner.gone_ * 2 > owner.held_.size())
    owner.held_.erase(owner.held_.begin(),
                      owner.held_.begin() + static_cast<std::ptrdiff_t>(std::exchange(owner.gone_, 0)));
  owner.let_go_(oldest.i);
}

}  // namespace flowrun
