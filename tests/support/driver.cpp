#include "tests/support/driver.h"

#include <algorithm>
#include <stdexcept>

namespace flowrun::test {
namespace {

/// Has the long values of entries, as the journal has those of a run.
class Shelf : public TextHome {
 public:
  void keep(const Entry& entry) {
    if (entry.value.is_null() || entry.value.size() < Value::kLong) return;
    texts_.push_back(entry.value.text());
    entry.value.keep_at(shelf(), static_cast<std::int64_t>(texts_.size()) - 1);
  }
  void read(std::int64_t number, const std::function<void(std::string_view)>& take) const override {
    take(texts_.at(static_cast<std::size_t>(number)));
  }
  static const std::shared_ptr<Shelf>& shelf() {
    static const auto only = std::make_shared<Shelf>();
    return only;
  }

 private:
  std::vector<std::string> texts_;
};

}  // namespace

Driver::Driver(const Workflow& workflow, Evaluator& evaluator)
    : machine_(std::make_unique<Machine>(workflow, evaluator)), workflow_(workflow), evaluator_(evaluator) {}

void Driver::happened(const Event& event, bool late) {
  log.push_back(to_entry(event, late));
  Shelf::shelf()->keep(log.back());
}

void Driver::decide(Decision decision) {
  log.push_back(to_entry(decision, now_));
  Shelf::shelf()->keep(log.back());
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    const std::string path = start->task.path;
    tasks_[path] = std::move(start->task);
  }
}

bool Driver::fire_timer(std::optional<Instant> until) {
  const std::vector<PendingTimer> timers = machine_->timers().pending();
  auto next = std::min_element(timers.begin(), timers.end());
  if (next == timers.end() || (until && next->due > *until)) return false;
  now_ = std::max(now_, next->due);
  happens(TimerFired{next->path, next->timer});
  return true;
}

void Driver::play_anew(Foresight foresight) {
  struct Silent : DecisionSink {
    void decide(Decision) override {}
  } silent;
  machine_ = std::make_unique<Machine>(workflow_, evaluator_);
  machine_->foresee(std::move(foresight));
  for (const Entry& entry : log)
    if (is_fact(entry.kind)) machine_->apply(to_event(entry), silent);
}

void Driver::refuse() { throw std::runtime_error("the machine refuses what it was waiting for"); }

}  // namespace flowrun::test
