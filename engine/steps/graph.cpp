#include "engine/steps/graph.h"

#include <algorithm>

#include "engine/model/path.h"
#include "engine/model/value_writer.h"
#include "engine/steps/graph_frame.h"

namespace flowrun {

void GraphFrame::begin() {
  if (auto failure = choose_join()) return fail(std::move(*failure));
  open();
  launch_held();
}

GraphFrame::Edges GraphFrame::edges(std::size_t i) const {
  const GraphStep::Child& child = graph_.children[i];
  bool wait = false;
  for (std::size_t needed : child.needs) {
    if (children_[needed].open()) {
      wait = true;
    } else if (!children_[needed].settled.lets_through()) {
      return Edges::Broken;
    }
  }
  for (std::size_t observed : child.after) wait = wait || children_[observed].open();
  return wait ? Edges::Wait : Edges::Hold;
}

const std::string& GraphFrame::broken_by(std::size_t i) const {
  for (std::size_t needed : graph_.children[i].needs)
    if (!children_[needed].open() && !children_[needed].settled.lets_through())
      return graph_.children[needed].step->name;
  return graph_.children[i].step->name;
}

std::string GraphFrame::path_of(std::size_t i) const {
  // The one step of a bare body has no name of its own: `enrich[C-1042]`, not `enrich[C-1042]/_1`.
  const bool bare =
      context().rules().paths_differ() ? graph_.of_item : !graph_.whole_file && !path().empty() && path().back() == ']';
  if (graph_.form == GraphStep::Form::Single && bare) return path();
  return child_path(path(), graph_.children[i].step->name);
}

void GraphFrame::launch(std::size_t i) {
  children_[i].settled.state = State::Running;
  frames_[i] = graph_.children[i].step->frame(context(), this, path_of(i));
  frames_[i]->index = i;
  ++running_;
  context().queue().start(*frames_[i]);
}

void GraphFrame::relaunch(std::size_t i, std::string_view only) {
  children_[i].settled.state = State::Running;
  ++running_;
  frames_[i]->reopen(only);
}

void GraphFrame::take_in(std::size_t i, const Settled& settled) {
  settle_child(i, settled);
  if (frames_[i] && !frames_[i]->is_kept()) frames_[i].reset();
  if (lets_outputs_go()) hold_output(i);
  fresh_.push_back(i);
}

void GraphFrame::settle_unstarted(std::size_t i, State state, const std::string& reason) {
  Settled settled;
  if (state == State::Blocked) {
    settled.state = state;
    settled.failure = std::make_shared<const Failure>(Failure{"cancelled", "blocked: " + reason, path_of(i), 0, {}});
  } else {
    settled = stopped({}, reason, path_of(i));
  }
  const Step& child = *graph_.children[i].step;
  context().decide(StepSettled{path_of(i), child.kind, {settled.state, {}, {}}, reason});
  take_in(i, settled);
}

void GraphFrame::on_child(Frame& child) {
  std::size_t i = child.index;
  if (i >= frames_.size() || frames_[i].get() != &child) return StepFrame::on_child(child);
  if (!children_[i].open()) return;  // it ended in the turn in which it was given up
  --running_;
  take_in(i, child.settled());
  block_dependents(i);
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

void GraphFrame::block_dependents(std::size_t i) {
  std::vector<std::size_t> causes{i};
  while (!causes.empty()) {
    std::size_t cause = causes.back();
    causes.pop_back();
    for (std::size_t dependent : graph_.dependents[cause]) {
      if (!is_unstarted(dependent) || edges(dependent) != Edges::Broken) continue;
      settle_unstarted(dependent, State::Blocked, "needs " + broken_by(dependent));
      causes.push_back(dependent);
    }
  }
}

void GraphFrame::launch_ready() {
  std::vector<std::size_t> ready;
  for (std::size_t cause : fresh_)
    for (std::size_t dependent : graph_.dependents[cause])
      if (is_unstarted(dependent) && edges(dependent) == Edges::Hold && may_start(dependent))
        ready.push_back(dependent);
  fresh_.clear();
  std::sort(ready.begin(), ready.end());  // file order
  for (std::size_t i : ready)
    if (!frames_[i]) launch(i);
}

void GraphFrame::launch_held() {
  fresh_.clear();
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (is_unstarted(i) && edges(i) == Edges::Hold) launch(i);
}

void GraphFrame::prevent_children() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!children_[i].open()) continue;
    if (is_observer(i) && observers_allowed()) continue;  // it is there to see what happened
    if (frames_[i]) {
      frames_[i]->drain();
    } else {
      settle_unstarted(i, State::Cancelled, "drain");
      block_dependents(i);
    }
  }
  launch_ready();
  conclude_if_done();
}

