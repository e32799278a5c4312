// What graphs and for_each share: how each child stands, a tally of them that a join policy judges, and what a failure
// stops (fail_fast). Knows neither edges nor items.
#pragma once

#include <string>
#include <vector>

#include "engine/machine/join.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class GroupStep : public CommonStep {
 public:
  Join join;
  FailFast fail_fast = FailFast::Inherit;  ///< as written on this group
  FailFast inherited = FailFast::Drain;    ///< nearest value written around it
  bool status_named = true;                ///< an expression may look at $status.x
  bool children_named = true;              ///< likewise at how its items or branches came out
  bool outputs_named = true;               ///< and at what they put out
};

class Group : public StepFrame {
 public:
  Group(Context& context, Frame* parent, const GroupStep& step, std::string path)
      : StepFrame(context, parent, step, std::move(path)), group_(step) {}

  bool keeps_frame() const override { return settled_.state != State::Succeeded || Frame::keeps_frame(); }
  bool reopens() const override { return true; }

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
  /// All children are to be counted anew.
  void open();
  /// What total() says has changed.
  void recount() { tally_.total = total(); }
  /// The same of a group that is reopened: those that do not run |again| are counted, in the order in which they
  /// settled. They may give the verdict already: then nothing that runs again changes that, and nothing is stopped for
  /// it.
  void open_again(const std::vector<bool>& again);
  /// Whether a child that stands like this is to run again because a retry covers this group, which came to |was|.
  /// |failed|: something below the child has failed; |undone|: has been undone.
  bool unfinished(State was, State child, bool failed, bool undone) const;
  /// Takes in how child |i| has settled, or was kept from starting. Concludes nothing yet.
  void settle_child(std::size_t i, const Settled& settled);
  void tally_up(const Settled& child);
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
  virtual GroupStatus::Of children_are() const = 0;
  /// Name of the branch, or key of the item.
  virtual std::string name_of(std::size_t i) const = 0;
  virtual std::string path_of(std::size_t i) const = 0;
  /// Its number among all of them.
  virtual std::size_t number_of(std::size_t i) const { return i; }
  /// What the child is of.
  virtual Value item_of(std::size_t) const { return {}; }
  /// Null: it has not started, or is not kept.
  virtual Frame* frame_of(std::size_t i) const = 0;
  /// A body reports its first failure as its own; other groups report a `group` error with causes.
  virtual bool is_body() const = 0;

  void stop(const std::string& reason) override;
  void drain_work() override;
  void timed_out() override;
  void amend() override;
  bool failed_inside() const final;
  void name_open_within(std::vector<std::string>& paths) const final;

  /// Nothing new starts any more, but for observers.
  bool draining() const { return draining_; }
  /// Observers start after the group's own failure, not after a drain or an end from outside.
  bool observers_allowed() const { return !drained_from_outside_; }
  /// The group has settled, or is about to: children change nothing any more.
  bool over() const { return over_; }
  const Tally& tally() const { return tally_; }
  FailFast fail_fast() const;

 private:
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

  const GroupStep& group_;
  Tally tally_;
  Verdict verdict_ = Verdict::Open;
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
