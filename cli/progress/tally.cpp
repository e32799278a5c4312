#include "cli/progress/tally.h"

#include <utility>

#include "engine/model/entry_reading.h"

namespace flowrun::cli {

StepWord step_word(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::StartTask:
    case EntryKind::ChildStarted:
      return StepWord::Began;
    case EntryKind::TaskEnded: {
      const Result result = as<TaskEnded>(entry).result;
      if (result.again || !result.next.empty()) return StepWord::Again;
      return result.ok() ? StepWord::Ok : StepWord::Failed;
    }
    case EntryKind::StepSettled: {
      const State state = as<StepSettled>(entry).outcome.state;
      if (state == State::Succeeded) return StepWord::Ok;
      return state == State::Failed ? StepWord::Failed : StepWord::Other;
    }
    case EntryKind::TimerFired:
      return as<TimerFired>(entry).timer == TimerKind::Sleep ? StepWord::Ok : StepWord::None;
    case EntryKind::ArmTimer:
      return as<ArmTimer>(entry).timer == TimerKind::Retry ? StepWord::Again : StepWord::None;
    case EntryKind::TaskInterrupted:
    case EntryKind::TaskWithdrawn:
      return StepWord::NotBegun;
    default:
      return StepWord::None;
  }
}

void Tally::add(const Entry& entry) {
  if (entry.kind == EntryKind::RunReopened || entry.kind == EntryKind::UndoRequested) {
    reopened_ = true;
    // The stream itself ends once more.
    if (std::exchange(stream_ok_, false)) --ok_;
  }
  if (entry.kind == EntryKind::ItemsArrived) stream_ = entry.path;
  const StepWord word = step_word(entry);
  if (word == StepWord::Failed) failed_.insert(entry.path);
  if (word == StepWord::Again) failed_.erase(entry.path);
  if (word != StepWord::Ok) return;
  if (!failed_.empty()) failed_.erase(entry.path);
  stream_ok_ = stream_ok_ || (!stream_.empty() && entry.path == stream_);
  if (entry.path != last_ok_) ++ok_;
  last_ok_ = entry.path;
}

}  // namespace flowrun::cli