void GraphFrame::stop_children(const std::string& reason, bool unstarted_too) {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!children_[i].open()) continue;
    if (frames_[i]) {
      frames_[i]->cancel(reason);
      --running_;
      take_in(i, frames_[i]->settled());
    } else if (unstarted_too) {
      settle_unstarted(i, State::Cancelled, reason);
    }
  }
}

Value GraphFrame::output() const {
  if (graph_.race) {
    auto won = winner();
    return won ? children_[*won].settled.output : Value();
  }
  if (graph_.form != GraphStep::Form::Map) return children_.back().settled.output;
  // As text: the output of a large for_each would be read only to be written again.
  ValueWriter object;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const Settled& settled = children_[i].settled;
    object.add(i == 0 ? "{\"" : ",\"");
    object.add(graph_.children[i].step->name);
    object.add("\":");
    object.add(settled.state == State::Succeeded ? settled.output : Value());
  }
  object.add(children_.empty() ? "{}" : "}");
  return std::move(object).done();
}

/// An item of one step comes out as its step does.
void GraphFrame::amend() {
  amend_group();
  if (!graph_.of_item || graph_.form != GraphStep::Form::Single || !context().rules().items_are_their_steps()) return;
  const Settled& only = children_.front().settled;
  if (children_.front().open()) return;
  settled_.started_at = only.started_at;
  if (context().run().measured) {
    settled_.ended_at = only.ended_at;
    settled_.took = only.took;
  }
  settled_.state = only.state;
  settled_.tolerated = only.tolerated;
  settled_.output = only.output;
  settled_.failure = only.failure;
}

Frame::Bound GraphFrame::bind(const Reference& reference) const {
  bool steps = reference.variable == "steps";
  if (!steps && reference.variable != "status") return StepFrame::bind(reference);
  std::optional<std::size_t> found = graph_.find(reference.member);
  if (!found) return std::nullopt;
  const Settled& settled = children_[*found].settled;
  if (steps && lets_outputs_go()) look_at_output(*found);
  if (!steps) return Value(status_json(settled, reference));
  return output_of(settled, *graph_.children[*found].step, path_of(*found));
}

std::optional<Settled> GraphFrame::look_within(std::string_view rest) const {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::string& name = graph_.children[i].step->name;
    if (!is_below(rest, name)) continue;
    std::string_view behind = rest.substr(name.size());
    const Frame* frame = frames_[i].get();
    if (behind.empty()) return children_[i].open() && frame ? frame->look("") : children_[i].settled;
    if (!frame) continue;
    if (behind.front() == '/') behind.remove_prefix(1);
    return frame->look(behind);
  }
  return std::nullopt;
}

std::unique_ptr<Frame> GraphStep::frame(Context& context, Frame* parent, std::string path) const {
  return std::make_unique<GraphFrame>(context, parent, *this, std::move(path));
}

void GraphStep::link() {
  dependents.assign(children.size(), {});
  for (std::size_t i = 0; i < children.size(); ++i) {
    by_name_.emplace(children[i].step->name, i);
    for (std::size_t needed : children[i].needs) dependents[needed].push_back(i);
    for (std::size_t observed : children[i].after) dependents[observed].push_back(i);
  }
}

std::optional<std::size_t> GraphStep::find(std::string_view name) const {
  auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

}  // namespace flowrun
