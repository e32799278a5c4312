#include "tests/support/replay_prefix.h"

#include <fmt/format.h>

#include <deque>
#include <stdexcept>

#include "engine/machine/frame.h"
#include "engine/machine/machine.h"

namespace flowrun::test {
namespace {

/// Holds decisions against recorded entries and answers from them.
class PrefixChecker : public DecisionSink, public Evaluator {
 public:
  PrefixChecker(const std::vector<Entry>& entries, std::size_t count, Evaluator& live)
      : entries_(entries), count_(count), live_(live) {}

  std::size_t at = 0;

  void decide(Decision decision) override {
    if (at >= entries_.size()) throw std::runtime_error("more decisions than were recorded");
    std::string what = difference(entries_[at], to_entry(decision, entries_[at].at));
    if (!what.empty())
      throw std::runtime_error(
          fmt::format("entry {} ({} {}): {}", at + 1, to_string(entries_[at].kind), entries_[at].path, what));
    ++at;
  }

  Answer evaluate(const Question& question) override {
    while (answers_.empty() && read_ < count_ && (read_ < at || !is_fact(entries_[read_].kind))) {
      for (Answer& answer : answers_of(entries_[read_])) answers_.push_back(std::move(answer));
      ++read_;
    }
    if (answers_.empty()) return live_.evaluate(question);
    Answer answer = answers_.front();
    answers_.pop_front();
    return answer;
  }

  void fact_taken() { read_ = std::max(read_, at); }

 private:
  const std::vector<Entry>& entries_;
  std::size_t count_;
  Evaluator& live_;
  std::size_t read_ = 0;
  std::deque<Answer> answers_;
};

}  // namespace

Foresight foresight_of(const std::vector<Entry>& entries) {
  Foresight foresight;
  for (const Entry& entry : entries) {
    if (entry.kind != EntryKind::RunReopened) continue;
    Event event = to_event(entry);
    foresight.add(std::get<RunReopened>(event.fact));
  }
  return foresight;
}

void replay_prefix(const Loaded& loaded, const std::vector<Entry>& entries, std::size_t count, Evaluator& live) {
  PrefixChecker checker(entries, count, live);
  Machine machine(loaded.workflow, checker);
  machine.foresee(foresight_of(entries));
  while (checker.at < count) {
    const Entry& entry = entries[checker.at];
    if (!is_fact(entry.kind))
      throw std::runtime_error(
          fmt::format("entry {} was not decided again: {} {}", checker.at + 1, to_string(entry.kind), entry.path));
    Event event = to_event(entry);
    ++checker.at;
    checker.fact_taken();
    if (!machine.apply(event, checker))
      throw std::runtime_error(
          fmt::format("entry {} is not expected: {} {}", checker.at, to_string(entry.kind), entry.path));
  }
}

}  // namespace flowrun::test
