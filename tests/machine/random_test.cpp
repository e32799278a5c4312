// Random workflows under random events: the machine never contradicts itself, never hangs, and every join agrees with a
// model of ten lines. The seed is printed; FLOWRUN_SEED repeats it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "engine/history.h"
#include "engine/machine/frame.h"
#include "engine/machine/machine.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test {
namespace {

using Random = std::mt19937;

int below(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
bool percent(Random& random, int chance) { return below(random, 100) < chance; }

/// What the model of a group needs to know.
struct GroupSpec {
  std::string join = "all";  ///< all, best_effort, at_least, tolerate, quorum, first_completed
  int amount = 0;
  std::vector<std::string> children;  ///< paths
  std::set<std::string> tolerated;
};

/// Writes a random workflow and remembers its groups.
class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  std::string workflow() {
    std::string text = "flowrun: 1\n";
    if (percent(random_, 30)) text += fmt::format("concurrency: {}\n", 1 + below(random_, 4));
    if (percent(random_, 30)) text += "fail_fast: " + std::string(pick({"true", "false", "drain"})) + "\n";
    if (percent(random_, 5)) text += "timeout: 40s\n";
    text +=
        fmt::format("limits: {{ some: {}, slow: {{ rate: {}/m }} }}\n", 1 + below(random_, 3), 5 + below(random_, 30));
    text += "steps:\n" + map(2, "", 0, nullptr) + "output: 1\n";
    return text;
  }

  std::map<std::string, GroupSpec> groups;
  Texts files;  ///< sub-workflows

 private:
  const char* pick(std::initializer_list<const char*> words) {
    return *(words.begin() + below(random_, static_cast<int>(words.size())));
  }
  static std::string pad(int indent) { return std::string(static_cast<std::size_t>(indent), ' '); }
  std::string fresh() { return fmt::format("s{}", ++count_); }

  std::string map(int indent, const std::string& path, int depth, GroupSpec* group) {
    std::string text;
    std::vector<std::string> siblings;
    for (int i = 0, n = 1 + below(random_, 4); i < n; ++i) {
      std::string name = fresh(), own = path.empty() ? name : path + "/" + name;
      bool tolerated = false;
      text += pad(indent) + name + ":\n" + step(indent + 2, own, depth, tolerated);
      if (!siblings.empty() && !race_ && percent(random_, 35))
        text += pad(indent + 2) + (percent(random_, 60) ? "needs" : "after") + ": [" +
                siblings[static_cast<std::size_t>(below(random_, static_cast<int>(siblings.size())))] + "]\n";
      siblings.push_back(name);
      if (group) {
        group->children.push_back(own);
        if (tolerated) group->tolerated.insert(own);
      }
    }
    return text;
  }

  std::string step(int indent, const std::string& path, int depth, bool& tolerated) {
    std::string text, in = pad(indent);
    int kind = depth >= 3 ? below(random_, 60) : below(random_, 110);
    bool work = false;
    if (kind < 42) {
      text += in + "shell: work\n";
      work = true;
    } else if (kind < 50) {
      text += in + "set: 1\n";
    } else if (kind < 57) {
      text += in + fmt::format("sleep: {}s\n", 1 + below(random_, 9));
    } else if (kind < 60) {
      text += in + "fail: on purpose\n";
    } else if (kind < 80) {
      bool race = kind >= 74;
      GroupSpec spec;
      if (race) spec = {"quorum", 1, {}, {}};
      std::string branches = in + (race ? "race:\n" : "parallel:\n") + map(indent + 2, path, depth + 1, &spec);
      text += branches;
      if (!race) text += join(indent, spec);
      groups[path] = spec;
    } else if (kind < 88) {
      text += in + "sequence:\n";
      for (int i = 0, n = 1 + below(random_, 3); i < n; ++i) {
        std::string name = fresh();
        bool ignored = false;
        text += pad(indent + 2) + "- id: " + name + "\n" + step(indent + 4, path + "/" + name, depth + 1, ignored);
      }
    } else if (kind < 96) {
      GroupSpec spec;
      int n = below(random_, 4);
      text += in + fmt::format("for_each: {}\n", n) + in + fmt::format("concurrency: {}\n", 1 + below(random_, 3)) +
              in + "do:\n";
      bool ignored = false;
      std::string name = fresh();
      for (int i = 0; i < n; ++i) spec.children.push_back(fmt::format("{}[{}]", path, i));
      text += pad(indent + 2) + name + ":\n" + step(indent + 4, path, 9, ignored);
      text += join(indent, spec);
      // The items' own states are not in the entries; their groups are checked by the scenarios.
    } else if (kind >= 100) {
      text += in + "workflow: " + file(path, depth) + "\n" + in + "with: { flag: \"${ $input.flag }\" }\n";
      if (percent(random_, 40)) text += in + "retry: { attempts: 3, delay: 1s, on: [child, timeout] }\n";
      if (percent(random_, 15)) text += in + "deadline: 8s\n";
    } else {
      text += in + "switch:\n" + pad(indent + 2) + "- if: ${ $input.flag }\n" + pad(indent + 4) + "do:\n" +
              pad(indent + 6) + fresh() + ":\n";
      bool ignored = false;
      text += step(indent + 8, path + "/x", 9, ignored);
      text += pad(indent + 2) + "- else: { set: 2 }\n";
    }
    if (percent(random_, 10)) text += in + "if: ${ $input.flag }\n";
    if (percent(random_, 10)) text += in + fmt::format("delay: {}s\n", 1 + below(random_, 3));
    if (work && percent(random_, 30)) text += in + "retry: { attempts: 3, delay: 1s, on: [exit] }\n";
    if (work && percent(random_, 10)) text += in + "deadline: 5s\n";
    if (work && percent(random_, 40))
      text += in + "limit: " + (in_file_ ? pick({"1", "2"}) : pick({"some", "some", "slow", "1", "2"})) + "\n";
    if (work && percent(random_, 15)) text += in + "on_crash: " + pick({"ask", "fail"}) + "\n";
    if (!work && percent(random_, 10)) text += in + "timeout: 6s\n";
    if (percent(random_, 12)) text += in + "fallback: { shell: instead }\n";
    if (percent(random_, 10)) {
      text += in + "continue_on_error: true\n";
      tolerated = true;
    }
    return text;
  }

  /// A file for the step at |path|.
  std::string file(const std::string& path, int depth) {
    std::string name = fresh() + ".yaml", text = "flowrun: 1\ninput: { flag: {} }\n";
    if (percent(random_, 30)) text += "fail_fast: " + std::string(pick({"true", "false", "drain"})) + "\n";
    if (percent(random_, 10)) text += "timeout: 9s\n";
    if (percent(random_, 30)) text += "on_failure: { shell: sorry }\n";
    if (percent(random_, 30)) text += "finally: { shell: bye }\n";
    // Only the file that is run has limits with names.
    bool outer = std::exchange(in_file_, true);
    files[name] = text + "steps:\n" + map(2, path, depth + 1, nullptr) + "output: 1\n";
    in_file_ = outer;
    return name;
  }

  std::string join(int indent, GroupSpec& spec) {
    std::string in = pad(indent), text;
    if (percent(random_, 25)) text += in + "fail_fast: " + pick({"true", "false", "drain"}) + "\n";
    int n = static_cast<int>(spec.children.size());
    spec.join = pick({"all", "all", "best_effort", "at_least", "tolerate", "quorum", "first_completed"});
    spec.amount = 1 + below(random_, std::max(1, n));
    if (spec.join == "all") return text;
    if (spec.join == "best_effort" || spec.join == "first_completed") return text + in + "join: " + spec.join + "\n";
    return text + in + fmt::format("join: {{ {}: {} }}\n", spec.join, spec.amount);
  }

  Random& random_;
  int count_ = 0;
  bool race_ = false;
  bool in_file_ = false;  ///< of a sub-workflow
};

class NoJq : public Evaluator {
 public:
  Answer evaluate(const Question& question) override { return {{}, "no jq here: " + question.program.code}; }
};

/// Drives one machine at random to its end and keeps the log.
class Play : public DecisionSink {
 public:
  Play(const Loaded& loaded, Random& random)
      : loaded_(loaded), random_(random), machine_(loaded.workflow, evaluator_) {}

