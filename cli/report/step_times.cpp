#include "cli/report/step_times.h"

#include <algorithm>
#include <set>

#include "engine/model/entry_reading.h"

namespace flowrun::cli {

void StepTimes::add(const Entry& entry, const History& history) {
  note(entry, entry.path, history);
  if (entry.kind == EntryKind::RunResumed) cut_off(entry, history);
  if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested)
    idle_.push_back({last_at_, entry.at});
  if (entry.kind == EntryKind::RunFrozen) idle_.push_back({entry.at - as<RunFrozen>(entry).span, entry.at, true});
  if (const std::size_t step = changes_.back().step; step != Change::kNoStep) follow(entry, step);
  last_at_ = entry.at;
}

void StepTimes::close(Instant until, Segment::End end) {
  std::vector<std::size_t> steps;
  for (const auto& [step, open] : open_) steps.push_back(step);
  for (const std::size_t step : steps) this->end(step, until, end);
}

void StepTimes::note(const Entry& entry, const std::string& path, const History& history) {
  Change change{entry.seq, entry.at, entry.kind};
  if (const StepHistory* step = path.empty() ? nullptr : history.find(path)) {
    change.step = static_cast<std::size_t>(step - history.steps().data());
    change.state = step->state;
  }
  changes_.push_back(change);
}

void StepTimes::follow(const Entry& entry, std::size_t step) {
  switch (entry.kind) {
    case EntryKind::StartTask:
      begin(step, Segment::What::Work, entry);
      break;
    case EntryKind::TaskEnded:
    case EntryKind::LateEnd:
      ended(entry, step);
      break;
    case EntryKind::TaskInterrupted:
      end(step, entry.at, Segment::End::Interrupted);
      break;
    case EntryKind::TaskWithdrawn:
      if (auto open = open_.find(step); open != open_.end()) open->second.what = Segment::What::Line;
      end(step, entry.at);
      break;
    case EntryKind::SignalAwaited:
      begin(step, Segment::What::Person, entry);
      break;
    case EntryKind::ArmTimer: {
      const TimerKind timer = as<ArmTimer>(entry).timer;
      if (timer == TimerKind::Sleep || timer == TimerKind::Delay) begin(step, Segment::What::Sleep, entry);
      if (timer == TimerKind::Retry || timer == TimerKind::Poll) begin(step, Segment::What::Backoff, entry);
      break;
    }
    case EntryKind::TimerFired: {
      const TimerKind timer = as<TimerFired>(entry).timer;
      if (timer == TimerKind::Sleep || timer == TimerKind::Delay || timer == TimerKind::Retry ||
          timer == TimerKind::Poll)
        end(step, entry.at);
      break;
    }
    case EntryKind::StepSettled:
      // An attempt that was given up still runs: its end is told late.
      if (auto open = open_.find(step); open != open_.end() && open->second.what != Segment::What::Work)
        end(step, entry.at, changes_.back().state == State::Succeeded ? Segment::End::Good : Segment::End::GivenUp);
      break;
    default:
      break;
  }
}

void StepTimes::begin(std::size_t step, Segment::What what, const Entry& entry) {
  end(step, entry.at);
  open_[step] = {what, entry.at, entry.attempt};
}

void StepTimes::end(std::size_t step, Instant at, Segment::End end) {
  const auto open = open_.find(step);
  if (open == open_.end()) return;
  Segment segment;
  segment.what = open->second.what;
  segment.end = end;
  segment.from = open->second.from;
  segment.to = std::max(at, segment.from);
  segment.attempt = open->second.attempt;
  open_.erase(open);
  put(step, std::move(segment));
}

void StepTimes::ended(const Entry& entry, std::size_t step) {
  const Result result = as<TaskEnded>(entry).result;
  Segment work;
  work.attempt = entry.attempt;
  work.code = result.code;
  if (result.failure) work.error = result.failure->type;
  work.end = entry.kind == EntryKind::LateEnd ? Segment::End::GivenUp
             : result.taken                   ? Segment::End::Taken
             : result.failure                 ? Segment::End::Failed
             : result.again                   ? Segment::End::NotYet
                                              : Segment::End::Good;
  work.from = result.taken ? entry.at : result.began != Instant{} ? result.began : entry.at - result.took;
  work.to = result.taken ? entry.at : work.from + result.took;
  if (auto open = open_.find(step); open != open_.end() && open->second.what == Segment::What::Work) {
    if (const Instant asked = open->second.from; !result.taken && work.from > asked) {
      Segment line = work;
      line.what = Segment::What::Line;
      line.end = Segment::End::Good;
      line.from = asked;
      line.to = work.from;
      line.error.clear();
      line.code = 0;
      put(step, std::move(line));
    }
    open_.erase(open);
  }
  put(step, std::move(work));
}

void StepTimes::cut_off(const Entry& resumed, const History& history) {
  const auto fact = as<RunResumed>(resumed);
  const Instant died = std::max(last_at_, resumed.at - fact.down);
  idle_.push_back({died, resumed.at});
  const auto index = [&](const std::string& path) {
    const StepHistory* step = history.find(path);
    return step ? static_cast<std::size_t>(step - history.steps().data()) : Change::kNoStep;
  };
  std::set<std::size_t> unbegun;
  for (const std::string& path : fact.unbegun) unbegun.insert(index(path));
  for (const std::string& path : fact.queued) {
    note(resumed, path, history);
    if (auto open = open_.find(index(path)); open != open_.end()) open->second.what = Segment::What::Line;
  }
  std::vector<std::size_t> over;
  for (const auto& [step, open] : open_)
    if ((open.what == Segment::What::Work || open.what == Segment::What::Line) && !unbegun.count(step))
      over.push_back(step);
  for (const std::size_t step : over) end(step, died, Segment::End::CutOff);
}

void StepTimes::put(std::size_t step, Segment segment) {
  if (segments_.size() <= step) segments_.resize(step + 1);
  segments_[step].push_back(std::move(segment));
}

}  // namespace flowrun::cli
