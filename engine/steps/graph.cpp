#include "engine/steps/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/json_text.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

class GraphFrame : public Group {
 public:
  GraphFrame(Context& context, Frame* parent, const GraphStep& step, std::string path)
      : Group(context, parent, step, std::move(path)), graph_(step), slots_(step.children.size()) {}

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
  Value winners() const override;
  GroupStatus::Of children_are() const override {
    return graph_.body ? GroupStatus::Of::Body : GroupStatus::Of::Branches;
  }
  std::vector<ChildStatus> children(bool outputs) const override;
  std::vector<Failure> failures(std::size_t most) const override;
  bool is_body() const override { return graph_.body; }
  bool failed_inside() const override;
  void amend() override;
  void name_open_within(std::vector<std::string>& paths) const override {
    for (const Slot& slot : slots_)
      if (slot.started && slot.open()) slot.frame->name_open(paths);
  }

 private:
  struct Slot {
    Settled settled;
    std::unique_ptr<Frame> frame;
    bool started = false;
    std::uint64_t order = 0;  ///< of settling
    bool open() const { return !is_terminal(settled.state); }
  };
  enum class Edges { Wait, Hold, Broken };

  Edges edges(std::size_t i) const;
  const std::string& broken_by(std::size_t i) const;
  bool is_observer(std::size_t i) const { return !graph_.children[i].after.empty(); }
  bool may_start(std::size_t i) const { return !draining() || (is_observer(i) && observers_allowed()); }
  std::string path_of(std::size_t i) const;
  void launch(std::size_t i);
  void settle_slot(std::size_t i, Settled settled);
  void settle_unstarted(std::size_t i, State state, const std::string& reason);
  void block_dependents(std::size_t i);
  void launch_ready();
  void conclude_if_done();
  std::vector<bool> to_reopen(std::string_view only) const;
  void add_dependents(std::vector<bool>& again) const;
  void reopen_exactly();
  /// Why the child can not run again by itself, if so.
  std::optional<Hindrance> before(std::size_t i) const;

  const GraphStep& graph_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> fresh_;  ///< settled since launch_ready()
  std::uint64_t settlings_ = 0;
  std::size_t running_ = 0;
};

void GraphFrame::begin() {
  open(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (edges(i) == Edges::Hold) launch(i);
}

GraphFrame::Edges GraphFrame::edges(std::size_t i) const {
  const GraphStep::Child& child = graph_.children[i];
  bool wait = false;
  for (std::size_t needed : child.needs) {
    const Slot& slot = slots_[needed];
    if (slot.open()) {
      wait = true;
    } else if (!slot.settled.lets_through()) {
      return Edges::Broken;
    }
  }
  for (std::size_t observed : child.after) wait = wait || slots_[observed].open();
  return wait ? Edges::Wait : Edges::Hold;
}

const std::string& GraphFrame::broken_by(std::size_t i) const {
  for (std::size_t needed : graph_.children[i].needs)
    if (!slots_[needed].open() && !slots_[needed].settled.lets_through()) return graph_.children[needed].step->name;
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
  Slot& slot = slots_[i];
  slot.started = true;
  slot.settled.state = State::Running;
  slot.frame = graph_.children[i].step->frame(context(), this, path_of(i));
  slot.frame->index = i;
  ++running_;
  context().queue().start(*slot.frame);
}

void GraphFrame::settle_slot(std::size_t i, Settled settled) {
  Slot& slot = slots_[i];
  slot.settled = std::move(settled);
  slot.order = ++settlings_;
  if (slot.frame && !slot.frame->is_kept()) slot.frame.reset();
  tally_up(slot.settled);
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
  settle_slot(i, std::move(settled));
}

void GraphFrame::on_child(Frame& child) {
  std::size_t i = child.index;
  if (i >= slots_.size() || slots_[i].frame.get() != &child) return StepFrame::on_child(child);
  if (!slots_[i].open()) return;  // it ended in the turn in which it was given up
  --running_;
  settle_slot(i, child.settled());
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
      const Slot& slot = slots_[dependent];
      if (slot.started || !slot.open() || edges(dependent) != Edges::Broken) continue;
      settle_unstarted(dependent, State::Blocked, "needs " + broken_by(dependent));
      causes.push_back(dependent);
    }
  }
}

void GraphFrame::launch_ready() {
  std::vector<std::size_t> ready;
  for (std::size_t cause : fresh_)
    for (std::size_t dependent : graph_.dependents[cause]) {
      const Slot& slot = slots_[dependent];
      if (!slot.started && slot.open() && edges(dependent) == Edges::Hold && may_start(dependent))
        ready.push_back(dependent);
    }
  fresh_.clear();
  std::sort(ready.begin(), ready.end());  // file order
  for (std::size_t i : ready)
    if (!slots_[i].started) launch(i);
}

void GraphFrame::prevent_children() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.open()) continue;
    if (is_observer(i) && observers_allowed()) continue;  // it is there to see what happened
    if (slot.started) {
      slot.frame->drain();
    } else {
      settle_unstarted(i, State::Cancelled, "drain");
      block_dependents(i);
    }
  }
  launch_ready();
  conclude_if_done();
}