  void to_the_end() {
    RunStarted started;
    started.semantics = Machine::kSemantics;
    started.seed = fmt::format("{:032x}", random_());
    started.inputs = Value(Json{{"flag", percent(random_, 50)}});
    started.vars = Value(Json::object());
    if (percent(random_, 10)) started.concurrency = 1 + below(random_, 3);
    apply(std::move(started));
    for (int turns = 0;; ++turns) {
      if (turns > 5000) throw std::runtime_error("it never ends");
      if (machine_.phase() == Machine::Phase::Ended) {
        if (machine_.outcome().ok() || reopened_ >= 2 || !percent(random_, 25)) return;
        ++reopened_;
        apply(RunReopened{"again", ""});
        continue;
      }
      if (machine_.phase() == Machine::Phase::Suspended) {
        resume();
        continue;
      }
      step();
    }
  }

  void decide(Decision decision) override {
    log.push_back(to_entry(decision, now_));
    if (const auto* start = std::get_if<StartTask>(&decision.what); start && !start->task.strict)
      count_start(start->task.path);
    if (std::holds_alternative<RunEnded>(decision.what) && machine_.work_in_flight())
      throw std::runtime_error("the run ended before its steps");
  }

  std::vector<Entry> log;
  int reopened_ = 0;
  int resumed = 0;

