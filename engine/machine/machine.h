// The machine decides. Facts go in, decisions come out, and nothing else is read or touched: no clock, no thread,
// no file, no chance. The same facts give the same decisions, always: that is what replay stands on.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/machine/chance.h"
#include "engine/machine/limits.h"
#include "engine/machine/retrying.h"
#include "engine/machine/semantics.h"
#include "engine/machine/workflow.h"
#include "engine/model/decision.h"
#include "engine/model/event.h"
#include "engine/model/scope.h"

namespace flowrun {

class Frame;
struct Hindrance;
struct Settled;

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

  struct PendingTimer {
    std::string path;
    TimerKind timer;
    Instant due;
    Duration span;
    /// In the order in which they fire.
    bool operator<(const PendingTimer& other) const {
      return std::tie(due, path, timer) < std::tie(other.due, other.path, other.timer);
    }
  };
  struct InFlight {
    std::string path;
    int attempt;
    int rerun;
    Instant started_at;
    OnCrash on_crash;  ///< never Default
    bool wanted;       ///< false: cancelled, its end is awaited and changes nothing
    bool interrupted;  ///< stopped as the run was suspended
  };

  /// |workflow| and |evaluator| are lent and outlive the machine.
  Machine(const Workflow& workflow, Evaluator& evaluator);
  ~Machine();

  /// What later facts of the run reopen; to be told before the first.
  void foresee(Foresight foresight) { foresight_ = std::move(foresight); }

  /// Takes in what has happened. The frame completes the result of an attempt first (Frame::complete_result), then
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
  bool suspending() const { return suspending_; }
  const Outcome& outcome() const { return outcome_; }  ///< REQUIRES: phase() == Ended
  std::vector<PendingTimer> timers() const;
  std::optional<Instant> due(const std::string& path, TimerKind timer) const;
  /// Whether a timer runs that a time counts for in which flowrun works, not a date.
  bool limits_work() const;
  /// In order of start.
  std::vector<InFlight> in_flight() const;
  std::size_t in_flight_count() const { return in_flight_.size(); }
  bool work_in_flight() const { return !in_flight_.empty(); }
  /// How many steps wait for a place of `concurrency` or of a limit.
  std::size_t waiting() const { return pools_.waiting(); }
  /// What they wait for; for people who ask.
  std::vector<Pools::Line> lines() const { return pools_.lines(); }
  std::size_t concurrency() const { return concurrency_; }
  /// How many steps wait for a signal.
  std::size_t awaiting() const { return awaiting_.size(); }
  /// The paths of those, in the order in which they began to.
  std::vector<std::string> awaiting_paths() const;
  const RunStarted& run() const { return run_; }
  Semantics rules() const { return {run_.semantics}; }
  /// Steps that are open though nothing is in flight, due or awaited, so that the run can never end. That is a mistake
  /// of the machine. Empty while all is well.
  std::vector<std::string> stuck() const;
  /// Whether `flowrun undo` would undo something.
  bool has_undos() const;
  /// How the step at |path| stands, when it is known.
  std::optional<Settled> look(std::string_view path) const;
  /// REQUIRES: that a retry of what has failed was foreseen. As Frame::has_failed.
  bool has_failed() const;
  /// REQUIRES: phase() == Ended. As Frame::way_to.
  std::variant<bool, Hindrance> way_to(const std::string& path) const;
  /// What the top of the run binds: inputs, `vars`, `$run`; for people who ask.
  std::optional<std::variant<Value, Failure>> bind(const Reference& reference) const;
  /// The step whose attempt is in flight at |path|; null: none is.
  const Frame* in_flight_at(const std::string& path) const;

