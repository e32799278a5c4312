#include "engine/run/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/machine/machine.h"
#include "engine/model/entry_reading.h"
#include "engine/model/path.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

/// What flowrun itself may have taken around an attempt; what is more was a full disk, or a clock that was set.
constexpr Duration kMostLag{1000};
/// What is longer was never measured.
constexpr Duration kLongestAttempt = std::chrono::hours(24 * 365 * 100);
/// Items that come so long after anything else came when the input had them, and not when they were wanted.
constexpr Duration kByItself{2};

/// Where attempts at |step| are counted for a guess: there, beside it, at all; nearest first.
std::vector<std::string> places_of(const std::string& step) {
  std::vector<std::string> places{step};
  if (std::string above = path_above(step); !above.empty()) places.push_back(std::move(above));
  places.emplace_back();
  return places;
}

bool is_like_others(const RecordedAttempt& attempt) {
  return !attempt.cut && !attempt.result.taken && !attempt.result.again;
}

Duration lag(Duration span) { return std::clamp(span, Duration{0}, kMostLag); }

}  // namespace

std::string not_to_be_told(const std::string& run, const std::string& why) {
  return fmt::format("run {} {}: how long it takes can not be told from it", run, why);
}

void Recording::add(const Entry& entry) {
  ++entries_;
  switch (entry.kind) {
    case EntryKind::RunStarted:
      started_ = as<RunStarted>(entry);
      started_at_ = entry.at;
      if (!Semantics::known(started_.semantics))
        refused_ = fmt::format("was decided by semantics {}, which this flowrun does not know", started_.semantics);
      if (!started_.measured) refused_ = "is of a flowrun that did not measure how long each process ran";
      break;
    case EntryKind::RunResumed: {
      const auto resumed = as<RunResumed>(entry);
      idle_ += resumed.down;
      other_jobs_ |= resumed.jobs > 0 && resumed.jobs != started_.jobs;
      other_concurrency_ |= resumed.concurrency > 0 && resumed.concurrency != started_.concurrency;
      if (resumed.cancel) refused_ = "was cancelled";
      begun_.clear();
      break;
    }
    case EntryKind::CancelRequested:
      refused_ = "was cancelled";
      break;
    case EntryKind::RunReopened:
      refused_ = as<RunReopened>(entry).stream.empty() ? "was retried" : "got more items after its end";
      break;
    case EntryKind::UndoRequested:
      refused_ = "was undone";
      break;
    case EntryKind::RunFrozen: {
      const Duration span = as<RunFrozen>(entry).span;
      idle_ += span;
      frozen_.emplace_back(entry.at, span);
      break;
    }
    case EntryKind::RunEnded:
      ended_at_ = entry.at;
      break;
    case EntryKind::StartTask:
      begun_[entry.path] = {entry.at, work_of(entry) == Work::Process};
      break;
    case EntryKind::StopTask:
      if (auto begun = begun_.find(entry.path); begun != begun_.end()) begun->second.stopped = entry.at;
      break;
    case EntryKind::TaskEnded:
    case EntryKind::LateEnd:
      ended(entry, as<TaskEnded>(entry));
      break;
    case EntryKind::ArmTimer:
      if (const auto armed = as<ArmTimer>(entry); armed.timer == TimerKind::Sleep) sleeps_[entry.path] = armed.due;
      break;
    case EntryKind::TimerFired: {
      const TimerKind timer = as<TimerFired>(entry).timer;
      if (timer == TimerKind::Wait) no_longer_waits(entry.path);
      if (timer == TimerKind::Sleep && !started_.forked_of.empty() && entry.at < sleeps_[entry.path])
        slept_before_[entry.path] = entry.at;
      break;
    }
    case EntryKind::SignalAwaited: {
      const std::string name = as<SignalAwaited>(entry).name;
      // One that was there already comes by its own time.
      waiting_.push_back({entry.path, name, worked(entry.at)});
      break;
    }
    case EntryKind::StepSettled:
      no_longer_waits(entry.path);
      break;
    case EntryKind::SignalReceived:
      signal(entry, as<SignalReceived>(entry));
      break;
    case EntryKind::ItemsArrived:
      arrived(entry, as<ItemsArrived>(entry));
      break;
    default:
      break;
  }
  last_at_ = entry.at;
}

