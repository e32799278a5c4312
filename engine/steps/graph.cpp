#include "engine/steps/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/json_text.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

/// Whether |path|, seen from a group, is that of its child |name| or of something below that.
bool begins_with(std::string_view path, std::string_view name) {
  if (!path.starts_with(name)) return false;
  return path.size() == name.size() || std::string_view("/[.").find(path[name.size()]) != std::string_view::npos;
}

class GraphFrame : public Group {
 public:
  GraphFrame(Context& context, Frame* parent, const GraphStep& step, std::string path)
      : Group(context, parent, step, std::move(path)), graph_(step), frames_(step.children.size()) {
    children_.resize(step.children.size());
  }

  void on_child(Frame& child) override;
  void reopen(std::string_view only) override;
  Way way_to(const std::string& target) const override;
  Bound bind(const Reference& reference) const override;
  std::optional<Settled> look(std::string_view rest) const override;

 protected:
  void begin() override;
  void stop_children(const std::string& reason, bool unstarted_too) override;
  void prevent_children() override;
  Value output() const override;
  GroupStatus::Of children_are() const override {
    return graph_.body ? GroupStatus::Of::Body : GroupStatus::Of::Branches;
  }
  std::string name_of(std::size_t i) const override { return graph_.children[i].step->name; }
  std::string path_of(std::size_t i) const override;
  Frame* frame_of(std::size_t i) const override { return frames_[i].get(); }
  bool is_body() const override { return graph_.body; }
  void amend() override;

 private:
  enum class Edges { Wait, Hold, Broken };

  Edges edges(std::size_t i) const;
  const std::string& broken_by(std::size_t i) const;
  bool is_observer(std::size_t i) const { return !graph_.children[i].after.empty(); }
  bool may_start(std::size_t i) const { return !draining() || (is_observer(i) && observers_allowed()); }
  /// It starts as soon as its edges hold.
  bool is_unstarted(std::size_t i) const { return !frames_[i] && children_[i].open(); }
  void launch(std::size_t i);
  /// It goes on where it stood.
  void relaunch(std::size_t i, std::string_view only);
  /// What has settled child |i|, and what now waits no longer for it.
  void take_in(std::size_t i, const Settled& settled);
  void settle_unstarted(std::size_t i, State state, const std::string& reason);
  void block_dependents(std::size_t i);
  void launch_ready();
  /// All whose edges hold.
  void launch_held();
  void add_dependents(std::vector<bool>& again) const;
  void reopen_exactly();
  /// Why the child can not run again by itself, if so.
  std::optional<Hindrance> before(std::size_t i) const;

  const GraphStep& graph_;
  std::vector<std::unique_ptr<Frame>> frames_;  ///< of |children_| that have started, or are kept
  std::vector<std::size_t> fresh_;              ///< settled since launch_ready()
};

void GraphFrame::begin() {
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
  std::string text;
  {
    ObjectWriter object(text);
    for (std::size_t i = 0; i < children_.size(); ++i) {
      const Settled& settled = children_[i].settled;
      object.value(graph_.children[i].step->name, settled.state == State::Succeeded ? settled.output : Value());
    }
  }
  return Value::from_text(std::move(text));
}

/// An item of one step comes out as its step does.
void GraphFrame::amend() {
  Group::amend();
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
                            : begins_with(only, graph_.children[i].step->name);
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
  const bool covered = request.covers(path());
  const State was = settled_.state;
  StepFrame::reopen({});
  std::vector<bool> again(children_.size()), goes_on(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const State state = children_[i].settled.state;
    const Frame* frame = frames_[i].get();
    const std::string at = path_of(i);
    const bool failed = state == State::Failed || (frame && frame->has_failed());
    const bool left = covered && unfinished(was, state, failed, context().undone().any_below(at));
    again[i] = request.leads_to(at) || left;
    // Of what is named and has succeeded all runs.
    const bool whole = request.names(at) && is_finished(state);
    goes_on[i] =
        again[i] && !whole && frame && frame->reopens() && state != State::Blocked && !context().undone().contains(at);
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

Frame::Bound GraphFrame::bind(const Reference& reference) const {
  bool steps = reference.variable == "steps";
  if (!steps && reference.variable != "status") return StepFrame::bind(reference);
  std::optional<std::size_t> found = graph_.find(reference.member);
  if (!found) return std::nullopt;
  const Settled& settled = children_[*found].settled;
  if (!steps) return Value(status_json(settled, reference.field));
  return output_of(settled, reference.member);
}

std::optional<Settled> GraphFrame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const std::string& name = graph_.children[i].step->name;
    if (!begins_with(rest, name)) continue;
    std::string_view behind = rest.substr(name.size());
    const Frame* frame = frames_[i].get();
    if (behind.empty()) return children_[i].open() && frame ? frame->look("") : children_[i].settled;
    if (!frame) continue;
    if (behind.front() == '/') behind.remove_prefix(1);
    return frame->look(behind);
  }
  return std::nullopt;
}

}  // namespace

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