  // Services for frames.
  const Foresight& foresight() const { return foresight_; }
  Retrying& retrying() { return retrying_; }
  const Retrying& retrying() const { return retrying_; }
  /// The idempotency key of what |name| stands for: the same for the same |request|, another for another one.
  std::string key_for(std::string name, std::uint64_t request);
  const Workflow& workflow() const { return workflow_; }
  Instant now() const { return now_; }
  /// The same without time in which nobody drove the run: spans of work are differences of these.
  Instant worked() const { return run_.measured ? now_ - idle_ : now_; }
  const Chance& chance() const { return *chance_; }
  Evaluator& evaluator();
  /// Keeps no answers: for complete_result(), where what comes of them is part of the fact.
  Evaluator& unrecorded() const;
  void decide(decltype(Decision::what) what);
  /// start() of |frame| follows, after what is queued already.
  void queue_start(Frame& frame);
  /// |frame| has settled: its parent is told, after what is queued already.
  void queue_settled(Frame& frame);
  /// Asks for one of the run's places, and of those of its limit; on_admitted() follows, maybe at once. |again|: its
  /// attempt was cut off by a crash, it goes before all who had none.
  void request_place(Frame& frame, bool again = false);
  bool waits_for_place(const Frame& frame) const;
  void withdraw(Frame& frame);
  /// Holds the frame's place for a strict start and asks the executor for one.
  void reserve(Frame& frame, ReservePlace reserve);
  /// The frame's attempt is in flight from here on.
  void start_task(Frame& frame, Task task, OnCrash on_crash);
  /// Gives up the frame's attempt, if one is in flight: it ends late.
  void stop_task(Frame& frame, const std::string& reason);
  /// Whether the frame waits for a reserved place: it is admitted and has not begun.
  bool waits_for_reservation(const Frame& frame) const;
  /// What was started at |path| and below, but waits for a place of the executor, is not to begin: on_withdrawn()
  /// follows.
  void withdraw_waiting(const std::string& path);
  void arm(Frame& frame, TimerKind timer, Duration span, int attempt = 0, std::string reason = "");
  void disarm(Frame& frame, TimerKind timer);
  /// on_signal() follows when a signal of that name comes that the frame accepts; at once when one has come already.
  void await_signal(Frame& frame, const std::string& name, std::string prompt);
  void ignore_signals(Frame& frame);
  /// on_quiet() follows when no attempt that was given up at |below| or further down still runs, and nothing there is
  /// being tidied up but by |frame| itself; maybe at once.
  void await_quiet(Frame& frame, const std::string& below);
  /// Whether who was given up may run what its end asks for; false after `flowrun cancel --now`.
  bool may_tidy() const { return rules().files_tidy_up() && !hurried_; }
  /// |frame| has settled for its parent, which may vanish, and goes on until tidied(): the run waits for it.
  void tidy(Frame& frame);
  /// To be called last, the frame may be gone then.
  void tidied(Frame& frame);
  bool is_tidying(const Frame& frame) const;
  /// |frame|, which was tidied up, is run again by |parent|.
  void give_back(Frame& frame, Frame& parent);
  /// The parent of a frame that is being tidied up vanishes.
  void keep(std::unique_ptr<Frame> frame) { kept_.push_back(std::move(frame)); }
  /// A number for what is run anew under the same paths; never the same twice in a run. See Frame::generation.
  int next_generation() { return ++generations_; }
  /// Numbers what settles, in order.
  std::uint64_t next_settling() { return ++settlings_; }
  /// The step at |path| has been undone.
  void note_undone(const std::string& path);
  /// Whether the step at |path| has been undone, and not run again since.
  bool is_undone(const std::string& path) const { return undone_.count(path) > 0; }
  /// Whether a step at |path| or further down has been undone, and not run again since.
  bool undone_below(const std::string& path) const;
  /// The step at |path| runs, maybe anew after it was undone.
  void note_run(const std::string& path);
  /// How often the step at |path| has been undone: part of its idempotency key.
  int times_undone(const std::string& path) const;
  /// What has been undone at |path| and further down, and not run again since, in order.
  std::vector<std::string> undone(const std::string& path) const;

