// Whatever the workflow and wherever a run is cut off: resumed, it comes to the same end with the same effects as the
// run that nobody disturbed, when the world outside answers the same. The seed is printed; FLOWRUN_SEED repeats it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/machine/random_workflow.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::crash_anywhere_test {
namespace {

/// A world whose answers depend on nothing but its number and what is asked, and that answers in an order of which the
/// same holds. While an attempt is on its way no time passes.
class World : public Driver {
 public:
  World(const Loaded& loaded, unsigned number) : Driver(loaded.workflow, no_jq_), number_(number) {}

  void start() {
    RunStarted started;
    started.semantics = Machine::kSemantics;
    started.seed = fmt::format("{:032x}", number_);
    started.inputs = Value(Json{{"flag", dice("flag") % 2 == 0}});
    started.vars = Value(Json::object());
    started.measured = true;
    happens(std::move(started));
  }

  /// Takes in the first |count| entries of a run that was cut off there, and is asked to go on.
  void resume(const std::vector<Entry>& entries, std::size_t count) {
    recorded_ = count;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_fact(entries[i].kind)) continue;
      Event event = to_event(entries[i]);
      const auto* ended = std::get_if<TaskEnded>(&event.fact);
      now_ = event.at;
      note(event, ended && machine_->late(*ended));
      log.push_back(entries[i]);
      machine_->apply(event, *this);
    }
    recorded_ = 0;
    if (machine_->phase() == Machine::Phase::Ended) return;
    RunResumed how;
    how.token = "again";
    how.on_crash = OnCrash::Rerun;
    how.unbegun = std::move(unbegun_);
    // Some of the processes still waited in line. In a drain they would have been taken out of it undisturbed, too, and
    // here all of them end.
    const bool drains = std::any_of(log.begin(), log.end(),
                                    [](const Entry& entry) { return entry.kind == EntryKind::WithdrawWaiting; });
    for (const InFlight& flight : machine_->in_flight())
      if (!drains && flight.attempt > 0 && flight.wanted && !flight.interrupted &&
          std::holds_alternative<Process>(*tasks_.at(flight.path).work) && !tasks_.at(flight.path).strict &&
          dice("queued " + flight.path) % 3 == 0 &&
          std::find(how.unbegun.begin(), how.unbegun.end(), flight.path) == how.unbegun.end())
        how.queued.push_back(flight.path);
    happens(std::move(how));
  }

  /// At most |most| facts more. False: it has ended before.
  bool go_on(int most) {
    for (int i = 0; i < most; ++i)
      if (!step()) return false;
    return true;
  }

  void happened(const Event& event, bool late) override {
    note(event, late);
    Driver::happened(event, late);
  }
  void decide(Decision decision) override {
    const auto* start = std::get_if<StartTask>(&decision.what);
    if (start && log.size() >= recorded_ && recorded_ > 0) unbegun_.push_back(start->task.path);
    Driver::decide(std::move(decision));
  }

  /// What has been done outside, by the key under which it would be done once: never twice, whatever happened.
  const std::multiset<std::string>& effects() const { return effects_; }
  /// How it came out, the run and each step that the journal tells of.
  std::map<std::string, std::string> ends() const {
    std::map<std::string, std::string> ends;
    for (const Entry& entry : log) {
      Json data = Json::parse(entry.data);
      for (const char* own : {"at", "took_ms", "attempts", "seq"}) data.erase(own);
      if (entry.kind == EntryKind::StepSettled) ends[entry.path] = data.dump() + entry.value.text();
      if (entry.kind == EntryKind::RunEnded) ends["the run"] = data.dump() + entry.value.text();
    }
    return ends;
  }

 private:
  unsigned dice(const std::string& about) const {
    return static_cast<unsigned>(std::hash<std::string>{}(fmt::format("{} {}", number_, about)) >> 7);
  }

  /// Counts what answers depend on.
  void note(const Event& event, bool late) {
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact); ended && !late) {
      effects_.insert(key_of(tasks_.at(ended->path)) + (ended->result.ok() ? "" : " in vain"));
      ++ended_;
    }
    signals_ += std::holds_alternative<SignalReceived>(event.fact);
    cancelled_ = cancelled_ || std::holds_alternative<CancelRequested>(event.fact);
    reopened_ += std::holds_alternative<RunReopened>(event.fact) || std::holds_alternative<UndoRequested>(event.fact);
  }

  static std::string key_of(const Task& task) {
    return fmt::format("{} {} {} {}", task.path, task.idempotency_key, task.attempt, task.page);
  }

  bool step() {
    if (machine_->phase() == Machine::Phase::Ended) return reopen();
    if (attempt_ends(true)) return true;
    if (!cancelled_ && dice("cancel") % 4 == 0 && ended_ >= dice("cancel at") % 12 && expects(CancelRequested{})) {
      happens(CancelRequested{dice("undo") % 2 == 0, dice("now") % 4 == 0, "somebody"});
      return true;
    }
    return attempt_ends(false) || signal_comes() || time_passes();
  }

  /// Of all that are on their way one, whatever the order in which they began. |given_up|: one of those that nobody
  /// waits for; they end before anything else happens, because after a crash there are none of them.
  bool attempt_ends(bool given_up) {
    const InFlight* next = nullptr;
    const std::vector<InFlight> flights = machine_->in_flight();
    auto order = [&](const InFlight& flight) {
      return dice(flight.attempt == 0 ? flight.path : "when " + key_of(tasks_.at(flight.path)));
    };
    for (const InFlight& flight : flights)
      if (flight.wanted != given_up && (!next || order(flight) < order(*next))) next = &flight;
    if (!next) return false;
    if (next->attempt == 0) {
      happens(TaskReserved{next->path});
    } else {
      const Task& task = tasks_.at(next->path);
      Result result = random_result(task, dice("how " + key_of(task)));
      result.retry_after.reset();  // it would hold back an attempt that has to begin again
      happens(TaskEnded{next->path, next->attempt, std::move(result)});
    }
    return true;
  }

  bool signal_comes() {
    if (machine_->signals().awaiting() == 0) return false;
    std::string about = fmt::format("signal {} {}", signals_, ended_);
    if (dice(about) % 3 == 0 && !machine_->timers().empty()) return false;
    SignalReceived signal{
        kSignals[dice(about + "name") % 2], "", Value(Json(dice(about + "data") % 100)), "somebody", {}};
    if (dice(about + "rejected") % 4 == 0) signal.rejected = "no";
    return offer(std::move(signal));
  }

  bool time_passes() {
    if (fire_timer()) return true;
    throw std::runtime_error("nothing is in flight, nothing is due, and it has not ended");
  }

  bool reopen() {
    if (reopened_ >= 2 || dice(fmt::format("reopen {}", reopened_)) % 3 != 0) return false;
    if (view().has_undos() && dice("undo or retry") % 2 == 0) {
      happens(UndoRequested{"again", "somebody"});
    } else {
      RunReopened reopened{"again", ""};
      reopened.exact = dice("exact") % 3 > 0;
      happens(std::move(reopened));
    }
    return true;
  }

  unsigned number_;
  NoJq no_jq_;
  std::multiset<std::string> effects_;
  unsigned ended_ = 0, signals_ = 0, reopened_ = 0;
  bool cancelled_ = false;
  std::size_t recorded_ = 0;  ///< entries of the run that was cut off, while they are taken in
  std::vector<std::string> unbegun_;
};

