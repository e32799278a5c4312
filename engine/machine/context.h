// What frames ask of the run that they are part of. The machine owns it; no frame sees the machine itself. Knows no
// step kind.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "engine/machine/abandoned.h"
#include "engine/machine/answer_recorder.h"
#include "engine/machine/attempts.h"
#include "engine/machine/chance.h"
#include "engine/machine/held_outputs.h"
#include "engine/machine/retry_request.h"
#include "engine/machine/run_queue.h"
#include "engine/machine/semantics.h"
#include "engine/machine/signals.h"
#include "engine/machine/slots.h"
#include "engine/machine/timeline.h"
#include "engine/machine/timers.h"
#include "engine/machine/undone.h"
#include "engine/model/event.h"

namespace flowrun {

class Context {
 public:
  /// Both are lent.
  Context(const std::vector<std::unique_ptr<Limit>>& limits, Evaluator& evaluator);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // The run, as facts have told of it.
  const RunStarted& run() const { return run_; }
  Semantics rules() const { return {run_.semantics}; }
  /// Whether it has begun and is neither suspended nor over.
  bool running() const { return running_; }
  Instant now() const { return time_.now(); }
  Instant worked() const { return time_.worked(); }
  const Foresight& foresight() const { return foresight_; }
  RetryRequest& retry_request() { return retry_request_; }
  const Chance& chance() const { return *chance_; }
  /// What one request asks for, as hashes.
  struct Asked {
    std::uint64_t text;      ///< as it is journaled
    std::uint64_t unplaced;  ///< the same without the folders of this drive
  };
  /// The idempotency key of what |name| stands for: the same for the same request, another for another one.
  std::string key_for(std::string name, Asked asked);
  /// A number for what is run anew under the same paths; never the same twice in a run. See Enclosure::generation.
  int next_generation() { return ++generations_; }

  // What follows.
  AnswerRecorder& evaluator() { return recorder_; }
  void decide(decltype(Decision::what) what) { recorder_.decide(std::move(what)); }
  RunQueue& queue() { return queue_; }
  Timers& timers() { return timers_; }
  Slots& slots() { return slots_; }
  Attempts& attempts() { return attempts_; }
  Signals& signals() { return signals_; }
  Undone& undone() { return undone_; }
  HeldOutputs& held_outputs() { return held_outputs_; }
  Abandoned& abandoned() { return abandoned_; }

 private:
  friend class Machine;
  friend class MachineView;

  RunStarted run_;
  bool running_ = false;
  Timeline time_;
  Foresight foresight_;
  RetryRequest retry_request_;
  bool was_reopened_ = false;
  std::optional<Chance> chance_;
  /// Hashes of names of keys, and of the requests that were sent with those first.
  std::unordered_map<std::uint64_t, Asked> first_requests_;
  bool keeps_keys_ = false;  ///< as in RunResumed
  int generations_ = 0;
  AnswerRecorder recorder_;
  RunQueue queue_;
  Timers timers_;
  Slots slots_;
  Attempts attempts_;
  Signals signals_;
  Undone undone_;
  HeldOutputs held_outputs_;
  Abandoned abandoned_;  ///< last: it may keep frames, which unhook themselves from the above
};

}  // namespace flowrun