void GraphFrame::stop_children(const std::string& reason, bool unstarted_too) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.open()) continue;
    if (slot.started) {
      slot.frame->cancel(reason);
      --running_;
      settle_slot(i, slot.frame->settled());
    } else if (unstarted_too) {
      settle_unstarted(i, State::Cancelled, reason);
    }
  }
}

void GraphFrame::conclude_if_done() {
  if (running_ == 0 && tally().open() == 0) conclude();
}

Value GraphFrame::output() const {
  if (graph_.race) {
    const Slot* winner = nullptr;
    for (const Slot& slot : slots_)
      if (slot.settled.state == State::Succeeded && (!winner || slot.order < winner->order)) winner = &slot;
    return winner ? winner->settled.output : Value();
  }
  if (graph_.form != GraphStep::Form::Map) return slots_.back().settled.output;
  // As text: the output of a large for_each would be read only to be written again.
  std::string text;
  {
    ObjectWriter object(text);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const Settled& settled = slots_[i].settled;
      object.value(graph_.children[i].step->name, settled.state == State::Succeeded ? settled.output : Value());
    }
  }
  return Value::from_text(std::move(text));
}

Value GraphFrame::winners() const {
  std::vector<std::pair<std::uint64_t, std::string>> won;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].settled.state == State::Succeeded) won.emplace_back(slots_[i].order, graph_.children[i].step->name);
  std::sort(won.begin(), won.end());
  if (graph_.join.policy == Join::Policy::FirstCompleted || (graph_.join.amount == 1 && !graph_.join.percent))
    return won.empty() ? Value() : Value::string(won.front().second);
  Json names = Json::array();
  for (const auto& [order, name] : won) names.push_back(name);
  return Value(std::move(names));
}

std::vector<ChildStatus> GraphFrame::children(bool outputs) const {
  std::vector<ChildStatus> children;
  if (graph_.body) return children;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    children.push_back({graph_.children[i].step->name, {}, slots_[i].settled, slots_[i].order});
    if (!outputs) children.back().settled.output = Value();
  }
  return children;
}

/// An item of one step comes out as its step does.
void GraphFrame::amend() {
  Group::amend();
  if (!graph_.of_item || graph_.form != GraphStep::Form::Single || !context().rules().items_are_their_steps()) return;
  const Settled& only = slots_.front().settled;
  if (slots_.front().open()) return;
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

std::vector<Failure> GraphFrame::failures(std::size_t most) const {
  std::vector<const Slot*> failed;
  for (const Slot& slot : slots_)
    if (slot.settled.state == State::Failed && !slot.settled.tolerated && slot.settled.failure) failed.push_back(&slot);
  std::sort(failed.begin(), failed.end(), [](const Slot* a, const Slot* b) { return a->order < b->order; });
  if (failed.size() > most) failed.resize(most);
  std::vector<Failure> causes;
  for (const Slot* slot : failed) causes.push_back(*slot->settled.failure);
  return causes;
}

std::vector<bool> GraphFrame::to_reopen(std::string_view only) const {
  std::vector<bool> again(slots_.size(), false);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::string& name = graph_.children[i].step->name;
    bool named =
        only.substr(0, name.size()) == name &&
        (only.size() == name.size() || std::string_view("/[.").find(only[name.size()]) != std::string_view::npos);
    bool unfinished = (slots_[i].settled.state != State::Succeeded && slots_[i].settled.state != State::Skipped) ||
                      context().undone().any_below(path_of(i));
    again[i] = only.empty() ? unfinished : named;
  }
  add_dependents(again);
  return again;
}

void GraphFrame::add_dependents(std::vector<bool>& again) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (again[i])
        for (std::size_t dependent : graph_.dependents[i])
          if (!again[dependent]) changed = again[dependent] = true;
  }
}

void GraphFrame::reopen(std::string_view only) {
  if (context().retrying().exact()) return reopen_exactly();
  StepFrame::reopen(only);
  // As it was when nobody foresaw anything.
  for (Slot& slot : slots_)
    if (slot.frame && !slot.frame->keeps_frame()) slot.frame.reset();
  if (!only.empty() && only.front() == '/') only.remove_prefix(1);
  running_ = 0;
  open(slots_.size());
  std::vector<bool> again = to_reopen(only);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!again[i]) {
      tally_up(slot.settled);
      continue;
    }
    // What has been undone as a whole starts from new.
    slot.started = slot.frame && slot.settled.state != State::Blocked && !context().undone().contains(path_of(i));
    slot.settled = Settled{};
    if (slot.started) {
      kept.push_back(i);
    } else {
      slot.frame.reset();
    }
  }
  for (std::size_t i : kept) {
    // Its own edges may wait for another that is reopened; then it starts from new, later.
    if (edges(i) != Edges::Hold) {
      slots_[i].frame.reset();
      slots_[i].started = false;
      continue;
    }
    slots_[i].settled.state = State::Running;
    ++running_;
    const std::string& name = graph_.children[i].step->name;
    slots_[i].frame->reopen(only.size() > name.size() ? only.substr(name.size()) : std::string_view());
  }
  fresh_.clear();
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].open() && !slots_[i].started && edges(i) == Edges::Hold) launch(i);
  conclude_if_done();
}

