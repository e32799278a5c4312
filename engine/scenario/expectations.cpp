#include "engine/scenario/expectations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/model/entry_reading.h"
#include "engine/run/step_paths.h"
#include "engine/scenario/expected_value.h"
#include "engine/scenario/sent_request.h"

namespace flowrun {
namespace {

constexpr const char* kUndo = ".undo";

/// When something happened at a path, by numbers of entries. What had to wait in line began at no entry, but at a time.
struct Span {
  std::int64_t first = 0, last = 0;
  Instant began{}, ended{};
  bool waited = false;

  bool begins_before(const Span& other) const { return std::tie(began, first) < std::tie(other.began, other.first); }
  bool is_over_before(const Span& other) const { return last < other.first || (other.waited && ended <= other.began); }
};

std::string times(std::size_t count) {
  return count == 0 ? "never" : count == 1 ? "once" : count == 2 ? "twice" : fmt::format("{} times", count);
}

class Checks {
 public:
  Checks(const Scenario& scenario, const VirtualRun& run, const WorkflowPlaces& places, Evaluator& jq,
         Diagnostics& findings)
      : scenario_(scenario),
        expect_(scenario.expect),
        run_(run),
        outcome_(run.machine().outcome()),
        places_(places),
        jq_(jq),
        findings_(findings) {
    for (const VirtualRun::Sent& sent : run.sent()) {
      begun_[sent.seq] = sent.at;
      // One that a crash cut off is the same attempt.
      if (int& count = acted_[sent.task.path]; sent.task.rerun == 0 || count == 0) ++count;
    }
    for (const Entry& entry : run.entries()) note(entry);
  }

  void all() {
    state();
    output();
    error();
    for (const Expectations::Ran& one : expect_.ran) ran(one);
    for (const Expectations::Ran& one : expect_.not_ran) not_ran(one);
    for (const Expectations::Before& one : expect_.order) order(one);
    for (const Expectations::Requests& one : expect_.requests) requests(one);
    if (expect_.undone) undone(*expect_.undone);
    if (expect_.time) time(*expect_.time);
    crashes();
  }

 private:
  void tell(const char* what, const Place& place, std::string message, std::string suggestion = "") {
    findings_.error(what, place.at, static_cast<int>(std::min<std::size_t>(place.length, 200)), std::move(message),
                    std::move(suggestion));
  }

  void tell(const char* what, const std::string& of, const std::vector<Mismatch>& all) {
    for (const Mismatch& one : all)
      tell(what, {one.at, one.length},
           one.got.empty() ? fmt::format("{}{} is not there", of, one.path)
                           : fmt::format("{}{} is {}", of, one.path, one.got),
           one.expected);
  }

  /// The entries at a path are its span, and that of all around it. What only waited in line, and what was skipped or
  /// cancelled, has none.
  void note(const Entry& entry) {
    if (entry.kind == EntryKind::StartTask) {
      started_.insert(entry.path);
      if (!begun_.contains(entry.seq)) return;
    }
    const bool acts = started_.contains(entry.path);
    if (entry.kind == EntryKind::StepSettled) {
      const State state = as<StepSettled>(entry).outcome.state;
      if (state != State::Succeeded && state != State::Failed) return;
    }
    if (acts && !acted_.contains(entry.path)) return;
    const bool slept = entry.kind == EntryKind::TimerFired && as<TimerFired>(entry).timer == TimerKind::Sleep;
    const bool sleeps = entry.kind == EntryKind::ArmTimer && as<ArmTimer>(entry).timer == TimerKind::Sleep;
    const bool begins = sleeps || entry.kind == EntryKind::StartTask || entry.kind == EntryKind::SignalAwaited ||
                        entry.kind == EntryKind::ItemsChosen || entry.kind == EntryKind::ChildStarted;
    const bool ends = slept || entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled;
    if (!begins && !ends) return;
    Span& span = spans_[entry.path];
    const auto begun = begun_.find(entry.seq);
    if (span.first == 0) {
      span.first = entry.seq;
      span.began = begun == begun_.end() ? entry.at : begun->second;
      span.waited = span.began > entry.at;
    }
    if (!ends) return;
    span.last = entry.seq;
    span.ended = entry.at;
  }

  /// Why the run has failed, in one line.
  std::string why() const {
    if (!outcome_.failure) return "";
    const Failure& failure = *outcome_.failure;
    return fmt::format(": {}{}: {}", failure.step.empty() ? "" : places_.named(failure.step) + ": ", failure.type,
                       failure.message);
  }

