// A step as it runs: a node of the machine's live tree. Touches itself, its children and the machine's services.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/machine/status.h"
#include "engine/machine/step.h"
#include "engine/model/event.h"
#include "engine/model/outcome.h"
#include "engine/model/scope.h"

namespace flowrun {

class UndoScope;

/// Why a retry can not reopen just one step.
struct Hindrance {
  std::string why;      ///< what follows the name of the run
  std::string instead;  ///< path of a step that can be reopened, if one would do
};

class Frame {
 public:
  using Bound = std::optional<std::variant<Value, Failure>>;

  Frame(Machine& machine, Frame* parent, const Step& step, std::string path);
  virtual ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  /// Its edges hold. Called once by the machine's queue.
  virtual void start() = 0;
  /// |child| has settled by itself (not by our cancel()).
  virtual void on_child(Frame& child);
  /// The place that it asked for by Machine::request_place is its own now.
  virtual void on_admitted() {}
  /// A server holds back the pool in whose line it stands.
  virtual void on_held() {}
  virtual void on_reserved() {}
  virtual void on_ended(const TaskEnded&) {}
  /// Its attempt has not begun and will not: it waited for a place of the executor.
  virtual void on_withdrawn() {}
  /// Its attempt has ended, which is no entry yet. Adds to the result whether it is what a poll waits for, what a page
  /// puts out and which page follows, so that the entry is a small one. Changes nothing else. A replay does not ask.
  virtual void complete_result(Result&) const {}
  virtual void on_timer(TimerKind) {}
  /// Whether it can do with this signal; one that nobody accepts waits for who will.
  virtual bool accepts(const SignalReceived&) const { return true; }
  /// The signal that it awaited by Machine::await_signal.
  virtual void on_signal(const SignalReceived&) {}
  /// Its attempt was in flight when the run was cut off; decide what becomes of it.
  virtual void on_crashed(const RunResumed&) {}
  /// The parent gives it up: ends what runs, settles as cancelled, does not tell the parent.
  virtual void cancel(const std::string& reason) = 0;
  /// The parent's group has failed: what runs may finish, nothing else below may start.
  virtual void drain() = 0;
  /// What it awaited by Machine::await_quiet.
  virtual void on_quiet() {}
  /// The run is to end. Only the root is told.
  virtual void on_cancel(const CancelRequested&) {}
  /// The run has ended, and what can be undone is to be. Only the root is told.
  virtual void on_undo(const UndoRequested&) {}
  virtual bool has_undos() const { return false; }
  /// Where undos of steps below are kept, when this is the place.
  virtual UndoScope* undo_scope() { return nullptr; }
  /// Not succeeded, and asked to try again: settles anew later. With |only| (the rest of a path) just that step below
  /// and what depends on it. REQUIRES: settled() and keeps_frame().
  /// What an exact retry asks for is in Machine::retrying(), and |only| is empty.
  virtual void reopen(std::string_view only);
  /// Whether it can be reopened as it stands; else an exact retry makes a new one.
  virtual bool reopens() const { return false; }
  /// Whether it, or anything below that is kept, has failed without having been replaced.
  virtual bool has_failed() const { return settled_.state == State::Failed; }
  /// Of an ended run: whether just the step at |target|, which is here or below, can be reopened. False: there is no
  /// such step.
  using Way = std::variant<bool, Hindrance>;
  virtual Way way_to(const std::string& target) const { return target == path_; }
  /// Whether reopen() needs it: the parent keeps it after it has settled.
  virtual bool keeps_frame() const { return holds_undo_; }
  /// The same, or a retry that is foreseen needs it.
  bool is_kept() const { return foreseen_ || keeps_frame(); }
  /// How often what is below has been run anew under the same paths: part of its idempotency keys.
  virtual int generation() const { return parent_ ? parent_->generation() : 0; }
  /// Where relative paths start and processes run.
  std::string folder() const;
  /// The folder of the file that the step stands in: absolute, or seen from that of the run.
  virtual const std::string& place() const;
  /// What this level binds: names of its steps, items, `$error`, ... Nothing: ask further up.
  virtual Bound bind(const Reference& reference) const;
  /// Paths of the innermost steps that have not settled, this one included; for people who ask.
  virtual void name_open(std::vector<std::string>& paths) const;
  /// Whether the processes of a file that is run here share the CPUs, unless the file says otherwise.
  virtual bool shares_cpus() const { return parent_ && parent_->shares_cpus(); }
  /// The live step behind the rest of a path, this frame's own path taken off; for people who ask.
  virtual std::optional<Settled> look(std::string_view rest) const;

  Machine& machine() const { return machine_; }
  Frame* parent() const { return parent_; }
  const Step& step() const { return step_; }
  const std::string& path() const { return path_; }
  const Settled& settled() const { return settled_; }
  bool is_settled() const { return is_terminal(settled_.state); }

  std::size_t index = 0;  ///< the parent's own number for it

 protected:
  /// A step here can be undone: from here up to the root frames are kept, because an undone step may run again.
  void hold_undo();
  /// To be called once it has settled.
  void hold_foreseen();
  Settled settled_;

 private:
  friend class Machine;
  Machine& machine_;
  Frame* parent_;
  const Step& step_;
  std::string path_;
  // The machine's own marks, so that a frame can vanish without leaving a trace.
  int queued_ = 0;
  int timers_ = 0;
  bool in_flight_ = false;
  bool awaits_signal_ = false;
  bool holds_undo_ = false;
  bool foreseen_ = false;
  std::optional<Pools::Ticket> ticket_;
};

/// What the expressions of a frame see: `.` and `$error` when given, then each level upwards.
class FrameScope : public Scope {
 public:
  explicit FrameScope(const Frame& frame, const Value* dot = nullptr, const Failure* error = nullptr)
      : frame_(frame), dot_(dot), error_(error) {}
  std::variant<Value, Failure> lookup(const Reference& reference) const override;
  const Frame& frame() const { return frame_; }

 private:
  const Frame& frame_;
  const Value* dot_;
  const Failure* error_;
};

}  // namespace flowrun
