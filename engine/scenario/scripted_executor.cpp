#include "engine/scenario/scripted_executor.h"

#include <algorithm>
#include <utility>

namespace flowrun {

void ScriptedExecutor::begin(Task task) {
  if (std::holds_alternative<Process>(*task.work) && !slots_.admit(task)) return;
  start(task);
}

void ScriptedExecutor::reserve(const ReservePlace& place) {
  if (!place.process || slots_.reserve(place)) happened_.push_back({{}, TaskReserved{place.path}});
}

void ScriptedExecutor::start(const Task& task) {
  Flight flight;
  flight.path = task.path;
  flight.attempt = task.attempt;
  flight.result = ask_(task);
  if (task.timeout && flight.result.took > *task.timeout) {
    Result late;
    late.failure = Failure{"timeout", "timed out after " + to_string(*task.timeout)};
    late.took = *task.timeout;
    flight.result = std::move(late);
  }
  flight.result.began = now_;
  flight.ends = now_ + flight.result.took;
  if (const auto* process = std::get_if<Process>(&*task.work)) {
    flight.process = true;
    flight.place = place_of(*process);
  }
  const std::uint64_t id = ++ids_;
  due_.push({flight.ends, id});
  by_path_[flight.path] = id;
  flights_.emplace(id, std::move(flight));
}

void ScriptedExecutor::fill_slots() {
  while (auto next = slots_.next()) {
    if (const auto* task = std::get_if<Task>(&*next))
      start(*task);
    else
      happened_.push_back({{}, TaskReserved{std::get<ReservePlace>(*next).path}});
  }
}

void ScriptedExecutor::stop(const std::string& path, int attempt) {
  bool freed = false;
  if (auto waiting = slots_.withdraw(path, attempt, freed)) {
    Result result;
    result.failure = Failure{"cancelled", "stopped before it began"};
    result.sent = false;
    happened_.push_back({{}, TaskEnded{path, attempt, std::move(result)}});
    if (freed) fill_slots();
    return;
  }
  if (freed) return fill_slots();
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Flight& flight = flights_.at(found->second);
  if (flight.attempt != attempt) return;
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  stopped.began = flight.result.began;
  stopped.took = now_ - flight.result.began;
  flight.result = std::move(stopped);
  flight.ends = now_;
  due_.push({now_, found->second});
}

void ScriptedExecutor::withdraw(const std::string& path) {
  for (const Task& waiting : slots_.withdraw_below(path))
    happened_.push_back({{}, TaskWithdrawn{waiting.path, waiting.attempt}});
  fill_slots();
}

void ScriptedExecutor::acted() {
  for (const std::string& path : std::exchange(failed_, {}))
    if (slots_.give_on(path)) fill_slots();
}

std::optional<Instant> ScriptedExecutor::next() const {
  if (!happened_.empty()) return now_;
  if (due_.empty()) return std::nullopt;
  return std::max(due_.top().at, now_);
}

void ScriptedExecutor::advance(Instant now, std::vector<Event>& happened) {
  now_ = now;
  std::move(happened_.begin(), happened_.end(), std::back_inserter(happened));
  happened_.clear();
  while (!due_.empty() && due_.top().at <= now_) {
    const Due due = due_.top();
    due_.pop();
    const auto found = flights_.find(due.id);
    // It may have been stopped, and then ended earlier.
    if (found == flights_.end() || found->second.ends != due.at) continue;
    Flight flight = std::move(found->second);
    flights_.erase(found);
    if (const auto newest = by_path_.find(flight.path); newest != by_path_.end() && newest->second == due.id)
      by_path_.erase(newest);
    if (flight.process && !flight.result.ok()) {
      // As of the real one: the run may say that no other is to begin.
      slots_.withhold(flight.path, flight.place);
      failed_.push_back(flight.path);
    } else if (flight.process) {
      slots_.leave(flight.place);
    }
    happened.push_back({{}, TaskEnded{flight.path, flight.attempt, std::move(flight.result)}});
    if (flight.process) fill_slots();
  }
  std::move(happened_.begin(), happened_.end(), std::back_inserter(happened));
  happened_.clear();
}

}  // namespace flowrun
