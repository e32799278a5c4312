#include "engine/machine/abandoned.h"

#include <algorithm>

#include "engine/machine/attempts.h"
#include "engine/machine/frame.h"
#include "engine/model/path.h"

namespace flowrun {

SuccessorFrame::~SuccessorFrame() { self_.context().abandoned().forget(*this); }

Abandoned::Abandoned(const Attempts& attempts) : attempts_(attempts) {}

Abandoned::~Abandoned() = default;

void Abandoned::await(SuccessorFrame& frame, const std::string& below) {
  if (is_over(below, frame.frame())) return frame.on_abandoned_done();
  listeners_.push_back({&frame, below});
}

void Abandoned::tell() {
  for (;;) {
    // From the front each time: who is told may make others vanish.
    auto listener = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const Listener& one) { return is_over(one.below, one.frame->frame()); });
    if (listener == listeners_.end()) return;
    SuccessorFrame* frame = listener->frame;
    listeners_.erase(listener);
    frame->on_abandoned_done();
  }
}

bool Abandoned::is_over(const std::string& below, const Frame& asked_by) const {
  for (const Frame* tidying : tidying_) {
    const Frame* around = &asked_by;
    while (around && around != tidying) around = around->parent();
    if (!around && is_below(tidying->path(), below)) return false;
  }
  return !attempts_.any_abandoned_below(below);
}

void Abandoned::tidy(Frame& frame) {
  // Nothing between it and the root is needed any more.
  while (Frame* above = frame.parent_->parent()) frame.parent_ = above;
  tidying_.push_back(&frame);
}

void Abandoned::tidied(Frame& frame) {
  std::erase(tidying_, &frame);
  kept_.remove_if([&](const auto& kept) { return kept.get() == &frame; });
  tell();
}

bool Abandoned::is_tidying(const Frame& frame) const {
  return std::find(tidying_.begin(), tidying_.end(), &frame) != tidying_.end();
}

void Abandoned::keep(std::unique_ptr<Frame> frame) { kept_.push_back(std::move(frame)); }

void Abandoned::give_back(Frame& frame, Frame& parent) { frame.parent_ = &parent; }

void Abandoned::stop_all() {
  may_tidy_ = false;
  std::vector<Frame*> all = std::move(tidying_);
  tidying_.clear();
  for (Frame* frame : all) frame->cancel("cancelled");
  kept_.clear();
}

void Abandoned::forget(const SuccessorFrame& frame) {
  if (!listeners_.empty()) listeners_.remove_if([&](const Listener& one) { return one.frame == &frame; });
}

}  // namespace flowrun