 private:
  friend class Frame;
  class Recorder;
  struct Flight {
    int attempt = 0;  ///< 0: only a reservation
    int rerun = 0;
    std::uint64_t order = 0;
    Instant started_at{};
    OnCrash on_crash = OnCrash::Rerun;
    bool interrupted = false;
    bool process = false;    ///< it may wait for a place of the executor
    Frame* frame = nullptr;  ///< null: given up
    const Limit* limit = nullptr;
    ReservePlace reservation;
  };
  struct Timer {
    Frame* frame;  ///< null: of a limit
    Instant due;
    Duration span;
  };
  struct Work {
    Frame* frame;
    bool settled;  ///< else: start
  };

  void conclude_from(const Event& event, DecisionSink& sink);
  void take(const RunStarted& started);
  void take(const RunResumed& resumed);
  void take(const RunReopened& reopened);
  void take(const RunFrozen& frozen);
  void move_limits(Duration lost);
  void take(const TaskReserved& reserved);
  void take(const TaskEnded& ended);
  void take(const TaskInterrupted& interrupted);
  void take(const TaskWithdrawn& withdrawn);
  void take(const TimerFired& fired);
  void take(const SuspendRequested& requested);
  void take(const SignalReceived& signal);
  void take(const CancelRequested& cancel);
  void take(const UndoRequested& undo);
  void work_off();
  void admit();
  using Flights = std::unordered_map<std::string, Flight>;
  Flight& take_off(Frame& frame);
  void land(Flights::iterator flight);
  void interrupt(Flight& flight);
  void left_line(const Limit* limit);
  /// Nobody starts from the pool before |until|; who waits there is told.
  void hold(const Limit& limit, Instant until);
  void come_to_rest();
  bool quiet(const std::string& below, const Frame& asked_by) const;
  void stop_tidying();
  Flight* flight_of(const Frame& frame);
  const Flight* flight_of(const Frame& frame) const;
  void tell_quiet();
  void forget(Frame& frame);
  std::size_t busy_places() const { return in_flight_.size() - interrupted_; }

  const Workflow& workflow_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Chance> chance_;
  DecisionSink* sink_ = nullptr;
  Phase phase_ = Phase::New;
  bool suspending_ = false;
  Instant now_{};
  Instant before_{};  ///< of the fact before
  Duration idle_{0};  ///< nobody drove the run, or flowrun was frozen
  RunStarted run_;
  Foresight foresight_;
  Retrying retrying_;
  bool was_reopened_ = false;
  int jobs_ = 0;  ///< as the run was started
  /// Hashes of names of keys, and of the requests that were sent with those first.
  std::unordered_map<std::uint64_t, std::uint64_t> first_requests_;
  std::size_t concurrency_ = 64;
  Outcome outcome_;
  std::deque<Work> queue_;
  Pools pools_;
  Flights in_flight_;
  std::size_t interrupted_ = 0;
  std::uint64_t starts_ = 0;
  std::map<std::pair<std::string, TimerKind>, Timer> timers_;
  struct Awaiting {
    Frame* frame;
    std::string name;
  };
  struct Listener {
    Frame* frame;
    std::string below;
  };
  std::list<Listener> listeners_;  ///< who wait until it is quiet
  std::uint64_t settlings_ = 0;
  int generations_ = 0;
  std::set<std::string> undone_;  ///< and not run again since
  std::vector<std::string> undone_in_order_;
  std::map<std::string, int> times_undone_;  ///< by path
  std::list<Awaiting> awaiting_;             ///< in the order in which they began to wait
  std::list<SignalReceived> early_signals_;  ///< that nobody has waited for yet, in order of arrival
  std::vector<Frame*> tidying_;              ///< in the order in which they were given up
  bool hurried_ = false;                     ///< nothing else is to run
  std::list<std::unique_ptr<Frame>> kept_;   ///< of |tidying_|, whose parents are gone
  std::unique_ptr<Frame> root_;              ///< last: frames unhook themselves from the above
};

}  // namespace flowrun
