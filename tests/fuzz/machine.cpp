#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>

#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "tests/fuzz/targets.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/replay_prefix.h"

namespace flowrun::test {
namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}
  bool empty() const { return at_ == end_; }
  unsigned byte() { return empty() ? 0 : *at_++; }
  unsigned word() {
    unsigned word = 0;
    for (int i = 0; i < 4; ++i) word = word << 8 | byte();
    return word;
  }

 private:
  const std::uint8_t *at_, *end_;
};

/// What may happen next is chosen by the bytes; what the machine does not expect does not happen.
class Happenings : public DecisionSink {
 public:
  Happenings(const Loaded& loaded, Bytes& bytes) : bytes_(bytes), machine_(loaded.workflow, no_jq_) {
    RunStarted started;
    started.semantics = Machine::kSemantics;
    started.seed = fmt::format("{:032x}", bytes.word());
    started.inputs = Value(Json{{"flag", bytes.byte() % 2 == 0}});
    started.vars = Value(Json::object());
    started.measured = true;
    happens(std::move(started));
  }

  void next() {
    const unsigned what = bytes_.byte();
    if (what < 130) return attempt_ends();
    if (what < 180) return timer_fires();
    now_ += Duration(bytes_.byte() * 10);
    if (what < 200) {
      SignalReceived signal{kSignals[what % 2], "", Value(Json(bytes_.byte())), "somebody", {}};
      if (what > 195) signal.rejected = "no";
      return happens(std::move(signal));
    }
    if (what < 208) return happens(CancelRequested{what % 2 == 0, what > 205, "somebody"});
    if (what < 216) return happens(SuspendRequested{15});
    if (what < 223) return attempt_is_interrupted();
    if (what < 228) return attempt_is_withdrawn();
    if (what < 244) return resume(what);
    if (what < 250) {
      RunReopened reopened{"again", ""};
      reopened.exact = what % 2 == 0;
      return happens(std::move(reopened));
    }
    if (machine_.phase() == Machine::Phase::Ended && machine_.has_undos()) happens(UndoRequested{"again", "somebody"});
  }

  void decide(Decision decision) override {
    log.push_back(to_entry(decision, now_));
    if (const auto* start = std::get_if<StartTask>(&decision.what)) tasks_[start->task.path] = start->task;
    if (std::holds_alternative<RunEnded>(decision.what) && machine_.work_in_flight())
      throw std::logic_error("the run ended before its steps");
  }

  std::vector<Entry> log;

 private:
  template <typename Fact>
  void happens(Fact fact) {
    Event event{now_, std::move(fact)};
    if (!machine_.expects(event)) return;
    auto* ended = std::get_if<TaskEnded>(&event.fact);
    bool late = ended && machine_.late(*ended);
    if (ended && !late) machine_.weigh(*ended);
    log.push_back(to_entry(event, late));
    machine_.apply(event, *this);
  }

  void attempt_ends() {
    const std::vector<Machine::InFlight> flights = machine_.in_flight();
    if (flights.empty()) return;
    const Machine::InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt == 0) return happens(TaskReserved{flight.path});
    happens(TaskEnded{flight.path, flight.attempt, random_result(tasks_.at(flight.path), bytes_.word())});
  }

  void attempt_is_interrupted() {
    const std::vector<Machine::InFlight> flights = machine_.in_flight();
    if (flights.empty()) return;
    const Machine::InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt > 0) happens(TaskInterrupted{flight.path, flight.attempt});
  }

  void attempt_is_withdrawn() {
    const std::vector<Machine::InFlight> flights = machine_.in_flight();
    if (flights.empty()) return;
    const Machine::InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt > 0) happens(TaskWithdrawn{flight.path, flight.attempt});
  }

  void timer_fires() {
    const std::vector<Machine::PendingTimer> timers = machine_.timers();
    auto next = std::min_element(timers.begin(), timers.end(), [](const auto& a, const auto& b) {
      return std::tie(a.due, a.path, a.timer) < std::tie(b.due, b.path, b.timer);
    });
    if (next == timers.end()) return;
    now_ = std::max(now_, next->due);
    happens(TimerFired{next->path, next->timer});
  }

  void resume(unsigned what) {
    RunResumed how;
    how.token = "again";
    how.down = Duration(bytes_.byte() * 1000);
    now_ += how.down;
    how.on_crash = what % 2 == 0 ? OnCrash::Rerun : OnCrash::Fail;
    for (const Machine::InFlight& flight : machine_.in_flight())
      if (flight.wanted && flight.attempt > 0 && !tasks_.at(flight.path).strict && bytes_.byte() % 4 == 0)
        how.queued.push_back(flight.path);
    if (what > 241) how.cancel = CancelRequested{what % 2 == 0, bytes_.byte() % 2 == 0, "somebody"};
    if (how.cancel) how.queued.clear();
    happens(std::move(how));
  }

  Bytes& bytes_;
  NoJq no_jq_;
  Machine machine_;
  Instant now_ = from_millis(1'800'000'000'000);
  std::map<std::string, Task> tasks_;  ///< newest attempts, by path
};

}  // namespace

void fuzz_machine(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  Random random(bytes.word());
  const RandomWorkflow workflow(random);
  Diagnostics diagnostics({"fuzz.yaml", workflow.text});
  auto loaded = load("/nowhere/fuzz.yaml", diagnostics, nullptr, Lints::No, false, &workflow.files);
  if (!loaded) throw std::logic_error("a random workflow is not valid: " + diagnostics.text());
  const unsigned prefix = bytes.word();
  Happenings happenings(*loaded, bytes);
  while (!bytes.empty()) happenings.next();
  NoJq no_jq;
  replay_prefix(*loaded, happenings.log, prefix % (happenings.log.size() + 1), no_jq);
  replay_prefix(*loaded, happenings.log, happenings.log.size(), no_jq);
}

}  // namespace flowrun::test
