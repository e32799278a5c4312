// A graph as it runs: a child begins when its edges hold. `graph.cpp` is its life, `graph_retry.cpp` how it goes on
// after a retry.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/steps/graph.h"

namespace flowrun {

class GraphFrame final : public StepFrame, private Group {
 public:
  GraphFrame(Context& context, Frame* parent, const GraphStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path), {.reopens = true}),
        Group(*this, settled_, step, step.body ? GroupStatus::Of::Body : GroupStatus::Of::Branches),
        graph_(step),
        frames_(step.children.size()) {
    children_.resize(step.children.size());
  }

  void on_child(Frame& child) override;
  void reopen(std::string_view only) override;
  bool keeps_frame() const override { return keeps_group() || Frame::keeps_frame(); }
  Way way_to(const std::string& target) const override;
  Bound bind(const Reference& reference) const override;
  std::optional<Settled> look_within(std::string_view rest) const override;

 protected:
  void begin() override;
  void end_group(Outcome outcome, std::string reason) override { finish(std::move(outcome), std::move(reason)); }
  void stop(const std::string& reason) override { stop_group(reason); }
  void drain_work() override { drain_group(); }
  void timed_out() override { time_out_group(); }
  void amend() override;
  bool failed_inside() const override { return group_failed_inside(); }
  void name_open_within(std::vector<std::string>& paths) const override { name_open_children(paths); }

 private:
  // What it is to Group.
  void stop_children(const std::string& reason, bool unstarted_too) override;
  void prevent_children() override;
  Value output() const override;
  std::string name_of(std::size_t i) const override { return graph_.children[i].step->name; }
  std::string path_of(std::size_t i) const override;
  Frame* frame_of(std::size_t i) const override { return frames_[i].get(); }

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
  /// Not those that are its own output, or part of what is told of it.
  bool lets_outputs_go() const {
    return graph_.form != GraphStep::Form::Single && (graph_.body || !graph_.outputs_named);
  }
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

}  // namespace flowrun
