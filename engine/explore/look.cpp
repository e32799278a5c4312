// What comes next in a run that is explored: by itself, and what else could; without what comes to the same.
#include <algorithm>

#include "engine/explore/explored_run.h"
#include "engine/model/path.h"
#include "engine/steps/effect.h"
#include "engine/steps/retry.h"

namespace flowrun {
namespace {

/// From the attempt behind these on nothing else is tried.
constexpr int kTried = 3;

/// Whether the end of one attempt of |step| need not be its own end.
bool tries_again(const WrittenStep& step) {
  const auto* tries = dynamic_cast<const RetrySettings*>(step.step);
  if (!tries) return false;
  return tries->poll || tries->retry.attempts.expression || tries->retry.attempts.value.value_or(1) > 1;
}

}  // namespace

const VirtualTimer* ExploredRun::next_timer() {
  while (!timers_.empty()) {
    const VirtualTimer& timer = timers_.top();
    if (machine_->timers().due(timer.path, timer.timer) == timer.due) return &timer;
    timers_.pop();
  }
  return nullptr;
}

bool ExploredRun::may_fire(Instant at) const {
  return std::none_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
    return flight.task.timeout && flight.started_at + *flight.task.timeout < at;
  });
}

bool ExploredRun::is_bounded(const std::string& path) const {
  const std::size_t row = stage_.steps.find(path);
  if (row < stage_.steps.size() && stage_.steps.of(row).bounded) return true;
  const std::vector<PendingTimer> timers = machine_->timers().pending();
  return std::any_of(timers.begin(), timers.end(), [&](const PendingTimer& timer) {
    return is_limit_of_work(timer.timer) && is_below(path, timer.path);
  });
}

std::optional<Choice> ExploredRun::by_itself() {
  Choice choice;
  const auto ends = [&](const Flight& flight) {
    choice.path = flight.live->path;
    if (const auto again = again_.find(choice.path); again != again_.end()) choice.how = again->second;
    return choice;
  };
  const Flight* slow = nullptr;
  const Flight* hangs = nullptr;
  for (std::size_t i = 0; i < flights_.size(); ++i) {
    const Flight& flight = flights_[order_ == Order::OldestFirst ? i : flights_.size() - 1 - i];
    if (flight.then == Choice::Then::Nothing) return ends(flight);
    const Flight*& marked = flight.then == Choice::Then::Slow ? slow : hangs;
    if (!marked) marked = &flight;
  }
  if (slow) return ends(*slow);
  const VirtualTimer* timer = next_timer();
  if (hangs && timer) {
    for (const Flight& flight : flights_)
      if (flight.task.timeout && flight.started_at + *flight.task.timeout <= timer->at) {
        ends(flight);
        choice.how = "timeout";
        return choice;
      }
  } else if (hangs) {
    return ends(*hangs);
  }
  if (!hangs && machine_->signals().awaiting() > 0) {
    choice.kind = Choice::Kind::Says;
    choice.path = machine_->signals().awaiting_paths().front();
    return choice;
  }
  if (!timer) return std::nullopt;
  choice.kind = Choice::Kind::Fires;
  choice.path = timer->path;
  choice.timer = timer->timer;
  return choice;
}

/// |all|: every choice as it is, for who has chosen already. Else a failure of an attempt is looked at when it has just
/// begun and when its end is next: what happens between the two is the same but where the order matters.
void ExploredRun::look(std::vector<Deviation>& found, bool all) {
  // What goes round and round is as it was in its first rounds.
  const bool tried =
      std::all_of(flights_.begin(), flights_.end(), [](const Flight& flight) { return flight.task.attempt > kTried; });
  if (!all && !flights_.empty() && tried) return;
  const std::optional<Choice> next = by_itself();
  const std::uint32_t now = choices_;
  const std::size_t count = flights_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_next = next && next->kind == Choice::Kind::Ends && next->path == flights_[i].live->path;
    look_at(i, is_next, found, all);
  }
  const bool waits = machine_->signals().awaiting() > 0;
  if (const VirtualTimer* timer = next_timer();
      timer && (count > 0 || waits) && may_fire(timer->at) && !(next && next->kind == Choice::Kind::Fires)) {
    Choice fires;
    fires.kind = Choice::Kind::Fires;
    fires.path = timer->path;
    fires.timer = timer->timer;
    found.push_back({now, std::move(fires)});
  }
  if (waits)
    for (const std::string& path : machine_->signals().awaiting_paths())
      for (const char* how : {"", "no"}) {
        const bool is_next = next && next->kind == Choice::Kind::Says && next->path == path && next->how == how;
        // A word that comes earlier than it would by itself changes nothing that is not seen elsewhere.
        if (is_next || (!all && *how == '\0')) continue;
        Choice says;
        says.kind = Choice::Kind::Says;
        says.path = path;
        says.how = how;
        found.push_back({now, std::move(says)});
      }
  look_at_crashes(found);
  if (machine_->expects({now_, CancelRequested{}}) && !cancelled_) {
    Choice cancels;
    cancels.kind = Choice::Kind::Cancels;
    found.push_back({now, std::move(cancels)});
  }
}

