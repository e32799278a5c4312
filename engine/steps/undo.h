// Undo (sagas): what could be undone is kept in its scope, and a scope that fails runs the undos in reverse order of
// completion. Knows no kind of step.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/machine/frame.h"

namespace flowrun {

/// A step that has an `undo`, as it is written.
struct UndoPolicy {
  std::unique_ptr<Step> step;
  bool on_started = false;            ///< `undo_on: started`; else only what succeeded is undone
  std::vector<Reference> references;  ///< what its expressions name of steps and items
};

/// What an undo sees of the step it belongs to, as it was when that had settled: the frames may be gone by then.
using Seen = std::vector<std::pair<Reference, Value>>;

/// An effect that can be undone.
struct Undoable {
  std::uint64_t order = 0;  ///< of settling
  std::string path;
  const Step* undo = nullptr;
  Seen seen;
  std::string file_folder;  ///< of the step
  int generation = 0;       ///< generation_at() the step: another try of a sub-workflow is another effect
  bool due = false;         ///< its own scope is over without success: to be undone however the next one ends
  int tries = 0;            ///< in vain
  int key = 0;              ///< generation_at() the undo; 0: the next try has a new one
};

/// The undos that wait in a group with `atomic: true`, the body of an item of such a for_each, or the run.
class UndoScope {
 public:
  void add(Undoable undoable) { waiting_.push_back(std::move(undoable)); }
  /// Nobody else will care for them: |outer| does from here on.
  void pass_to(UndoScope& outer, bool due);
  /// Whether something waits; |only_due|: that can not be left.
  bool waits(bool only_due = false) const;
  /// Takes them out, in order of settling; of a step that was run again only the newest.
  std::vector<Undoable> take(bool only_due = false);
  /// Paths of those that were tried in vain.
  std::vector<std::string> failed() const;

 private:
  std::vector<Undoable> waiting_;
};

/// What a frame is where undos of steps below are kept.
class UndoHolder {
 public:
  virtual ~UndoHolder() = default;
  /// Null: not now.
  virtual UndoScope* undo_scope() = 0;
};

/// The nearest scope around |frame|; null: there is none.
UndoScope* undo_scope_around(const Frame& frame);

/// Keeps the undo of the step of |frame|, which has settled, in the nearest scope around it.
void remember_undo(Frame& frame, const UndoPolicy& policy, const Settled& settled);

/// Runs undos one at a time, the last settled first, once what was given up in |parent| has ended. Settles when all
/// were tried; those that are left are for the parent to take back.
class Compensation final : public Frame, public SuccessorFrame {
 public:
  Compensation(Context& context, Frame& parent, std::vector<Undoable> undoables, std::optional<Failure> error);

  void start() override;
  void on_abandoned_done() override { next(); }
  void on_child(Frame& child) override;
  /// What runs is stopped; it is among the rest.
  void cancel(const std::string& reason) override;
  void drain() override {}
  void name_open(std::vector<std::string>& paths) const override {
    current_ ? current_->name_open(paths) : Frame::name_open(paths);
  }
  Bound bind(const Reference& reference) const override;

  /// What is not undone: tried in vain, or not tried.
  std::vector<Undoable> take_rest();

 private:
  void next();

  std::vector<Undoable> undoables_;  ///< to be run, last first
  std::vector<Undoable> failed_;
  std::optional<Undoable> running_;
  std::unique_ptr<Frame> current_;
  std::optional<Failure> error_;  ///< why the scope failed
};

}  // namespace flowrun
