// The machine decides. Facts go in, decisions come out, and nothing else is read or touched: no clock, no thread,
// no file, no chance. The same facts give the same decisions, always: that is what replay stands on.
// This is the face for who drives a run; frames see context.h, and who only looks sees machine_view.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/context.h"
#include "engine/machine/item_stream.h"
#include "engine/machine/workflow.h"
#include "engine/model/decision.h"
#include "engine/model/event.h"

namespace flowrun {

class RunFrame;

/// Where a run goes as it happens, in the order of its journal: each fact, then what is decided on it.
class EventSink : public DecisionSink {
 public:
  /// |late|: the end of an attempt that was given up; it changes nothing.
  virtual void happened(const Event& event, bool late) = 0;
};

/// One run's state. Belongs to one thread.
class Machine {
 public:
  /// The number of this machine's decisions. Whoever changes what is decided for the same facts raises it.
  static constexpr int kSemantics = Semantics::kNewest;

  /// |workflow| and |evaluator| are lent and outlive the machine.
  Machine(const Workflow& workflow, Evaluator& evaluator);
  ~Machine();

  /// What later facts of the run reopen; to be told before the first.
  void foresee(Foresight foresight) { context_.foresight_ = std::move(foresight); }

  /// Takes in what has happened. The frame completes the result of an attempt first (TaskFrame::complete_result), then
  /// |sink| is told the fact, then each decision that follows. False: the fact is not expected, and nothing is told.
  bool take(Event event, EventSink& sink);
  /// Takes in a fact as an entry has it: its result is complete, and |sink| is told only the decisions.
  bool apply(const Event& event, DecisionSink& sink);

  /// Whether the fact still means something: a late end of a task does, a timer nobody waits for does not. The first
  /// fact is RunStarted.
  bool expects(const Event& event) const;
  /// Whether this end belongs to an attempt that was given up.
  bool late(const TaskEnded& ended) const;

  enum class Phase { New, Running, Suspended, Ended };
  Phase phase() const { return phase_; }
  /// Whether the run does not come to its end yet.
  bool can_be_cancelled() const;
  bool suspending() const { return suspending_; }
  const Outcome& outcome() const { return outcome_; }  ///< REQUIRES: phase() == Ended
  const RunStarted& run() const { return context_.run(); }
  /// How many attempts may run at once.
  std::size_t concurrency() const { return concurrency_; }
  /// In order of start.
  std::vector<InFlight> in_flight() const { return context_.attempts_.in_flight(); }
  std::size_t in_flight_count() const { return context_.attempts_.size(); }
  const Timers& timers() const { return context_.timers_; }
  const Signals& signals() const { return context_.signals_; }
  /// The for_each that takes items, whether or not it waits for more; null: none does.
  const ItemStream* stream() const { return context_.signals_.stream(); }
  /// As in Workflow.
  bool signals_cancel() const { return workflow_.signals_cancel; }
  /// Who waits for a slot of `concurrency` or of a limit.
  const Pools& pools() const { return context_.slots_.pools(); }

 private:
  friend class MachineView;

  void conclude_from(const Event& event, DecisionSink& sink);
  void on(const RunStarted& started);
  void on(const RunResumed& resumed);
  void on(const RunReopened& reopened);
  void on(const RunFrozen& frozen);
  void on(const SecretRead&) {}
  void on(const TaskReserved& reserved);
  void on(const TaskEnded& ended);
  void on(const TaskInterrupted& interrupted);
  void on(const TaskWithdrawn& withdrawn);
  void on(const TimerFired& fired);
  void on(const SuspendRequested& requested);
  void on(const SignalReceived& signal);
  void on(const CancelRequested& cancel);
  void on(const UndoRequested& undo);
  void on(const ItemsArrived& arrived);
  /// Options of a drive; 0: as the run was started.
  void set_options(int jobs, int concurrency);
  /// Nobody drove the run for so long, or flowrun was frozen.
  void lose(Duration span);
  /// The run has ended and goes on with what |fact|, a RunReopened or UndoRequested, says of the drive.
  template <class Fact>
  void run_again(const Fact& fact);
  void enter(Phase phase);
  /// What was in flight when the run was cut off begins again, or whatever its frame makes of it.
  void begin_again(const RunResumed& resumed);
  void go_elsewhere(const std::string& on);
  /// Tells frames what is queued, and gives slots to those who wait, until nothing more follows.
  void run_queue();
  void admit();
  /// The run ends or is suspended, when nothing is in flight any more.
  void finish_if_idle();

  const Workflow& workflow_;
  Phase phase_ = Phase::New;
  bool suspending_ = false;
  int jobs_ = 0, concurrency_option_ = 0;  ///< as the run was started
  std::size_t concurrency_ = 64;
  Outcome outcome_;
  Context context_;
  std::unique_ptr<Frame> root_;    ///< last: frames unhook themselves from the above
  RunFrame* run_frame_ = nullptr;  ///< the root
};

}  // namespace flowrun