std::string tail(const std::vector<Entry>& log) {
  std::string text;
  for (std::size_t i = log.size() - std::min<std::size_t>(log.size(), 60); i < log.size(); ++i)
    text += fmt::format("\n  {} {} {} {} {}", i + 1, to_string(log[i].kind), log[i].path, log[i].attempt, log[i].data);
  return text;
}

std::string difference(const World& whole, const World& cut) {
  const auto ends = whole.ends(), other = cut.ends();
  for (const auto& [path, end] : ends)
    if (auto found = other.find(path); found == other.end() || found->second != end)
      return fmt::format("{} came out as\n{}\nand, cut off, as\n{}", path, end,
                         found == other.end() ? "nothing" : found->second);
  for (const auto& [path, end] : other)
    if (!ends.count(path)) return fmt::format("cut off, {} came out as\n{}", path, end);
  std::vector<std::string> odd;
  std::set_symmetric_difference(whole.effects().begin(), whole.effects().end(), cut.effects().begin(),
                                cut.effects().end(), std::back_inserter(odd));
  if (!odd.empty()) return "only one of them has done " + odd.front();
  return "";
}

/// Two things are not the same after a crash, as it should be: what asks to be a failure then, and the date of an
/// attempt that has to wait for its turn again.
void without_options_that_show(std::string& text) {
  const std::pair<std::string, std::string> instead[] = {{"on_crash: fail", "on_crash: ask"},
                                                         {"limit: slow", "limit: some"}};
  for (const auto& [option, other] : instead)
    for (std::size_t at; (at = text.find(option)) != std::string::npos;) text.replace(at, option.size(), other);
}

}  // namespace

TEST_CASE("wherever a run is cut off, it comes to the same end with the same effects") {
  constexpr int kMost = 5000, kRounds = 300;
  const char* given = std::getenv("FLOWRUN_SEED");
  unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  int cut = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    Random random(seed + round);
    RandomWorkflow workflow(random);
    without_options_that_show(workflow.text);
    for (auto& [name, file] : workflow.files) without_options_that_show(file);
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << workflow.text);
    for (const auto& [name, file] : workflow.files) UNSCOPED_INFO(name << ":\n" << file);
    std::unique_ptr<Loaded> loaded = load_text(workflow.text, workflow.files);
    for (int again = 0; again < 3; ++again) {
      const unsigned number = static_cast<unsigned>(random());
      World whole(*loaded, number);
      whole.start();
      REQUIRE_FALSE(whole.go_on(kMost));
      for (int cuts = 0; cuts < 5; ++cuts) {
        // Once more within the next facts, sometimes.
        auto first = std::make_unique<World>(*loaded, number);
        std::size_t at = 1 + random() % whole.log.size();
        std::string trouble;
        try {
          first->resume(whole.log, at);
          for (int more = below(random, 3); more > 0 && first->go_on(1 + below(random, 8)); --more) {
            auto second = std::make_unique<World>(*loaded, number);
            second->resume(first->log, 1 + random() % first->log.size());
            first = std::move(second);
          }
          if (first->go_on(kMost)) throw std::runtime_error("it never ends");
          trouble = difference(whole, *first);
        } catch (const std::exception& error) {
          trouble = error.what();
        }
        if (!trouble.empty())
          trouble +=
              fmt::format("\ncut off after {}; undisturbed:{}\ncut off:{}", at, tail(whole.log), tail(first->log));
        INFO(trouble);
        REQUIRE(trouble.empty());
        ++cut;
      }
    }
  }
  CHECK(cut == kRounds * 3 * 5);
}

}  // namespace flowrun::test::crash_anywhere_test
