#include "engine/machine/machine_view.h"

#include "engine/machine/run_frame.h"
#include "engine/machine/task_frame.h"

namespace flowrun {

std::optional<Settled> MachineView::look(std::string_view path) const {
  if (!machine_.root_) return std::nullopt;
  return machine_.root_->look(path);
}

Frame::Bound MachineView::bind(const Reference& reference) const {
  return machine_.root_ ? machine_.root_->bind(reference) : std::nullopt;
}

const Frame* MachineView::in_flight_at(const std::string& path) const {
  const Attempts::Attempt* attempt = machine_.context_.attempts_.find(path);
  return attempt && attempt->frame ? &attempt->frame->frame() : nullptr;
}

std::vector<std::string> MachineView::stuck() const {
  const Context& run = machine_.context_;
  const bool goes_on = run.attempts_.size() > 0 || !run.timers_.empty() || run.signals_.awaiting() > 0 ||
                       run.slots_.pools().waiting() > 0 || (run.signals_.stream() && run.signals_.stream()->is_open());
  if (machine_.phase_ != Machine::Phase::Running || goes_on || !machine_.root_) return {};
  std::vector<std::string> paths;
  machine_.root_->name_open(paths);
  for (const Frame* frame : run.abandoned_.tidying()) frame->name_open(paths);
  if (paths.empty()) paths.push_back("the run");
  return paths;
}

bool MachineView::has_undos() const { return machine_.run_frame_ && machine_.run_frame_->open_to().undo; }

bool MachineView::has_failed() const { return machine_.root_ && machine_.root_->has_failed(); }

Frame::Way MachineView::way_to(const std::string& path) const { return machine_.root_->way_to(path); }

}  // namespace flowrun
