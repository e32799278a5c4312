// Which children of a graph run again when it is reopened, and which of them can not by themselves.
#include <fmt/format.h>

#include <algorithm>

#include "engine/model/path.h"
#include "engine/steps/graph_frame.h"

namespace flowrun {

void GraphFrame::add_dependents(std::vector<bool>& again) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < children_.size(); ++i)
      if (again[i])
        for (std::size_t dependent : graph_.dependents[i])
          if (!again[dependent]) changed = again[dependent] = true;
  }
}

void GraphFrame::reopen(std::string_view only) {
  if (context().retry_request().exact()) return reopen_exactly();
  StepFrame::reopen(only);
  // As it was when nobody foresaw anything.
  for (auto& frame : frames_)
    if (frame && !frame->keeps_frame()) frame.reset();
  if (!only.empty() && only.front() == '/') only.remove_prefix(1);
  open();
  std::vector<bool> again(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i)
    again[i] = only.empty() ? !is_finished(children_[i].settled.state) || context().undone().any_below(path_of(i))
                            : is_below(only, graph_.children[i].step->name);
  add_dependents(again);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Settled& settled = children_[i].settled;
    if (!again[i]) {
      tally_up(settled);
      continue;
    }
    // What has been undone as a whole starts from new.
    if (settled.state == State::Blocked || context().undone().contains(path_of(i))) frames_[i].reset();
    if (frames_[i]) kept.push_back(i);
    settled = Settled{};
  }
  for (std::size_t i : kept) {
    // Its own edges may wait for another that is reopened; then it starts from new, later.
    if (edges(i) != Edges::Hold) {
      frames_[i].reset();
      continue;
    }
    const std::string& name = graph_.children[i].step->name;
    relaunch(i, only.size() > name.size() ? only.substr(name.size()) : std::string_view());
  }
  launch_held();
  conclude_if_done();
}

/// What is named or unfinished goes on where it stood, what depends on it starts from new, and the rest is kept.
void GraphFrame::reopen_exactly() {
  const RetryRequest& request = context().retry_request();
  const State was = settled_.state;
  StepFrame::reopen({});
  if (!was_opened() && graph_.join_amount) return begin();  // it failed before it knew its join
  std::vector<bool> again(children_.size()), goes_on(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const State state = children_[i].settled.state;
    const Frame* frame = frames_[i].get();
    const std::string at = path_of(i);
    again[i] = runs_again(i, was);
    // Of what is named and has succeeded all runs.
    const bool whole = request.names(at) && is_finished(state);
    goes_on[i] = again[i] && !whole && frame && is_kept_for_retry(*frame) && frame->reopens() &&
                 state != State::Blocked && !context().undone().contains(at);
  }
  add_dependents(again);
  open_again(again);
  // A step that waits for another that runs again starts from new, later.
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (again[i] && !(goes_on[i] && edges(i) == Edges::Hold)) frames_[i].reset();
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (again[i] && frames_[i]) relaunch(i, {});
  launch_held();
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!is_unstarted(i) || edges(i) != Edges::Broken) continue;
    settle_unstarted(i, State::Blocked, "needs " + broken_by(i));
    block_dependents(i);
  }
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

std::optional<Hindrance> GraphFrame::before(std::size_t i) const {
  const std::string& name = graph_.children[i].step->name;
  std::vector<std::size_t> first{graph_.children[i].needs};
  for (std::size_t at = 0; at < first.size(); ++at) {
    const std::size_t needed = first[at];
    const bool direct = at < graph_.children[i].needs.size();
    if (direct && !children_[needed].settled.lets_through())
      return Hindrance{fmt::format("{} needs {}, which {} {}", name, graph_.children[needed].step->name,
                                   children_[needed].settled.state == State::Failed ? "has" : "is",
                                   to_string(children_[needed].settled.state)),
                       path_of(needed)};
    if (context().undone().any_below(path_of(needed)))
      return Hindrance{fmt::format("{} builds on {}, which has been undone", name, graph_.children[needed].step->name),
                       path_of(needed)};
    for (std::size_t further : graph_.children[needed].needs)
      if (std::find(first.begin(), first.end(), further) == first.end()) first.push_back(further);
  }
  return std::nullopt;
}

Frame::Way GraphFrame::way_to(const std::string& target) const {
  if (target == path()) return true;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::string at = path_of(i);
    if (!is_below(target, at)) continue;
    if (children_[i].open()) return Hindrance{fmt::format("{} was not begun", path()), path()};
    if (auto hindrance = before(i)) return *hindrance;
    if (target == at) return true;
    const State state = children_[i].settled.state;
    if (!frames_[i] || !frames_[i]->reopens() || state == State::Skipped || state == State::Blocked)
      return Hindrance{fmt::format("nothing below {} has run: it is {}", at, to_string(state)), at};
    if (context().undone().contains(at)) return Hindrance{fmt::format("{} has been undone as a whole", at), at};
    return frames_[i]->way_to(target);
  }
  return false;
}

}  // namespace flowrun
