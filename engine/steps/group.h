// What graphs and for_each share: children are tallied, a join policy judges, fail_fast says what a failure stops.
// Knows neither edges nor items.
#pragma once

#include <string>

#include "engine/machine/join.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class GroupStep : public LivingStep {
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
  /// All children are to be counted anew, |total| of them.
  void open(std::size_t total);
  /// What is kept of a group that is reopened may have decided it already: then nothing that runs again changes that,
  /// and nothing is stopped for it.
  void keep_verdict();
  /// Whether a child that stands like this is to run again because a retry covers this group, which came to |was|.
  /// |failed|: something below the child has failed; |undone|: has been undone.
  bool unfinished(State was, State child, bool failed, bool undone) const;
  /// Takes in how a child has settled, or was kept from starting. Concludes nothing yet.
  void tally_up(const Settled& child);
  /// Judges, and does what the verdict asks for. Returns false when the group is over.
  bool act();
  /// To be called when nothing runs and nothing can start: settles the group by its verdict.
  void conclude();

  /// Cancels the running children for |reason| and tallies them up; with |unstarted_too| also what has not started.
  virtual void stop_children(const std::string& reason, bool unstarted_too) = 0;
  /// Drains running children; settles and tallies up what has not started, but for observers, if they are allowed.
  virtual void prevent_children() = 0;
  virtual Value output() const = 0;
  /// Name or key of who won; a list of them where several are needed.
  virtual Value winners() const = 0;
  virtual GroupStatus::Of children_are() const = 0;
  /// How they came out, and what they put out as far as |outputs|.
  virtual std::vector<ChildStatus> children(bool outputs) const = 0;
  /// Errors of the first |most| children that failed and count, in journal order.
  virtual std::vector<Failure> failures(std::size_t most) const = 0;
  /// A body reports its first failure as its own; other groups report a `group` error with causes.
  virtual bool is_body() const = 0;

  void stop(const std::string& reason) override;
  void drain_work() override;
  void timed_out() override;
  void amend() override;

  /// Nothing new starts any more, but for observers.
  bool draining() const { return draining_; }
  /// Observers start after the group's own failure, not after a drain or an end from outside.
  bool observers_allowed() const { return !drained_from_outside_; }
  /// The group has settled, or is about to: children change nothing any more.
  bool over() const { return over_; }
  const Tally& tally() const { return tally_; }
  FailFast fail_fast() const;

 private:
  void finish_as(Verdict verdict);
  void remember_status();
  std::string failure_text() const;

  const GroupStep& group_;
  Tally tally_;
  Verdict verdict_ = Verdict::Open;
  std::size_t cancelled_ = 0, blocked_ = 0, skipped_ = 0;
  std::size_t unstarted_ = 0;  ///< of the cancelled
  int attempts_ = 0;           ///< of all of them
  bool opened_ = false;
  bool draining_ = false;
  bool drained_from_outside_ = false;
  bool timed_out_ = false;
  bool over_ = false;
};

}  // namespace flowrun
