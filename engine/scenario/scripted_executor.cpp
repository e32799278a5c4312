#include "engine/scenario/scripted_executor.h"

#include <algorithm>
#include <utility>

namespace flowrun {

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

void ScriptedExecutor::stop(const std::string& path, int attempt) {
  if (slots_.stop(path, attempt)) return;
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

std::optional<Instant> ScriptedExecutor::next() const {
  if (slots_.has_told()) return now_;
  if (due_.empty()) return std::nullopt;
  return std::max(due_.top().at, now_);
}

void ScriptedExecutor::advance(Instant now, std::vector<Event>& happened) {
  now_ = now;
  slots_.tell(happened);
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
    const bool well = flight.result.ok();
    happened.push_back({{}, TaskEnded{flight.path, flight.attempt, std::move(flight.result)}});
    if (!flight.process) continue;
    slots_.end(flight.path, flight.place, well);
    if (!well) slots_.told_failure(std::move(flight.path));
  }
  slots_.tell(happened);
}

}  // namespace flowrun
