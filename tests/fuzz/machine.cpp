#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "engine/machine/machine.h"
#include "engine/model/entry.h"
#include "tests/fuzz/targets.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/driver.h"
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
class Happenings : public Driver {
 public:
  Happenings(const Loaded& loaded, Bytes& bytes) : Driver(loaded.workflow, no_jq_), bytes_(bytes) {
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
    if (what < 180) return void(fire_timer());
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
    if (machine_->phase() == Machine::Phase::Ended && view().has_undos()) happens(UndoRequested{"again", "somebody"});
  }

  void decide(Decision decision) override {
    if (std::holds_alternative<RunEnded>(decision.what) && machine_->in_flight_count() > 0)
      throw std::logic_error("the run ended before its steps");
    Driver::decide(std::move(decision));
  }

 private:
  template <typename Fact>
  void happens(Fact fact) {
    offer(std::move(fact));
  }

  void attempt_ends() {
    const std::vector<InFlight> flights = machine_->in_flight();
    if (flights.empty()) return;
    const InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt == 0) return happens(TaskReserved{flight.path});
    happens(TaskEnded{flight.path, flight.attempt, random_result(tasks_.at(flight.path), bytes_.word())});
  }

  void attempt_is_interrupted() {
    const std::vector<InFlight> flights = machine_->in_flight();
    if (flights.empty()) return;
    const InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt > 0) happens(TaskInterrupted{flight.path, flight.attempt});
  }

  void attempt_is_withdrawn() {
    const std::vector<InFlight> flights = machine_->in_flight();
    if (flights.empty()) return;
    const InFlight& flight = flights[bytes_.byte() % flights.size()];
    if (flight.attempt > 0) happens(TaskWithdrawn{flight.path, flight.attempt});
  }

  void resume(unsigned what) {
    RunResumed how;
    how.token = "again";
    how.down = Duration(bytes_.byte() * 1000);
    now_ += how.down;
    how.on_crash = what % 2 == 0 ? OnCrash::Rerun : OnCrash::Fail;
    for (const InFlight& flight : machine_->in_flight())
      if (flight.wanted && flight.attempt > 0 && !tasks_.at(flight.path).strict && bytes_.byte() % 4 == 0)
        how.queued.push_back(flight.path);
    if (what > 241) how.cancel = CancelRequested{what % 2 == 0, bytes_.byte() % 2 == 0, "somebody"};
    if (how.cancel) how.queued.clear();
    happens(std::move(how));
  }

  Bytes& bytes_;
  NoJq no_jq_;
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