  static std::string told(State state) {
    return state == State::Cancelled ? "been cancelled" : std::string(to_string(state));
  }

  void state() {
    // A run that fails although nothing was said of that is news.
    const State wanted = expect_.state.value_or(expect_.error ? State::Failed : State::Succeeded);
    if (outcome_.state == wanted) return;
    const Place& place = expect_.state ? expect_.state_place : scenario_.place;
    tell("state", place, fmt::format("the run has {}{}", told(outcome_.state), why()),
         fmt::format("expected that it has {}", told(wanted)));
  }

  void output() {
    if (!expect_.output) return;
    if (!outcome_.ok() && outcome_.output.is_null() && !expect_.state && !expect_.error) return;  // told by state()
    tell("output", "output", mismatches(*expect_.output, outcome_.output.json(), Match::Whole, jq_));
  }

  void error() {
    if (!expect_.error) return;
    if (!outcome_.failure) {
      if (outcome_.ok() && !expect_.state) return;  // told by state()
      return tell("error", {expect_.error->at, 1}, "there is no error", "expected one");
    }
    const Failure& failure = *outcome_.failure;
    const Node& wanted = *expect_.error;
    const Json got = wanted.is_map()
                         ? Json{{"type", failure.type}, {"step", failure.step}, {"message", failure.message}}
                         : Json(failure.type);
    const std::vector<Mismatch> found = mismatches(wanted, got, Match::Partial, jq_);
    tell("error", "the error", found);
  }

  std::vector<const StepHistory*> meant(const StepPattern& pattern) const {
    std::vector<const StepHistory*> steps;
    for (const StepHistory& step : run_.history().steps())
      if (pattern.matches(step.path)) steps.push_back(&step);
    return steps;
  }

  static bool has_run(const StepHistory& step) {
    return step.attempts > 0 || step.state == State::Succeeded || step.state == State::Failed;
  }

  /// Attempts of what acts; where nothing that is meant does, how many steps ran.
  std::size_t count(const StepPattern& pattern) const {
    std::size_t attempts = 0, steps = 0;
    for (const StepHistory* step : meant(pattern)) {
      const auto acted = acted_.find(step->path);
      const bool acts = started_.contains(step->path);
      attempts += static_cast<std::size_t>(!acts ? step->attempts : acted == acted_.end() ? 0 : acted->second);
      steps += !acts && has_run(*step) ? 1 : 0;
    }
    return attempts > 0 ? attempts : steps;
  }

  /// Why a step that is meant did not run: `skipped (if)`.
  std::string standing(const StepPattern& pattern) const {
    const std::vector<const StepHistory*> steps = meant(pattern);
    if (steps.empty()) return "it was never reached";
    const StepHistory& step = *steps.front();
    return fmt::format("it is {}{}", to_string(step.state), step.reason.empty() ? "" : ": " + step.reason);
  }

  void ran(const Expectations::Ran& one) {
    const std::size_t got = count(one.step);
    if (one.times ? got == *one.times : got > 0) return;
    tell("ran", one.place,
         got == 0 ? fmt::format("{} did not run", places_.named(one.step.text()))
                  : fmt::format("{} ran {}", places_.named(one.step.text()), times(got)),
         fmt::format("{}{}", one.times ? "expected " + times(*one.times) : "expected that it runs",
                     got == 0 ? "; " + standing(one.step) : ""));
  }

  void not_ran(const Expectations::Ran& one) {
    if (const std::size_t got = count(one.step); got > 0)
      tell("not_ran", one.place, fmt::format("{} ran {}", places_.named(one.step.text()), times(got)),
           "expected that it does not run");
  }

  /// From the first begin of a step that is meant, or of one in it, to the last end.
  std::optional<Span> span_of(const StepPattern& pattern) const {
    std::optional<Span> all;
    for (const auto& [path, span] : spans_) {
      bool in = false;
      for (std::string at = path; !at.empty() && !in; at = path_above(at)) in = pattern.matches(at);
      if (!in) continue;
      if (!all) {
        all = span;
        continue;
      }
      const Span first = span.begins_before(*all) ? span : *all, last = span.last > all->last ? span : *all;
      all = Span{first.first, last.last, first.began, last.ended, first.waited};
    }
    return all;
  }