void ExploredRun::look_at(std::size_t index, bool is_next, std::vector<Deviation>& found, bool all) {
  const Flight& flight = flights_[index];
  if (!all && flight.task.attempt > kTried) return;
  const WrittenStep& step = stage_.steps.of(flight.live->row);
  const bool is_new = flight.entry > looked_until_;
  const auto add = [&](const std::string& how, Choice::Then then) {
    Choice choice;
    choice.path = flight.live->path;
    choice.how = how;
    choice.then = then;
    found.push_back({choices_, std::move(choice)});
  };
  const bool many = tries_again(step);
  for (std::size_t i = 0; i < flight.live->endings.size(); ++i) {
    const AttemptEnding& ending = flight.live->endings[i];
    if (ending.how == "timeout" && !may_fire(flight.started_at + flight.task.timeout.value_or(Duration{0}))) continue;
    if (all) {
      if (!is_next || i > 0) add(ending.how, Choice::Then::Nothing);
    } else if (ending.well) {
      if (i > 0 && is_next) add(ending.how, Choice::Then::Nothing);
      if (i == 0 && !is_next && order_matters_now(index)) add(ending.how, Choice::Then::Nothing);
    } else if (is_next || is_new) {
      add(ending.how, many ? Choice::Then::Again : Choice::Then::Nothing);
      if (many && is_next) add(ending.how, Choice::Then::Nothing);
    }
  }
  if (step.polls && (all || is_next)) add("again", Choice::Then::Nothing);
  if (all || !is_next || flight.then != Choice::Then::Nothing) return;
  if (flights_.size() > 1) add("", Choice::Then::Slow);
  if (next_timer()) add("", Choice::Then::Hangs);
}

/// Whether it matters that this one ends before the one that would be next.
bool ExploredRun::order_matters_now(std::size_t index) const {
  const std::size_t next = order_ == Order::OldestFirst ? 0 : flights_.size() - 1;
  return index != next && stage_.steps.order_matters(flights_[index].live->row, flights_[next].live->row);
}

/// Entries between which nothing begins outside leave the same behind: of them the last is taken.
void ExploredRun::look_at_crashes(std::vector<Deviation>& found) {
  if (flights_.empty()) return;
  std::vector<std::uint32_t> until{entries_};
  for (const Flight& flight : flights_)
    if (flight.entry > last_fact_ && flight.entry - 1 >= last_fact_) until.push_back(flight.entry - 1);
  const auto asks = [&](std::uint32_t entries) {
    return std::any_of(flights_.begin(), flights_.end(),
                       [&](const Flight& flight) { return flight.entry <= entries && is_asked(flight); });
  };
  for (const std::uint32_t entries : until)
    for (const bool done : {false, true}) {
      Choice dies;
      dies.kind = Choice::Kind::Dies;
      dies.entries = entries;
      dies.done = done;
      const auto changes = [&](const Flight& flight) {
        return flight.entry <= entries && stage_.steps.of(flight.live->row).changes;
      };
      if (done && std::none_of(flights_.begin(), flights_.end(), changes)) continue;
      if (!asks(entries)) {
        found.push_back({choices_, dies});
        continue;
      }
      for (const OnCrash said : {OnCrash::Rerun, OnCrash::Fail}) {
        dies.on_crash = said;
        found.push_back({choices_, dies});
      }
    }
}

}  // namespace flowrun
