// One run along a schedule: the machine decides as in any run, and what happens next is chosen, not timed. Where
// nothing is chosen all goes well, and what began first ends first. Tells what happened, what is done outside, what
// else could have been chosen. Reads no clock, sends nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/explore/choice.h"
#include "engine/explore/endings.h"
#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "engine/run/virtual_time.h"

namespace flowrun {

/// A live step that acts, as all runs of an exploration know it.
struct LiveStep {
  std::string path;
  std::size_t row = 0;
  std::vector<AttemptEnding> endings;
  std::vector<std::optional<Result>> results;  ///< by ending, where all attempts have the same
};

/// What the runs of one thread share: they all run the same workflow.
struct Stage {
  const Workflow& workflow;
  const WrittenSteps& steps;
  const Endings& endings;
  Evaluator& evaluator;
  RunStarted started;
  std::vector<Json> items;  ///< of standard input
  Instant begin{};
  bool every = false;  ///< each type of error is a choice of its own
  std::unordered_map<std::string, std::unique_ptr<LiveStep>> live_steps{};
};

/// A choice at a place of a run: so many were made before it.
struct Deviation {
  std::uint32_t at = 0;
  Choice choice;
};

class ExploredRun : public EventSink {
 public:
  enum class Order { OldestFirst, NewestFirst };
  enum class End { Ended, Stuck, Cut };  ///< Cut: it is too long to be followed

  /// |stage| is lent.
  explicit ExploredRun(Stage& stage) : stage_(stage) {}

  /// Plays with |deviations|, which are in order. |look|: alternatives() are gathered behind the last of them.
  void play(const std::vector<Deviation>& deviations, Order order, bool look);
  /// Plays |words|, then whatever comes by itself. Nothing; or what is wrong with a word.
  std::optional<std::string> replay(const std::vector<std::string>& words);
  /// Plays what |next| says, given how many choices there are; for tests. Alternatives are all gathered first.
  void play_at_random(const std::function<std::size_t(std::size_t)>& next);
  void keep_entries() { keeps_entries_ = true; }

  End end() const { return end_; }
  const Outcome& outcome() const { return outcome_; }  ///< REQUIRES: it has ended
  const std::vector<Entry>& entries() const { return log_; }
  /// What was chosen, without what would have come by itself at the end.
  std::string text() const;
  std::size_t length() const { return needed_; }
  const std::vector<Deviation>& alternatives() const { return alternatives_; }
  bool made_up() const { return made_up_; }

  /// Something done outside, or that may have been.
  struct Act {
    const LiveStep* live;
    int attempt;
    bool certain;        ///< its end is known, and it was good
    std::string key;     ///< names the key that it was sent with; empty: none
    std::string ended;   ///< how: a type of error, `crash`; empty: well
    std::size_t choice;  ///< after so many choices
  };
  const std::vector<Act>& acts() const { return acts_; }
  struct Twice {
    Act first;
    int attempt;  ///< the second one
    bool other_key;
  };
  const std::vector<Twice>& twice() const { return twice_; }
  /// Of every live step that has settled or ended, also those that were undone: how.
  const std::map<std::string, State>& states() const { return states_; }
  const std::vector<std::string>& endless() const { return endless_; }
  /// Whether the step of that row began.
  bool has_begun(std::size_t row) const { return begun_[row]; }
  bool cancelled() const { return cancelled_; }
  /// The row of a live step.
  std::size_t row_of(const std::string& path) const { return stage_.steps.find(path); }

  void happened(const Event& event, bool late) override;
  void decide(Decision decision) override;

 private:
  struct Flight {
    LiveStep* live = nullptr;
    Task task;
    Instant started_at{};
    std::uint32_t entry = 0;
    Choice::Then then = Choice::Then::Nothing;
  };

  void begin();
  void finish();
  /// Whether it has not ended and is not too long.
  bool goes_on() const;
  bool over() const { return machine_->phase() == Machine::Phase::Ended; }
  template <typename Fact>
  bool take(Fact fact);
  void follow_up();
  void feed();
  void do_it(const Choice& choice);
  void end_attempt(const Choice& choice);
  Result result_of(Flight& flight, std::size_t ending) const;
  void die(const Choice& choice);
  bool is_asked(const Flight& flight) const;
  /// What comes by itself; nothing: nothing does any more.
  std::optional<Choice> by_itself();
  const VirtualTimer* next_timer();
  bool may_fire(Instant at) const;
  void look(std::vector<Deviation>& found, bool all);
  void look_at(std::size_t flight, bool is_next, std::vector<Deviation>& found, bool all);
  void look_at_crashes(std::vector<Deviation>& found);
  bool order_matters_now(std::size_t index) const;
  void start(Task task);
  std::string key_at(const std::string& path) const;
  void note_act(const Flight& flight, bool certain, const std::string& ended);
  LiveStep& live_step(const Task& task);
  std::size_t flight_at(const std::string& path) const;
  void note(const Choice& choice, bool default_one);
  bool is_bounded(const std::string& path) const;

  Stage& stage_;
  std::unique_ptr<Machine> machine_;
  Order order_ = Order::OldestFirst;
  Instant now_{}, last_at_{};
  std::vector<Flight> flights_;
  std::vector<std::pair<std::string, int>> stops_;
  std::vector<std::string> reserves_;
  Earliest<VirtualTimer> timers_;
  std::unordered_map<std::string, std::string> again_;  ///< by path: how all later attempts end
  std::uint32_t entries_ = 0, last_fact_ = 0, choices_ = 0;
  std::uint32_t looked_until_ = 0;  ///< entries at the choice before
  bool keeps_entries_ = false, made_up_ = false, cancelled_ = false, all_fed_ = false;
  std::size_t fed_ = 0;
  int died_ = 0;
  End end_ = End::Ended;
  Outcome outcome_;
  std::vector<Entry> log_;
  std::vector<Choice> made_;
  std::size_t needed_ = 0;
  std::vector<Deviation> alternatives_;
  std::vector<Act> acts_;
  std::vector<Twice> twice_;
  std::map<std::string, State> states_;
  std::map<std::string, int> children_;  ///< by path of a step that runs a file: its tries
  std::vector<std::string> endless_;
  std::vector<bool> begun_;
};

}  // namespace flowrun
