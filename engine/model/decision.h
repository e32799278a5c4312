// What the machine concludes from a fact. Some are commands to the executor or to the run's clock.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/model/event.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

/// An answer of the Evaluator, kept in the entry of the decision that it led to.
struct Answer {
  Value value;
  std::string error;  ///< not empty: the evaluation failed with this
  bool ok() const { return error.empty(); }
};

/// Command: hold a place for this strict step; answered by TaskReserved.
struct ReservePlace {
  std::string path;
  bool process = false;      ///< needs a place for a process
  bool shares_cpus = false;  ///< Process::shares_cpus
  int weight = 1;            ///< Process::weight
};

/// Command: begin this attempt.
struct StartTask {
  Task task;
};

/// Command: stop this attempt; it still ends, and its end is told. The step counts as cancelled (or failed, when
/// |reason| is `deadline` or `timeout`) from here on.
struct StopTask {
  std::string path;
  int attempt = 1;
  std::string reason;  ///< `lost`, `fail_fast`, `timeout`, `deadline`, `cancelled`
};

/// Command: of the attempts at |path| and below, those that still wait for a place of the executor are not to begin;
/// each is told by TaskWithdrawn.
struct WithdrawWaiting {
  std::string path;
};

/// Command: fire at |due|. A timer that is no longer expected is dropped unseen.
struct ArmTimer {
  std::string path;
  TimerKind timer;
  int attempt = 0;  ///< Retry: of the attempt that failed
  Instant due;
  Duration span;       ///< due minus the instant of the decision
  std::string reason;  ///< Retry: the error type that led here
};

/// A step is settled and no fact says so by itself: skipped, blocked, cancelled before it began, a pure step, a group.
struct StepSettled {
  std::string path;
  std::string kind;  ///< of the step: `set`, `parallel`, ...
  Outcome outcome;
  std::string reason;  ///< `if`, `drain`, `needs charge`, `fallback`, `quorum`, ...
};

/// A for_each has its items.
struct ItemsChosen {
  std::string path;
  std::size_t count = 0;
  Value items;
};

/// A sub-workflow begins, as the step |path|.
struct ChildStarted {
  std::string path;
  int attempt = 1;
  std::string file;  ///< its path in RunStarted::sources
  Value inputs;
};

/// A step waits for a signal.
struct SignalAwaited {
  std::string path;
  std::string name;
  std::string prompt;  ///< what people are asked; may be empty
};

/// Answers that led to no other entry.
struct Evaluated {
  std::string path;
};

/// The run came to rest, to be resumed.
struct RunSuspended {};

struct RunEnded {
  Outcome outcome;
};

struct Decision {
  std::variant<ReservePlace, StartTask, StopTask, WithdrawWaiting, ArmTimer, StepSettled, ItemsChosen, Evaluated,
               RunSuspended, RunEnded, SignalAwaited, ChildStarted>
      what;
  std::vector<Answer> answers;  ///< asked since the decision before
};

/// Where decisions go as they are made. They come as a stream: one event may lead to a million.
class DecisionSink {
 public:
  virtual ~DecisionSink() = default;
  virtual void decide(Decision decision) = 0;
};

}  // namespace flowrun
