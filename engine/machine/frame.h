// A step as it runs: a node of the machine's live tree. Touches itself, its children and its Context. What only some
// kinds are is in task_frame.h, signals.h, abandoned.h, enclosure.h and run_frame.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/machine/context.h"
#include "engine/machine/status.h"
#include "engine/machine/step.h"
#include "engine/model/event.h"
#include "engine/model/outcome.h"
#include "engine/model/scope.h"

namespace flowrun {

class Enclosure;

/// Why a retry can not reopen just one step.
struct Hindrance {
  std::string why;      ///< what follows the name of the run
  std::string instead;  ///< path of a step that can be reopened, if one would do
};

class Frame {
 public:
  using Bound = std::optional<Fallible<Value>>;

  Frame(Context& context, Frame* parent, const Step& step, std::string path);
  virtual ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // Its life.

  /// Its edges hold. Called once by the machine's queue.
  virtual void start() = 0;
  /// |child| has settled by itself (not by our cancel()).
  virtual void on_child(Frame&) {}
  virtual void on_timer(TimerKind) {}
  /// The parent gives it up: ends what runs, settles as cancelled, does not tell the parent.
  virtual void cancel(const std::string& reason) = 0;
  /// The parent's group has failed: what runs may finish, nothing else below may start.
  virtual void drain() = 0;

  // Retries.

  /// Not succeeded, and asked to try again: settles anew later. With |only| (the rest of a path) just that step below
  /// and what depends on it. REQUIRES: settled() and keeps_frame().
  /// What an exact retry asks for is in Context::retry_request(), and |only| is empty.
  virtual void reopen(std::string_view) {}
  /// Whether it can be reopened as it stands; else an exact retry makes a new one.
  virtual bool reopens() const { return false; }
  /// Whether reopen() needs it: the parent keeps it after it has settled.
  virtual bool keeps_frame() const { return holds_undo_; }
  /// Whether it, or anything below that is kept, has failed without having been replaced.
  virtual bool has_failed() const { return settled_.state == State::Failed; }
  /// Of an ended run: whether just the step at |target|, which is here or below, can be reopened. False: there is no
  /// such step.
  using Way = std::variant<bool, Hindrance>;
  virtual Way way_to(const std::string& target) const { return target == path_; }

  // What it is to the steps within.

  /// What this level binds: names of its steps, items, `$error`, ... Nothing: ask further up.
  virtual Bound bind(const Reference&) const { return std::nullopt; }
  /// Not null: it is more than their parent.
  virtual const Enclosure* enclosure() const { return nullptr; }

  // For people who ask.

  /// Paths of the innermost steps that have not settled, this one included.
  virtual void name_open(std::vector<std::string>& paths) const;
  /// The live step behind the rest of a path, this frame's own path taken off.
  virtual std::optional<Settled> look(std::string_view rest) const;

  Context& context() const { return context_; }
  Frame* parent() const { return parent_; }
  const Step& step() const { return step_; }
  const std::string& path() const { return path_; }
  const Settled& settled() const { return settled_; }
  /// Whether the parent keeps it, or a retry that is foreseen needs it.
  bool is_kept() const { return foreseen_ || keeps_frame(); }

  std::size_t index = 0;  ///< the parent's own number for it

 protected:
  /// A step here can be undone: from here up to the root frames are kept, because an undone step may run again.
  void hold_undo();
  /// To be called once it has settled.
  void hold_foreseen();
  Settled settled_;

 private:
  friend class Abandoned;
  friend class RunQueue;
  friend class Timers;
  Context& context_;
  Frame* parent_;
  const Step& step_;
  std::string path_;
  int queued_ = 0;  ///< of RunQueue
  int timers_ = 0;  ///< of Timers
  bool holds_undo_ = false;
  bool foreseen_ = false;
};

/// Where relative paths of a step start and its processes run.
std::string folder_of(const Frame& frame);

/// What the expressions of a frame see: `.` and `$error` when given, then each level upwards.
class FrameScope : public Scope {
 public:
  explicit FrameScope(const Frame& frame, const Value* dot = nullptr, const Failure* error = nullptr)
      : frame_(frame), dot_(dot), error_(error) {}
  Fallible<Value> lookup(const Reference& reference) const override;
  bool filters_in_place() const override { return frame_.context().rules().filters_are_native(); }
  const Frame& frame() const { return frame_; }

 private:
  const Frame& frame_;
  const Value* dot_;
  const Failure* error_;
};

}  // namespace flowrun