  void order(const Expectations::Before& one) {
    const std::optional<Span> first = span_of(one.first), then = span_of(one.then);
    for (const auto& [span, pattern] : {std::pair{&first, &one.first}, {&then, &one.then}})
      if (!*span)
        return tell("order", one.place, fmt::format("{} did not run", places_.named(pattern->text())),
                    standing(*pattern));
    if (first->is_over_before(*then)) return;
    tell("order", one.place,
         fmt::format("{} began at entry {}, and {} ended at entry {}", places_.named(one.then.text()), then->first,
                     places_.named(one.first.text()), first->last),
         fmt::format("expected that {} has ended before {} begins", one.first.text(), one.then.text()));
  }

  void requests(const Expectations::Requests& one) {
    std::vector<const Task*> sent;
    for (const VirtualRun::Sent& each : run_.sent())
      if (one.step.matches(each.task.path)) sent.push_back(&each.task);
    if (one.in_turn ? sent.size() != one.wanted.size() : sent.empty())
      tell("requests", one.place,
           fmt::format("{} {}", places_.named(one.step.text()),
                       sent.empty() ? "sent and started nothing"
                                    : fmt::format("sent or started {}: {}", sent.size(), sent_text(*sent.front()))),
           one.in_turn ? fmt::format("expected {}", one.wanted.size()) : "expected at least one");
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (one.in_turn && i >= one.wanted.size()) break;
      const std::string name =
          sent.size() == 1 ? one.step.text() : fmt::format("{}, number {}", one.step.text(), i + 1);
      tell("requests", name + ": ",
           mismatches(one.in_turn ? one.wanted[i] : one.wanted.front(), sent_json(*sent[i]), Match::Partial, jq_));
    }
  }

  void undone(const Expectations::Undone& wanted) {
    std::vector<std::pair<std::int64_t, std::string>> got;
    for (const StepHistory& step : run_.history().steps())
      if (step.undone)
        if (const auto span = spans_.find(step.path + kUndo); span != spans_.end())
          got.emplace_back(span->second.last, step.path);
    std::sort(got.begin(), got.end());
    std::vector<std::string> paths;
    for (const auto& [seq, path] : got) paths.push_back(path);
    const bool same =
        std::equal(paths.begin(), paths.end(), wanted.steps.begin(), wanted.steps.end(),
                   [](const std::string& path, const std::string& step) { return StepPattern(step).matches(path); });
    if (same) return;
    const auto list = [](const std::vector<std::string>& steps) {
      return steps.empty() ? "nothing" : fmt::format("{}", fmt::join(steps, ", "));
    };
    tell("undone", wanted.place, fmt::format("{} was undone", list(paths)),
         fmt::format("expected {}, in this order", list(wanted.steps)));
  }

  void time(const Expectations::Time& wanted) {
    const Duration took = run_.took();
    if (wanted.at_least && took < *wanted.at_least)
      tell("time", wanted.place, fmt::format("the run took {}", to_string(took)),
           fmt::format("expected {}{}", wanted.at_most == wanted.at_least ? "" : "at least ",
                       to_string(*wanted.at_least)));
    if (wanted.at_most && took > *wanted.at_most)
      tell("time", wanted.place, fmt::format("the run took {}", to_string(took)),
           fmt::format("expected {}{}", wanted.at_most == wanted.at_least ? "" : "at most ",
                       to_string(*wanted.at_most)));
  }

  void crashes() {
    for (std::size_t i = run_.crashed(); i < scenario_.crashes.size(); ++i)
      tell("crash", scenario_.crashes[i].place,
           fmt::format("the run ended with {} entries, before it could be cut off", run_.entries().size()),
           "crash earlier");
  }

  const Scenario& scenario_;
  const Expectations& expect_;
  const VirtualRun& run_;
  const Outcome& outcome_;
  const WorkflowPlaces& places_;
  Evaluator& jq_;
  Diagnostics& findings_;
  std::map<std::int64_t, Instant> begun_;  ///< entries of starts that were no mere waiting in line
  std::set<std::string> started_;          ///< paths of what sends or starts something
  std::map<std::string, int> acted_;       ///< attempts that have begun, by path
  std::map<std::string, Span> spans_;
};

}  // namespace

void check_expectations(const Scenario& scenario, const VirtualRun& run, const WorkflowPlaces& places, Evaluator& jq,
                        Diagnostics& findings) {
  Checks(scenario, run, places, jq, findings).all();
}

}  // namespace flowrun