void Recording::ended(const Entry& entry, TaskEnded fact) {
  const auto found = begun_.find(entry.path);
  Begun begun{entry.at};
  if (found != begun_.end()) begun = found->second;
  RecordedAttempt attempt;
  attempt.number = fact.attempt;
  attempt.seq = entry.seq;
  const bool has_begun = fact.result.began != Instant{};
  attempt.cut = entry.kind == EntryKind::LateEnd && fact.result.failure && fact.result.failure->type == "cancelled";
  if (attempt.cut && !has_begun) return;  // it says nothing of how long it would have taken
  if (attempt.cut && begun.stopped != Instant{}) attempt.stopping = std::max(entry.at - begun.stopped, Duration{0});
  if (has_begun && !attempt.cut) {
    const Instant end = fact.result.began + fact.result.took;
    Duration frozen{0};
    for (auto one = frozen_.rbegin(); one != frozen_.rend() && one->first > fact.result.began; ++one)
      frozen += one->second;
    attempt.after = lag(entry.at - end - frozen);
  }
  attempt.result = std::move(fact.result);
  attempt.result.took = std::clamp(attempt.result.took, Duration{0}, kLongestAttempt);
  std::vector<RecordedAttempt>& all = attempts_[entry.path];
  if (has_begun) {
    lags_.push_back({entry.path, all.size(), begun.asked, attempt.result.began, begun.process});
    if (begun.process) process_ends_.push_back(attempt.result.began + attempt.result.took);
  }
  all.push_back(std::move(attempt));
}

void Recording::no_longer_waits(const std::string& path) {
  if (!waiting_.empty()) std::erase_if(waiting_, [&](const Waiting& one) { return one.path == path; });
}

void Recording::signal(const Entry& entry, SignalReceived fact) {
  const auto wanted = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& one) {
    return one.name == fact.name && (fact.path.empty() || fact.path == one.path);
  });
  if (wanted == waiting_.end()) {
    early_.push_back({std::move(fact), worked(entry.at)});
    return;
  }
  fact.path = wanted->path;
  signals_[wanted->path].push_back({std::move(fact), worked(entry.at) - wanted->since});
  waiting_.erase(wanted);
}

void Recording::arrived(const Entry& entry, const ItemsArrived& fact) {
  Duration there = items_.empty() ? Duration{0} : items_.back().there;
  if (entry.at - last_at_ > kByItself) there = worked(entry.at);
  const std::size_t first = items_.size();
  for (const Json& value : fact.items.json()) items_.push_back({value, 1, there});
  for (const RepeatedItem& repeated : fact.repeated)
    if (repeated.at >= 0 && first + static_cast<std::size_t>(repeated.at) < items_.size())
      items_[first + static_cast<std::size_t>(repeated.at)].nth = repeated.nth;
  items_ended_ = items_ended_ || fact.last;
}

void Recording::close() {
  if (refused_.empty() && ended_at_ == Instant{}) refused_ = "has not ended";
  if (!refused_.empty()) throw Error(Problem::Impossible, not_to_be_told(started_.id, refused_));
  measure();
  for (const auto& [path, all] : attempts_) {
    const std::string step = without_keys(path);
    for (const RecordedAttempt& attempt : all) {
      if (attempt.cut || attempt.result.taken) continue;
      for (const std::string& place : places_of(step)) samples_[place].took.push_back(attempt.result.took);
      if (!is_like_others(attempt)) continue;
      std::optional<RecordedAttempt>& newest = attempt.result.ok() ? samples_[step].good : samples_[step].bad;
      if (!newest || newest->seq < attempt.seq) newest = attempt;
    }
  }
  for (auto& [step, sample] : samples_) std::sort(sample.took.begin(), sample.took.end());
}

/// A process that waited in line began when another had ended.
void Recording::measure() {
  std::sort(process_ends_.begin(), process_ends_.end());
  for (const Lag& one : lags_) {
    Instant from = one.asked;
    if (one.process) {
      const auto behind = std::upper_bound(process_ends_.begin(), process_ends_.end(), one.began);
      if (behind != process_ends_.begin()) from = std::max(from, *std::prev(behind));
    }
    attempts_[one.path][one.index].before = lag(one.began - from);
  }
  lags_.clear();
  process_ends_.clear();
}

const std::vector<RecordedAttempt>* Recording::attempts(const std::string& path) const {
  const auto found = attempts_.find(path);
  return found == attempts_.end() ? nullptr : &found->second;
}

bool Recording::has_step(const std::function<bool(const std::string&)>& wanted) const {
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const auto& one) { return wanted(one.first); });
}

const std::vector<RecordedSignal>* Recording::signals(const std::string& path) const {
  const auto found = signals_.find(path);
  return found == signals_.end() ? nullptr : &found->second;
}

RecordedAttempt Recording::guess(const std::string& path) const {
  RecordedAttempt guess;
  guess.number = 0;
  const std::string step = without_keys(path);
  if (const auto same = samples_.find(step); same != samples_.end())
    if (const auto& like = same->second.good ? same->second.good : same->second.bad) guess = *like;
  if (const auto* own = attempts(path))
    if (const auto last = std::find_if(own->rbegin(), own->rend(), is_like_others); last != own->rend()) guess = *last;
  guess.seq = std::numeric_limits<std::int64_t>::max();
  Result& result = guess.result;
  result.retry_after.reset();
  result.next.clear();
  result.took = Duration{0};
  for (const std::string& place : places_of(step))
    if (const auto sample = samples_.find(place); sample != samples_.end() && !sample->second.took.empty()) {
      result.took = sample->second.took[sample->second.took.size() / 2];
      break;
    }
  return guess;
}

}  // namespace flowrun
