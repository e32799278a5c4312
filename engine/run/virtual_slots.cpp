#include "engine/run/virtual_slots.h"

#include <iterator>
#include <utility>

namespace flowrun {

void VirtualSlots::begin(Task task) {
  if (std::holds_alternative<Process>(*task.work) && !slots_.admit(task)) return;
  start_(task);
}

void VirtualSlots::reserve(const ReservePlace& place) {
  if (!place.process || slots_.reserve(place)) told_.push_back({{}, TaskReserved{place.path}});
}

bool VirtualSlots::stop(const std::string& path, int attempt) {
  bool freed = false;
  const auto waiting = slots_.withdraw(path, attempt, freed);
  if (waiting) {
    Result result;
    result.failure = Failure{"cancelled", "stopped before it began"};
    result.sent = false;
    told_.push_back({{}, TaskEnded{path, attempt, std::move(result)}});
  }
  if (freed) fill();
  return waiting || freed;
}

void VirtualSlots::withdraw(const std::string& path) {
  for (const Task& waiting : slots_.withdraw_below(path))
    told_.push_back({{}, TaskWithdrawn{waiting.path, waiting.attempt}});
  fill();
}

void VirtualSlots::acted() {
  for (const std::string& path : std::exchange(failed_, {}))
    if (slots_.give_on(path)) fill();
}

void VirtualSlots::end(const std::string& path, const ProcessSlots::Place& place, bool well) {
  // As Children::finish: where the run may say that no other is to begin, the slot waits for that.
  if (!well) return slots_.withhold(path, place);
  slots_.leave(place);
  fill();
}

void VirtualSlots::tell(std::vector<Event>& happened) {
  std::move(told_.begin(), told_.end(), std::back_inserter(happened));
  told_.clear();
}

void VirtualSlots::fill() {
  while (auto next = slots_.next()) {
    if (const auto* task = std::get_if<Task>(&*next))
      start_(*task);
    else
      told_.push_back({{}, TaskReserved{std::get<ReservePlace>(*next).path}});
  }
}

}  // namespace flowrun