 private:
  template <typename Fact>
  void apply(Fact fact) {
    Event event{now_, std::move(fact)};
    if (!machine_.expects(event)) throw std::runtime_error("the machine refuses what it was waiting for");
    const auto* ended = std::get_if<TaskEnded>(&event.fact);
    log.push_back(to_entry(event, ended && machine_.late(*ended)));
    machine_.apply(event, *this);
    check_limits();
  }

  /// However the dice fall: no limit is ever exceeded.
  void check_limits() {
    std::map<const Limit*, std::size_t> busy;
    for (const Machine::InFlight& flight : machine_.in_flight())
      if (const Frame* frame = machine_.in_flight_at(flight.path))
        if (const Limit* limit = frame->step().limit; limit && limit->max > 0 && !interrupted(flight))
          if (++busy[limit] > limit->max)
            throw std::runtime_error(fmt::format("{} of at most {} in flight for {}", busy[limit], limit->max,
                                                 limit->name.empty() ? flight.path : limit->name));
  }
  bool interrupted(const Machine::InFlight& flight) const {
    return flight.attempt > 0 && !machine_.expects({now_, TaskEnded{flight.path, flight.attempt, {}}});
  }
  /// The rate as well, by the dates of the attempts. A strict step starts when it has its place, after its turn.
  void count_start(const std::string& path) {
    const Frame* frame = machine_.in_flight_at(path);
    const Limit* limit = frame ? frame->step().limit : nullptr;
    if (!limit || limit->rate == 0) return;
    std::vector<Instant>& starts = starts_[limit];
    starts.push_back(now_);
    std::size_t rate = static_cast<std::size_t>(limit->rate);
    if (starts.size() > rate && now_ - starts[starts.size() - 1 - rate] < limit->per)
      throw std::runtime_error(fmt::format("{} starts faster than {}", path, limit->rate_text));
  }

  void step() {
    std::vector<Machine::InFlight> flights = machine_.in_flight();
    std::vector<Machine::PendingTimer> timers = machine_.timers();
    if (percent(random_, 2) && !machine_.suspending()) {
      apply(SuspendRequested{15});
      return;
    }
    if (percent(random_, 2)) {
      resume();
      return;
    }
    bool by_time = !timers.empty() && (flights.empty() || percent(random_, 20));
    if (by_time) {
      auto next = std::min_element(timers.begin(), timers.end(), [](const auto& a, const auto& b) {
        return std::tie(a.due, a.path, a.timer) < std::tie(b.due, b.path, b.timer);
      });
      now_ = std::max(now_, next->due);
      apply(TimerFired{next->path, next->timer});
      return;
    }
    if (flights.empty()) throw std::runtime_error("nothing is in flight, nothing is due, and the run has not ended");
    const Machine::InFlight& flight =
        flights[static_cast<std::size_t>(below(random_, static_cast<int>(flights.size())))];
    now_ += Duration(below(random_, 700));
    if (flight.attempt == 0) {
      apply(TaskReserved{flight.path});
    } else if (machine_.suspending() && percent(random_, 40) &&
               machine_.expects({now_, TaskInterrupted{flight.path, flight.attempt}})) {
      apply(TaskInterrupted{flight.path, flight.attempt});
    } else if (machine_.expects({now_, TaskEnded{flight.path, flight.attempt, {}}})) {
      Result result;
      if (percent(random_, 3)) result.retry_after = Duration(below(random_, 9000));
      if (percent(random_, 35)) {
        result.failure = Failure{percent(random_, 70) ? "exit.1" : "killed", "random", "", 0, {}};
      } else {
        result.value = Value(Json(below(random_, 100)));
      }
      apply(TaskEnded{flight.path, flight.attempt, std::move(result)});
    }
  }

  void resume() {
    RunResumed how;
    how.token = "again";
    how.down = Duration(below(random_, 100000));
    now_ += how.down;
    how.on_crash = percent(random_, 50) ? OnCrash::Rerun : OnCrash::Fail;
    ++resumed;
    apply(std::move(how));
  }

