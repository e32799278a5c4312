#include "engine/machine/attempts.h"

#include <algorithm>
#include <map>

#include "engine/machine/frame.h"
#include "engine/machine/task_frame.h"
#include "engine/model/path.h"

namespace flowrun {

void Attempts::start(TaskFrame& frame, Task task, OnCrash on_crash) {
  Attempt& attempt = begin(frame);
  attempt.number = task.attempt;
  attempt.rerun = task.rerun;
  attempt.on_crash = on_crash;
  attempt.pool = task.pool;
  task.repeats = on_crash == OnCrash::Rerun;
  const Step& step = frame.frame().step();
  if (const Limit* limit = step.limit; limit && limit->shared)
    task.shared = SharedPool{limit->name, limit->max, limit->rate, limit->per, step.weight};
  attempt.may_wait = std::holds_alternative<Process>(*task.work) || task.shared;
  decisions_.decide(StartTask{std::move(task)});
}

void Attempts::stop(TaskFrame& frame, const std::string& reason) {
  auto found = of(frame);
  frame.in_flight_ = false;
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  const int number = attempt.number;
  if (number == 0 || attempt.interrupted) {
    // A reservation has no end to wait for, and an interrupted attempt has had it.
    erase(found);
  } else {
    attempt.frame = nullptr;
  }
  decisions_.decide(StopTask{frame.frame().path(), number, reason});
}

void Attempts::reserve(TaskFrame& frame, ReservePlace place) {
  begin(frame).reservation = place;
  decisions_.decide(std::move(place));
}

bool Attempts::is_reserving(const TaskFrame& frame) const {
  if (!frame.in_flight_) return false;
  const Attempt* attempt = find(frame.frame().path());
  return attempt && attempt->frame == &frame && attempt->number == 0;
}

void Attempts::withdraw_waiting(const std::string& path) {
  // Which of them have begun only the executor knows.
  const bool some = std::any_of(attempts_.begin(), attempts_.end(), [&](const auto& attempt) {
    return attempt.second.may_wait && attempt.second.frame && is_below(attempt.first, path);
  });
  if (some) decisions_.decide(WithdrawWaiting{path});
}

void Attempts::forget(TaskFrame& frame) {
  if (auto found = of(frame); found != attempts_.end()) found->second.frame = nullptr;
}

bool Attempts::expects(const std::string& path, int number) const {
  const Attempt* attempt = find(path);
  return attempt && attempt->number == number && !attempt->interrupted;
}

bool Attempts::expects_place(const std::string& path) const {
  const Attempt* attempt = find(path);
  return attempt && attempt->number == 0 && attempt->frame && !attempt->interrupted;
}

const Attempts::Attempt* Attempts::find(const std::string& path) const {
  auto found = attempts_.find(path);
  return found == attempts_.end() ? nullptr : &found->second;
}

Attempts::Attempt Attempts::end(const std::string& path) {
  auto found = attempts_.find(path);
  Attempt attempt = std::move(found->second);
  erase(found);
  if (attempt.frame) attempt.frame->in_flight_ = false;
  return attempt;
}

void Attempts::interrupt(const std::string& path) { interrupt(attempts_.at(path)); }

void Attempts::interrupt_reservations() {
  std::map<std::uint64_t, std::string> reserved;
  for (auto& [path, attempt] : attempts_)
    if (attempt.number == 0 && attempt.frame) {
      interrupt(attempt);
      reserved.emplace(attempt.order, path);
    }
  for (const auto& [order, path] : reserved) decisions_.decide(StopTask{path, 0, "suspend"});
}

void Attempts::interrupt_all() {
  for (auto& [path, attempt] : attempts_)
    if (attempt.frame && !attempt.interrupted) interrupt(attempt);
}

std::vector<std::pair<std::string, Attempts::Attempt>> Attempts::take_all() {
  std::vector<std::pair<std::string, Attempt>> all(attempts_.begin(), attempts_.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
  for (auto& [path, attempt] : all) {
    if (!attempt.interrupted) vacate(attempt);
    if (attempt.frame) attempt.frame->in_flight_ = false;
  }
  attempts_.clear();
  interrupted_ = 0;
  return all;
}

void Attempts::put_back(const std::string& path, const Attempt& attempt) {
  attempts_.emplace(path, attempt);
  occupy(attempt);
  attempt.frame->in_flight_ = true;
}

bool Attempts::any_abandoned_below(const std::string& path) const {
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const auto& attempt) {
    return attempt.second.frame == nullptr && is_below(attempt.first, path);
  });
}

std::vector<InFlight> Attempts::in_flight() const {
  std::vector<const Map::value_type*> ordered;
  ordered.reserve(attempts_.size());
  for (const auto& attempt : attempts_) ordered.push_back(&attempt);
  std::sort(ordered.begin(), ordered.end(),
            [](const auto* a, const auto* b) { return a->second.order < b->second.order; });
  std::vector<InFlight> flights;
  flights.reserve(ordered.size());
  for (const auto* one : ordered) {
    const Attempt& attempt = one->second;
    flights.push_back({one->first, attempt.number, attempt.rerun, attempt.started_at, attempt.on_crash,
                       attempt.frame != nullptr, attempt.interrupted, attempt.pool});
  }
  return flights;
}

Attempts::Attempt& Attempts::begin(TaskFrame& frame) {
  Attempt& attempt = attempts_[frame.frame().path()];
  attempt = Attempt{};
  attempt.order = ++starts_;
  attempt.started_at = time_.now();
  attempt.frame = &frame;
  const Step& step = frame.frame().step();
  attempt.limit = step.limit;
  attempt.weight = step.weight;
  occupy(attempt);
  frame.in_flight_ = true;
  return attempt;
}

void Attempts::erase(Map::iterator attempt) {
  if (attempt->second.interrupted)
    --interrupted_;
  else
    vacate(attempt->second);
  attempts_.erase(attempt);
}

void Attempts::occupy(const Attempt& attempt) {
  weight_ += attempt.weight;
  pools_.occupy(attempt.limit, attempt.weight);
}

void Attempts::vacate(const Attempt& attempt) {
  weight_ -= attempt.weight;
  pools_.vacate(attempt.limit, attempt.weight);
}

void Attempts::interrupt(Attempt& attempt) {
  attempt.interrupted = true;
  ++interrupted_;
  vacate(attempt);
}

Attempts::Map::iterator Attempts::of(const TaskFrame& frame) {
  if (!frame.in_flight_) return attempts_.end();
  auto found = attempts_.find(frame.frame().path());
  // In runs of old programs two items may share a path: then it is that of the other.
  return found != attempts_.end() && found->second.frame == &frame ? found : attempts_.end();
}

}  // namespace flowrun
