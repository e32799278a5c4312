// A machine that is driven at random to its end, also through resumes, withdrawals, signals and reopening.
#pragma once

#include <fmt/format.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/machine/frame.h"
#include "engine/machine/machine.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/driver.h"

namespace flowrun::test {

/// Drives one machine to its end and keeps the log. Throws what contradicts itself, or never ends.
class Play : public Driver {
 public:
  Play(const Loaded& loaded, Random& random) : Driver(loaded.workflow, evaluator_), random_(random) {}

  void to_the_end() {
    RunStarted started;
    started.semantics = Machine::kSemantics;
    started.seed = fmt::format("{:032x}", random_());
    started.inputs = Value(Json{{"flag", percent(random_, 50)}});
    started.vars = Value(Json::object());
    started.measured = true;
    if (percent(random_, 10)) started.concurrency = 1 + below(random_, 3);
    if (percent(random_, 50)) started.jobs = 1 + below(random_, 2);
    apply(std::move(started));
    for (int turns = 0;; ++turns) {
      if (turns > 5000) throw std::runtime_error("it never ends");
      if (machine_->phase() == Machine::Phase::Ended) {
        if (reopened_ >= 2 || !percent(random_, 25)) return;
        ++reopened_;
        if (view().has_undos() && percent(random_, 50)) {
          apply(UndoRequested{"again", "somebody"});
        } else {
          RunReopened reopened{"again", ""};
          reopened.exact = percent(random_, 70);
          apply(std::move(reopened));
        }
        continue;
      }
      if (machine_->phase() == Machine::Phase::Suspended) {
        resume();
        continue;
      }
      step();
    }
  }

  void decide(Decision decision) override {
    const auto* start = std::get_if<StartTask>(&decision.what);
    if (start && !start->task.strict) count_start(start->task.path);
    if (std::holds_alternative<RunEnded>(decision.what) && machine_->in_flight_count() > 0)
      throw std::runtime_error("the run ended before its steps");
    Driver::decide(std::move(decision));
  }

  int reopened_ = 0;
  int resumed = 0;

 private:
  template <typename Fact>
  void apply(Fact fact) {
    happens(std::move(fact));
    check_limits();
  }

  /// However the dice fall: no limit is ever exceeded.
  void check_limits() {
    std::map<const Limit*, std::size_t> busy;
    for (const InFlight& flight : machine_->in_flight())
      if (const Frame* frame = view().in_flight_at(flight.path))
        if (const Limit* limit = frame->step().limit; limit && limit->max > 0 && !interrupted(flight))
          if (++busy[limit] > limit->max)
            throw std::runtime_error(fmt::format("{} of at most {} in flight for {}", busy[limit], limit->max,
                                                 limit->name.empty() ? flight.path : limit->name));
  }
  bool interrupted(const InFlight& flight) const {
    return flight.attempt > 0 && !expects(TaskEnded{flight.path, flight.attempt, {}});
  }
  /// The rate as well, by the dates of the attempts. A strict step starts when it has its place, after its turn.
  void count_start(const std::string& path) {
    const Frame* frame = view().in_flight_at(path);
    const Limit* limit = frame ? frame->step().limit : nullptr;
    if (!limit || limit->rate == 0) return;
    std::vector<Instant>& starts = starts_[limit];
    starts.push_back(now_);
    std::size_t rate = static_cast<std::size_t>(limit->rate);
    if (starts.size() > rate && now_ - starts[starts.size() - 1 - rate] < limit->per)
      throw std::runtime_error(fmt::format("{} starts faster than {}", path, limit->rate_text));
  }

  void step() {
    std::vector<InFlight> flights = machine_->in_flight();
    std::vector<PendingTimer> timers = machine_->timers().pending();
    if (percent(random_, 2) && !machine_->suspending()) {
      apply(SuspendRequested{15});
      return;
    }
    if (percent(random_, 2)) {
      resume();
      return;
    }
    if (percent(random_, 2)) {
      const Duration span{below(random_, 10000)};
      now_ += span;
      apply(RunFrozen{span});
      return;
    }
    if (percent(random_, 1) && expects(CancelRequested{})) {
      apply(CancelRequested{percent(random_, 50), percent(random_, 20), "somebody"});
      return;
    }
    bool nothing_else = flights.empty() && timers.empty();
    if (machine_->signals().awaiting() > 0 ? nothing_else || percent(random_, 15) : percent(random_, 1)) {
      SignalReceived signal{kSignals[below(random_, 2)], "", Value(Json(below(random_, 100))), "somebody", {}};
      if (percent(random_, 25)) signal.rejected = "no";
      if (expects(signal)) return apply(std::move(signal));
    }
    bool by_time = !timers.empty() && (flights.empty() || percent(random_, 20));
    if (by_time) {
      fire_timer();
      return check_limits();
    }
    if (flights.empty()) throw std::runtime_error("nothing is in flight, nothing is due, and the run has not ended");
    const InFlight& flight = flights[static_cast<std::size_t>(below(random_, static_cast<int>(flights.size())))];
    now_ += Duration(below(random_, 700));
    if (flight.attempt == 0 && expects(TaskReserved{flight.path})) {
      apply(TaskReserved{flight.path});
    } else if (machine_->suspending() && percent(random_, 40) &&
               expects(TaskInterrupted{flight.path, flight.attempt})) {
      apply(TaskInterrupted{flight.path, flight.attempt});
    } else if (flight.attempt > 0 && percent(random_, 5) &&
               std::holds_alternative<Process>(*tasks_.at(flight.path).work) &&
               expects(TaskWithdrawn{flight.path, flight.attempt})) {
      apply(TaskWithdrawn{flight.path, flight.attempt});
    } else if (expects(TaskEnded{flight.path, flight.attempt, {}})) {
      apply(TaskEnded{flight.path, flight.attempt, random_result(tasks_.at(flight.path), random_())});
    }
  }

  void resume() {
    RunResumed how;
    // Some of the processes still waited in line; strict ones have their places.
    for (const InFlight& flight : machine_->in_flight())
      if (flight.wanted && flight.attempt > 0 && !flight.interrupted &&
          std::holds_alternative<Process>(*tasks_.at(flight.path).work) && !tasks_.at(flight.path).strict &&
          percent(random_, 30))
        how.queued.push_back(flight.path);
    how.token = "again";
    how.down = Duration(below(random_, 100000));
    now_ += how.down;
    how.on_crash = percent(random_, 50) ? OnCrash::Rerun : OnCrash::Fail;
    if (percent(random_, 4)) how.cancel = CancelRequested{percent(random_, 50), percent(random_, 20), "somebody"};
    if (how.cancel) how.queued.clear();
    ++resumed;
    apply(std::move(how));
  }

  Random& random_;
  NoJq evaluator_;
  std::map<const Limit*, std::vector<Instant>> starts_;
};

}  // namespace flowrun::test
