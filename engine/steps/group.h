// What graphs and for_each share: how each child stands, a tally of them that a join policy judges, and what a failure
// stops (fail_fast). Knows neither edges nor items.
#pragma once

#include <string>
#include <vector>

#include "engine/machine/join.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

/// What is written of it; a kind with children has it beside CommonStep.
struct GroupSettings {
  Join join;
  std::optional<Expression> join_amount;   ///< gives the amount of |join| when the group begins
  FailFast fail_fast = FailFast::Inherit;  ///< as written on this group
  FailFast inherited = FailFast::Drain;    ///< nearest value written around it
  bool status_named = true;                ///< an expression may look at $status.x
  bool children_named = true;              ///< likewise at how its items or branches came out
  bool outputs_named = true;               ///< and at what they put out
};

/// What a frame of children is beside StepFrame, to which it hands the moments of its life: stop_group() for stop() and
/// so on.
class Group {
 public:
  /// |settled| is that of |self|.
  Group(StepFrame& self, Settled& settled, const GroupSettings& settings, GroupStatus::Of children)
      : self_(self),
        own_(settled),
        settings_(settings),
        of_(children),
        join_(settings.join),
        held_outputs_(self.context().held_outputs(), [this](std::size_t i) { let_output_go(i); }) {}
  virtual ~Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

 protected:
  struct Child {
    Settled settled;
    std::uint64_t order = 0;  ///< of settling
    bool open() const { return !is_terminal(settled.state); }
  };
  std::vector<Child> children_;  ///< as written
  std::size_t running_ = 0;      ///< of them

  /// How many children there are, those that are gone among them.
  virtual std::size_t total() const { return children_.size(); }
  /// Children that have succeeded and are not in |children_| any more.
  struct Gone {
    std::size_t succeeded = 0;
    int attempts = 0;
  };
  virtual Gone gone() const { return {}; }
  /// The amount of the join, when an expression gives it; or why it does not. To be asked before open().
  std::optional<Failure> choose_join();
  /// All children are to be counted anew.
  void open();
  /// What total() says has changed.
  void recount() { tally_.total = total(); }
  /// The same of a group that is reopened: those that do not run |again| are counted, in the order in which they
  /// settled. They may give the verdict already: then nothing that runs again changes that, and nothing is stopped for
  /// it.
  void open_again(const std::vector<bool>& again);
  /// Whether child |i| runs again by the retry that is at work: it is named, or unfinished in a group that is covered
  /// and came to |was|.
  bool runs_again(std::size_t i, State was) const;
  /// Takes in how child |i| has settled, or was kept from starting. Concludes nothing yet.
  void settle_child(std::size_t i, const Settled& settled);
  void tally_up(const Settled& child);
  /// The output of child |i| may leave memory when newer ones come; whoever asks for it then has it from the journal.
  void hold_output(std::size_t i) { held_outputs_.hold(i, children_[i].settled.output); }
  /// An expression looks at it.
  void look_at_output(std::size_t i) const { held_outputs_.look(i, children_[i].settled.output); }
  /// They stay.
  void forget_outputs() { held_outputs_.forget(); }
  /// Judges, and does what the verdict asks for. Returns false when the group is over.
  bool act();
  /// Settles the group by its verdict when nothing runs and nothing can start.
  void conclude_if_done();
  /// The first child that succeeded, if any.
  std::optional<std::size_t> winner() const;

  /// Cancels the running children for |reason| and tallies them up; with |unstarted_too| also what has not started.
  virtual void stop_children(const std::string& reason, bool unstarted_too) = 0;
  /// Drains running children; settles and tallies up what has not started, but for observers, if they are allowed.
  virtual void prevent_children() = 0;
  virtual Value output() const = 0;
  /// The group has come to |outcome|.
  virtual void end_group(Outcome outcome, std::string reason) = 0;
  /// Name of the branch, or key of the item.
  virtual std::string name_of(std::size_t i) const = 0;
  virtual std::string path_of(std::size_t i) const = 0;
  /// Its number among all of them.
  virtual std::size_t number_of(std::size_t i) const { return i; }
  /// What the child is of.
  virtual Value item_of(std::size_t) const { return {}; }
  /// Null: it has not started, or is not kept.
  virtual Frame* frame_of(std::size_t i) const = 0;

  // Of a group whose children are items. What it is asked as a frame:
  Frame::Way way_to_item(const std::string& target) const;
  std::optional<Settled> look_at_item(std::string_view rest) const;
  // And what stop_children() and prevent_children() do.
  void stop_items(const std::string& reason, bool unstarted_too);
  void drain_items();
  /// Child |i| has settled and its frame is not kept.
  virtual void drop_frame(std::size_t) {}

  void stop_group(const std::string& reason);
  void drain_group();
  void time_out_group();
  void amend_group();
  bool group_failed_inside() const;
  void name_open_children(std::vector<std::string>& paths) const;
  bool keeps_group() const { return own_.state != State::Succeeded; }

  /// Whether the children were ever counted.
  bool was_opened() const { return opened_; }
  /// Nothing new starts any more, but for observers.
  bool draining() const { return draining_; }
  /// Observers start after the group's own failure, not after a drain or an end from outside.
  bool observers_allowed() const { return !drained_from_outside_; }
  /// The group has settled, or is about to: children change nothing any more.
  bool over() const { return over_; }
  const Tally& tally() const { return tally_; }
  FailFast fail_fast() const;

 private:
  void let_output_go(std::size_t i);
  bool unfinished(State was, State child, bool failed, bool undone) const;
  void conclude();
  /// Those that succeeded, in the order of settling.
  std::vector<std::size_t> winners() const;
  /// Name or key of who won; a list of them where several are needed.
  Value winner_names() const;
  /// Errors of the first |most| children that failed and count, in journal order.
  std::vector<Failure> failures(std::size_t most) const;
  std::vector<ChildStatus> child_statuses() const;
  void finish_as(Verdict verdict);
  void remember_status();
  std::string failure_text() const;

  /// A body reports its first failure as its own; other groups report a `group` error with causes.
  bool is_body() const { return of_ == GroupStatus::Of::Body; }
  void fail_group(Failure failure) { end_group({State::Failed, {}, std::move(failure)}, ""); }

  StepFrame& self_;
  Settled& own_;  ///< of |self_|
  const GroupSettings& settings_;
  const GroupStatus::Of of_;
  Join join_;  ///< with the amount that holds for this run of the group
  Tally tally_;
  Verdict verdict_ = Verdict::Open;
  mutable HeldOutputs::Owner held_outputs_;  ///< whether it is in memory is no matter of what it is
  std::size_t cancelled_ = 0, blocked_ = 0, skipped_ = 0;
  std::size_t unstarted_ = 0;  ///< of the cancelled
  int attempts_ = 0;           ///< of all of them
  std::uint64_t settlings_ = 0;
  bool opened_ = false;
  bool draining_ = false;
  bool drained_from_outside_ = false;
  bool timed_out_ = false;
  bool over_ = false;
};

}  // namespace flowrun
