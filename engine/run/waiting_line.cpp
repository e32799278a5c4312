#include "engine/run/waiting_line.h"

#include <algorithm>

namespace flowrun {

WaitingLine::WaitingLine(const Journal& journal, const RunRecord& run, const History& history) {
  if (run.state == RunState::Running) line_ = LeftInLine(journal.run_dir(run.id), history.token());
}

std::string WaitingLine::waits_for(const StepHistory& step, const std::vector<OutlineRow>& rows) const {
  if (step.state != State::Running || step.attempts == 0) return "";
  const std::optional<LineKind> kind = line_.kind_of(step.path, step.attempts);
  if (!kind) return "";
  if (*kind == LineKind::Slot) return "a slot";
  if (*kind == LineKind::SecretOutput) return "a secret output that is read again";
  if (*kind == LineKind::Memo) return "a look at the results of earlier runs";
  const OutlineRow* row = find_row(rows, step.path);
  return "a place of " + (row && !row->limit.empty() ? "limit " + row->limit : std::string("a shared limit"));
}

std::size_t WaitingLine::waiting(const History& history) const {
  const std::vector<StepHistory>& steps = history.steps();
  return static_cast<std::size_t>(
      std::count_if(steps.begin(), steps.end(), [&](auto& step) { return !waits_for(step, {}).empty(); }));
}

}  // namespace flowrun