  const Loaded& loaded_;
  Random& random_;
  NoJq evaluator_;
  std::map<const Limit*, std::vector<Instant>> starts_;
  Machine machine_;
  Instant now_ = from_millis(1'800'000'000'000);
};

/// A join in ten lines: the states of its children as the log has them last.
bool model_succeeds(const GroupSpec& spec, const std::map<std::string, std::string>& states, const std::string& first) {
  int n = 0, ok = 0;
  for (const std::string& child : spec.children) {
    auto state = states.find(child);
    std::string is = state == states.end() ? "cancelled" : state->second;
    if (is == "skipped" || (is == "failed" && spec.tolerated.count(child))) continue;
    ++n;
    ok += is == "succeeded";
  }
  if (spec.join == "best_effort") return true;
  if (spec.join == "at_least" || spec.join == "quorum") return ok >= spec.amount;
  if (spec.join == "tolerate") return n - ok <= spec.amount;
  if (spec.join == "first_completed") return first == "succeeded";
  return ok == n;
}

/// Reads the log as a person would and holds each group against the model.
void check_log(const std::vector<Entry>& log, const std::map<std::string, GroupSpec>& groups) {
  std::map<std::string, std::string> states;
  std::map<std::string, std::vector<std::string>> settled_order;
  std::map<std::string, int> open;
  std::set<std::string> over;
  for (const Entry& entry : log) {
    Json data = Json::parse(entry.data);
    if (entry.kind == "run_reopened") {
      over.clear();
      states.clear();
      settled_order.clear();
    }
    if (entry.kind == "child") {
      // A new try: what is below happens again.
      const std::string below = entry.path + "/";
      std::erase_if(over, [&](const std::string& path) { return path.starts_with(below); });
      std::erase_if(states, [&](const auto& state) { return state.first.starts_with(below); });
    }
    if (entry.kind == "start") {
      ++open[entry.path];
      states.erase(entry.path);
      for (const std::string& group : over)
        if (entry.path.size() > group.size() && entry.path.compare(0, group.size(), group) == 0 &&
            (entry.path[group.size()] == '/' || entry.path[group.size()] == '['))
          throw std::runtime_error(entry.path + " starts after its group " + group + " has settled");
    }
    if (entry.kind == "ended" && !data.contains("failure")) states[entry.path] = "succeeded";
    if (entry.kind == "ended" && data.contains("failure")) states[entry.path] = "failed";
    if (entry.kind == "fired" && data.value("timer", "") == "sleep") states[entry.path] = "succeeded";
    if (entry.kind != "settled") continue;
    std::string state = data.value("state", ""), reason = data.value("reason", "");
    auto group = groups.find(entry.path);
    bool judged = group != groups.end() && (state == "succeeded" || state == "failed") && reason != "timeout" &&
                  reason != "fallback" && reason != "if";
    bool timed_out = data.contains("failure") && data["failure"].value("type", "") != "group";
    // A reopened group keeps children that the log does not tell of again.
    bool whole = true;
    for (const Entry& other : log) whole = whole && other.kind != "run_reopened";
    if (judged && !timed_out && whole && group->second.join != "first_completed") {
      if (model_succeeds(group->second, states, "") != (state == "succeeded"))
        throw std::runtime_error(fmt::format("group {} ({} {}) is {}, the model differs", entry.path,
                                             group->second.join, group->second.amount, state));
    }
    states[entry.path] = state;
    if (state != "skipped" && state != "blocked") over.insert(entry.path);
  }
}

}  // namespace

TEST_CASE("twenty thousand random runs: no contradiction, no hang, every join as the model says") {
  const char* given = std::getenv("FLOWRUN_SEED");
  unsigned seed = given ? static_cast<unsigned>(std::atoi(given)) : std::random_device()();
  int runs = 0, resumed = 0, ended_ok = 0;
  for (unsigned round = 0; round < 1000; ++round) {
    Random random(seed + round);
    Generator generator(random);
    std::string text = generator.workflow();
    std::size_t at = text.find("steps:");
    text.insert(at, "input: { flag: {} }\n");
    INFO("FLOWRUN_SEED=" << seed + round << "\n" << text);
    for (const auto& [name, file] : generator.files) UNSCOPED_INFO(name << ":\n" << file);
    std::unique_ptr<Loaded> loaded = load_text(text, generator.files);
    NoJq no_jq;
    for (int again = 0; again < 20; ++again) {
      Play play(*loaded, random);
      std::string trouble;
      try {
        play.to_the_end();
        check_log(play.log, generator.groups);
        std::size_t prefix = play.log.empty() ? 0 : random() % (play.log.size() + 1);
        replay_prefix(*loaded, play.log, prefix, no_jq);
        replay_prefix(*loaded, play.log, play.log.size(), no_jq);
      } catch (const std::exception& error) {
        trouble = error.what();
        std::size_t shown = 0;
        for (const Entry& entry : play.log)
          if (play.log.size() < 80 || ++shown > play.log.size() - 80)
            trouble += fmt::format("\n  {} {} {} {}", entry.kind, entry.path, entry.attempt, entry.data);
      }
      INFO("run " << again << ": " << trouble);
      REQUIRE(trouble.empty());
      ++runs;
      resumed += play.resumed;
      ended_ok += play.log.back().data.find("succeeded") != std::string::npos;
    }
  }
  // The dice must have shown all sides.
  CHECK(runs == 20000);
  CHECK(resumed > 1000);
  CHECK(ended_ok > 1000);
  CHECK(ended_ok < 19000);
}

}  // namespace flowrun::test