/// What is named or unfinished goes on where it stood, what depends on it starts from new, and the rest is kept.
void GraphFrame::reopen_exactly() {
  const Retrying& retrying = context().retrying();
  const bool covered = retrying.covers(path());
  const State was = settled_.state;
  StepFrame::reopen({});
  std::vector<bool> again(slots_.size()), goes_on(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const std::string at = path_of(i);
    const bool failed = slot.settled.state == State::Failed || (slot.frame && slot.frame->has_failed());
    const bool left = covered && unfinished(was, slot.settled.state, failed, context().undone().any_below(at));
    const bool named = retrying.leads_to(at);
    // Of what is named and has succeeded all runs.
    const bool whole = retrying.names(at) && is_finished(slot.settled.state);
    again[i] = named || left;
    goes_on[i] = again[i] && !whole && slot.frame && slot.frame->reopens() && slot.settled.state != State::Blocked &&
                 !context().undone().contains(at);
  }
  add_dependents(again);
  running_ = 0;
  open(slots_.size());
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (!again[i]) kept.push_back(i);
  std::sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) { return slots_[a].order < slots_[b].order; });
  for (std::size_t i : kept) tally_up(slots_[i].settled);
  keep_verdict();
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (again[i]) slots_[i].settled = Settled{};
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!again[i]) continue;
    // Who waits for another that runs again starts from new, later.
    slots_[i].started = goes_on[i] && edges(i) == Edges::Hold;
    if (!slots_[i].started) slots_[i].frame.reset();
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!again[i] || !slots_[i].started) continue;
    slots_[i].settled.state = State::Running;
    ++running_;
    slots_[i].frame->reopen({});
  }
  fresh_.clear();
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].open() && !slots_[i].started && edges(i) == Edges::Hold) launch(i);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].open() || slots_[i].started || edges(i) != Edges::Broken) continue;
    settle_unstarted(i, State::Blocked, "needs " + broken_by(i));
    block_dependents(i);
  }
  if (!act()) return;
  launch_ready();
  conclude_if_done();
}

bool GraphFrame::failed_inside() const {
  if (settled_.state == State::Succeeded && ends_early(graph_.join)) return false;
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.settled.state == State::Failed || (slot.frame && slot.frame->has_failed());
  });
}

std::optional<Hindrance> GraphFrame::before(std::size_t i) const {
  const std::string& name = graph_.children[i].step->name;
  std::vector<std::size_t> first{graph_.children[i].needs};
  for (std::size_t at = 0; at < first.size(); ++at) {
    const std::size_t needed = first[at];
    const bool direct = at < graph_.children[i].needs.size();
    if (direct && !slots_[needed].settled.lets_through())
      return Hindrance{fmt::format("{} needs {}, which {} {}", name, graph_.children[needed].step->name,
                                   slots_[needed].settled.state == State::Failed ? "has" : "is",
                                   to_string(slots_[needed].settled.state)),
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
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::string at = path_of(i);
    if (!is_below(target, at)) continue;
    if (slots_[i].open()) return Hindrance{fmt::format("{} was not begun", path()), path()};
    if (auto hindrance = before(i)) return *hindrance;
    if (target == at) return true;
    const State state = slots_[i].settled.state;
    if (!slots_[i].frame || !slots_[i].frame->reopens() || state == State::Skipped || state == State::Blocked)
      return Hindrance{fmt::format("nothing below {} has run: it is {}", at, to_string(state)), at};
    if (context().undone().contains(at)) return Hindrance{fmt::format("{} has been undone as a whole", at), at};
    return slots_[i].frame->way_to(target);
  }
  return false;
}

Frame::Bound GraphFrame::bind(const Reference& reference) const {
  bool steps = reference.variable == "steps";
  if (!steps && reference.variable != "status") return StepFrame::bind(reference);
  std::optional<std::size_t> found = graph_.find(reference.member);
  if (!found) return std::nullopt;
  const Settled& settled = slots_[*found].settled;
  if (!steps) return Value(status_json(settled, reference.field));
  return output_of(settled, reference.member);
}

std::optional<Settled> GraphFrame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    std::string_view name = graph_.children[i].step->name;
    if (rest.substr(0, name.size()) != name) continue;
    std::string_view behind = rest.substr(name.size());
    if (behind.empty()) return slot.open() && slot.frame ? slot.frame->look("") : slot.settled;
    if (!slot.frame || (behind.front() != '/' && behind.front() != '[' && behind.front() != '.')) continue;
    if (behind.front() == '/') behind.remove_prefix(1);
    return slot.frame->look(behind);
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
