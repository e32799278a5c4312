#include "engine/run/paper_executor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/run/what_if.h"

namespace flowrun {
namespace {

/// The result of |task| when nothing is known of any like it.
Value empty_result(const Task& task) {
  if (!task.keep_raw) return {};
  Json raw{{"attempt", task.attempt}, {"duration_ms", 0}};
  if (std::holds_alternative<Process>(*task.work)) {
    raw.update(Json{{"exit_code", 0}, {"stdout", ""}, {"stderr_tail", ""}, {"value", Json()}});
  } else {
    raw.update(Json{{"status", 200}, {"headers", Json::object()}, {"body", Json()}});
    raw["url"] = std::get<HttpRequest>(*task.work).url;
  }
  return Value(std::move(raw));
}

}  // namespace

bool PaperExecutor::Due::operator>(const Due& other) const {
  return std::tie(at, told, order, id) > std::tie(other.at, other.told, other.order, other.id);
}

void PaperExecutor::begin(Task task) {
  const RecordedAttempt* known = recorded(task, false);
  if (known && known->result.taken) {
    // The run that the recorded one was forked of has done it.
    recorded(task, true);
    slots_.add({{}, TaskEnded{task.path, task.attempt, known->result}});
    return;
  }
  slots_.begin(std::move(task));
}

const RecordedAttempt* PaperExecutor::recorded(const Task& task, bool take) {
  const auto* all = recording_.attempts(task.path);
  if (!all) return nullptr;
  std::size_t& from = taken_[task.path];
  for (std::size_t i = from; i < all->size(); ++i) {
    if ((*all)[i].number != task.attempt) continue;
    if (take) from = i + 1;
    return &(*all)[i];
  }
  return nullptr;
}

void PaperExecutor::start(const Task& task) {
  ++begun_;
  Flight flight;
  flight.path = task.path;
  const RecordedAttempt* known = recorded(task, true);
  if (known) flight.attempt = *known;
  if (!known || known->cut) {
    // Of one that was stopped just that is known, that it takes longer.
    RecordedAttempt guess = recording_.guess(task.path);
    if (known) {
      guess.stopping = known->stopping;
      guess.before = known->before;
      guess.seq = known->seq;
      guess.result.took = std::max(guess.result.took, known->result.took);
    }
    if (guess.number == 0) guess.result.value = empty_result(task);
    flight.attempt = std::move(guess);
    flight.guessed = true;
  }
  flight.attempt.number = task.attempt;
  Result& result = flight.attempt.result;
  const bool timed_out = result.failure && result.failure->type == "timeout";
  // How long it would have taken without its timeout nobody knows.
  if (!timed_out) result.took = scaled(result.took, factor_(task.path));
  if (task.timeout && result.took > *task.timeout && !timed_out) {
    Result stopped;
    stopped.failure = Failure{"timeout", "timed out after " + to_string(*task.timeout)};
    stopped.took = *task.timeout;
    result = std::move(stopped);
  }
  if (const auto* process = std::get_if<Process>(&*task.work)) {
    flight.process = true;
    flight.place = place_of(*process);
  }
  flight.began = now_ + flight.attempt.before;
  flight.ends = flight.began + result.took;
  const std::uint64_t id = ++ids_;
  due_.push({flight.ends, false, flight.attempt.seq, id});
  by_path_[flight.path] = id;
  flights_.emplace(id, std::move(flight));
}

void PaperExecutor::end(std::uint64_t id, Flight& flight) {
  flight.over = true;
  if (flight.guessed && !(flight.attempt.result.failure && flight.attempt.result.failure->type == "cancelled")) {
    if (guessed_++ == 0) guessed_path_ = flight.path;
  }
  if (auto newest = by_path_.find(flight.path); newest != by_path_.end() && newest->second == id)
    by_path_.erase(newest);
  due_.push({flight.ends + flight.attempt.after, true, flight.attempt.seq, id});
  if (flight.process) slots_.end(flight.path, flight.place, flight.attempt.result.ok());
}

void PaperExecutor::stop(const std::string& path, int attempt) {
  if (slots_.stop(path, attempt)) return;
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  Flight& flight = flights_.at(found->second);
  if (flight.attempt.number != attempt || flight.over) return;
  flight.ends = now_ + flight.attempt.stopping;
  flight.attempt.after = Duration{0};
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  stopped.took = std::max(flight.ends - flight.began, Duration{0});
  flight.attempt.result = std::move(stopped);
  due_.push({flight.ends, false, flight.attempt.seq, found->second});
}

std::optional<Instant> PaperExecutor::next() const {
  if (slots_.has_told()) return now_;
  if (due_.empty()) return std::nullopt;
  return std::max(due_.top().at, now_);
}

void PaperExecutor::advance(Instant now, std::vector<Event>& happened) {
  now_ = now;
  slots_.tell(happened);
  while (!due_.empty() && due_.top().at <= now_) {
    const Due due = due_.top();
    due_.pop();
    const auto found = flights_.find(due.id);
    if (found == flights_.end()) continue;
    Flight& flight = found->second;
    if (!due.told) {
      // It may have been stopped, and then ended earlier or later.
      if (!flight.over && flight.ends == due.at) end(due.id, flight);
      continue;
    }
    if (!flight.attempt.result.ok()) slots_.told_failure(flight.path);
    Result result = std::move(flight.attempt.result);
    result.began = std::min(flight.began, now_);
    happened.push_back({{}, TaskEnded{flight.path, flight.attempt.number, std::move(result)}});
    flights_.erase(found);
  }
  slots_.tell(happened);
}

}  // namespace flowrun
