#include "engine/explore/explored_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/machine/machine_view.h"
#include "engine/model/error.h"
#include "engine/model/path.h"
#include "engine/scenario/scripted_result.h"
#include "engine/steps/effect.h"

namespace flowrun {
namespace {

/// A run with more choices is not followed further.
constexpr std::uint32_t kMostChoices = 3000;
constexpr Duration kMoment{1};
constexpr Duration kSilence{30000};  // after which a server that says nothing is given up
constexpr Duration kDown{1000};

const char* const kAgain = "again";

bool is_mark(const Choice& choice) { return choice.then == Choice::Then::Slow || choice.then == Choice::Then::Hangs; }

}  // namespace

void ExploredRun::play(const std::vector<Deviation>& deviations, Order order, bool look_around) {
  order_ = order;
  begin();
  std::size_t done = 0;
  while (goes_on()) {
    for (; done < deviations.size() && deviations[done].at == choices_ && is_mark(deviations[done].choice); ++done) {
      const std::size_t flight = flight_at(deviations[done].choice.path);
      if (flight < flights_.size()) flights_[flight].then = deviations[done].choice.then;
    }
    if (done < deviations.size() && deviations[done].at == choices_) {
      do_it(deviations[done++].choice);
      continue;
    }
    if (look_around && done == deviations.size()) look(alternatives_, false);
    const std::optional<Choice> next = by_itself();
    if (!next) break;
    do_it(*next);
  }
  finish();
}

std::optional<std::string> ExploredRun::replay(const std::vector<std::string>& words) {
  begin();
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::vector<Deviation> possible;
    if (!over()) {
      if (const std::optional<Choice> next = by_itself()) possible.push_back({choices_, *next});
      look(possible, true);
    }
    const auto found = std::find_if(possible.begin(), possible.end(),
                                    [&](const Deviation& one) { return word_of(one.choice) == words[i]; });
    if (found == possible.end()) {
      std::string can;
      for (std::size_t k = 0; k < std::min<std::size_t>(possible.size(), 6); ++k)
        can += fmt::format("{}`{}`", k == 0 ? "" : ", ", word_of(possible[k].choice));
      finish();
      return fmt::format("word {} of the schedule, `{}`, can not happen there; {}", i + 1, words[i],
                         can.empty() ? "the run has ended" : "what can: " + can);
    }
    do_it(Choice(found->choice));
  }
  while (goes_on()) {
    const std::optional<Choice> next = by_itself();
    if (!next) break;
    do_it(*next);
  }
  finish();
  return std::nullopt;
}

void ExploredRun::play_at_random(const std::function<std::size_t(std::size_t)>& next) {
  begin();
  while (goes_on()) {
    std::vector<Deviation> possible;
    if (const std::optional<Choice> itself = by_itself()) possible.push_back({choices_, *itself});
    look(possible, true);
    if (possible.empty()) break;
    do_it(Choice(possible[next(possible.size())].choice));
  }
  finish();
}

void ExploredRun::begin() {
  machine_ = std::make_unique<Machine>(stage_.workflow, stage_.evaluator);
  now_ = stage_.begin;
  begun_.assign(stage_.steps.size(), false);
  take(RunStarted(stage_.started));
  follow_up();
}

bool ExploredRun::goes_on() const { return !over() && choices_ <= kMostChoices; }

void ExploredRun::finish() {
  if (over())
    outcome_ = machine_->outcome();
  else
    end_ = choices_ > kMostChoices ? End::Cut : End::Stuck;
  // What is left of it is large.
  machine_.reset();
}

template <typename Fact>
bool ExploredRun::take(Fact fact) {
  return machine_->take({now_, std::move(fact)}, *this);
}

void ExploredRun::happened(const Event& event, bool late) {
  last_fact_ = ++entries_;
  last_at_ = event.at;
  if (const auto* ended = std::get_if<TaskEnded>(&event.fact); ended && !late) {
    const Result& result = ended->result;
    if (!result.again && (result.page == 0 || result.next.empty()))
      states_[ended->path] = result.ok() ? State::Succeeded : State::Failed;
  }
  if (!keeps_entries_) return;
  log_.push_back(to_entry(event, late));
  log_.back().seq = entries_;
}

void ExploredRun::decide(Decision decision) {
  ++entries_;
  if (keeps_entries_) {
    log_.push_back(to_entry(decision, last_at_));
    log_.back().seq = entries_;
  }
  const auto began = [&](const std::string& path) {
    if (const std::size_t row = stage_.steps.find(path); row < begun_.size()) begun_[row] = true;
  };
  if (auto* task = std::get_if<StartTask>(&decision.what)) {
    start(std::move(task->task));
  } else if (auto* stop = std::get_if<StopTask>(&decision.what)) {
    states_[stop->path] = stop->reason == "timeout" || stop->reason == "deadline" ? State::Failed : State::Cancelled;
    stops_.emplace_back(std::move(stop->path), stop->attempt);
  } else if (auto* reserve = std::get_if<ReservePlace>(&decision.what)) {
    reserves_.push_back(std::move(reserve->path));
  } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what)) {
    timers_.push({timer->due, timer->path, timer->timer, timer->due});
    if (timer->timer == TimerKind::Sleep) began(timer->path);
  } else if (const auto* settled = std::get_if<StepSettled>(&decision.what)) {
    states_[settled->path] = settled->outcome.state;
    // What a timeout around it fails may not have begun at all.
    const bool timed_out = settled->reason == "timeout" || settled->reason == "deadline";
    if (settled->outcome.state == State::Succeeded || (settled->outcome.state == State::Failed && !timed_out))
      began(settled->path);
  } else if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
    began(awaited->path);
  } else if (const auto* items = std::get_if<ItemsChosen>(&decision.what)) {
    began(items->path);
  } else if (const auto* child = std::get_if<ChildStarted>(&decision.what)) {
    began(child->path);
    ++children_[child->path];
  }
}

LiveStep& ExploredRun::live_step(const Task& task) {
  std::unique_ptr<LiveStep>& live = stage_.live_steps[task.path];
  if (!live) {
    const Frame* frame = MachineView(*machine_).in_flight_at(task.path);
    live = std::make_unique<LiveStep>();
    live->path = task.path;
    live->row = stage_.steps.find(task.path, frame ? &frame->step() : nullptr);
    live->endings = stage_.endings.of(live->row, task.path, task, stage_.every);
    live->results.resize(live->endings.size());
  }
  return *live;
}

/// What tells keys apart: another try of a file around the step has others.
std::string ExploredRun::key_at(const std::string& path) const {
  std::string key = "key";
  for (const auto& [child, tries] : children_)
    if (is_below(path, child)) key += fmt::format(" {}", tries);
  return key;
}

void ExploredRun::start(Task task) {
  Flight flight;
  flight.live = &live_step(task);
  flight.started_at = now_;
  flight.entry = entries_;
  const WrittenStep& step = stage_.steps.of(flight.live->row);
  begun_[flight.live->row] = true;
  if (step.changes && !step.repeats && !step.polls && task.page == 0) {
    const std::string key = step.keyed ? key_at(task.path) : "";
    const auto before =
        std::find_if(acts_.rbegin(), acts_.rend(), [&](const Act& act) { return act.live == flight.live; });
    const auto undone = states_.find(task.path + ".undo");
    if (before != acts_.rend() && (key.empty() || before->key != key) &&
        (undone == states_.end() || undone->second != State::Succeeded))
      twice_.push_back({*before, task.attempt, !key.empty()});
  }
  flight.task = std::move(task);
  flights_.push_back(std::move(flight));
}

void ExploredRun::follow_up() {
  while (!stops_.empty() || !reserves_.empty()) {
    for (const std::string& path : std::exchange(reserves_, {})) take(TaskReserved{path});
    for (auto& [path, attempt] : std::exchange(stops_, {})) {
      const std::size_t flight = flight_at(path);
      if (flight < flights_.size() && flights_[flight].task.attempt == attempt)
        flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(flight));
      Result stopped;
      stopped.failure = Failure{"cancelled", "stopped"};
      take(TaskEnded{std::move(path), attempt, std::move(stopped)});
    }
    feed();
  }
  feed();
}

void ExploredRun::feed() {
  while (machine_->phase() == Machine::Phase::Running && !all_fed_) {
    const ItemStream* stream = machine_->stream();
    if (!stream || stream->wanted() == 0) return;
    ItemsArrived arrived;
    arrived.path = stream->stream_path();
    Json values = Json::array();
    for (std::size_t want = stream->wanted(); want > 0 && fed_ < stage_.items.size(); --want) {
      const auto here = stage_.items.begin() + static_cast<std::ptrdiff_t>(fed_);
      const auto nth = static_cast<int>(std::count(stage_.items.begin(), here, *here)) + 1;
      if (nth > 1) arrived.repeated.push_back({static_cast<int>(values.size()), nth});
      values.push_back(*here);
      ++fed_;
    }
    arrived.items = Value(std::move(values));
    arrived.last = fed_ == stage_.items.size();
    all_fed_ = !take(ItemsArrived(arrived)) || arrived.last;
  }
}

std::size_t ExploredRun::flight_at(const std::string& path) const {
  for (std::size_t i = 0; i < flights_.size(); ++i)
    if (flights_[i].live->path == path) return i;
  return flights_.size();
}

void ExploredRun::note(const Choice& choice, bool default_one) {
  made_.push_back(choice);
  if (!default_one) needed_ = made_.size();
  ++choices_;
}

void ExploredRun::do_it(const Choice& choice) {
  const bool plain =
      choice.kind == Choice::Kind::Ends
          ? !flights_.empty() && flights_.front().live->path == choice.path && choice.how.empty()
      : choice.kind == Choice::Kind::Says
          ? flights_.empty() && choice.how.empty() && machine_->signals().awaiting_paths().front() == choice.path
          : choice.kind == Choice::Kind::Fires && flights_.empty() && machine_->signals().awaiting() == 0;
  note(choice, plain);
  looked_until_ = entries_;
  switch (choice.kind) {
    case Choice::Kind::Ends:
      end_attempt(choice);
      break;
    case Choice::Kind::Fires: {
      const VirtualTimer* timer = next_timer();
      if (!timer) break;
      now_ = std::max(now_, timer->at);
      take(TimerFired{timer->path, timer->timer});
      break;
    }
    case Choice::Kind::Says: {
      const std::size_t row = stage_.steps.find(choice.path);
      SignalReceived signal;
      signal.name = stage_.endings.signal_of(row);
      signal.path = choice.path;
      signal.data = Value(stage_.endings.said_to(row));
      signal.by = "somebody";
      if (!choice.how.empty()) signal.rejected = "no";
      take(std::move(signal));
      break;
    }
    case Choice::Kind::Dies:
      die(choice);
      break;
    case Choice::Kind::Cancels:
      cancelled_ = true;
      take(CancelRequested{false, false, "somebody"});
      break;
  }
  follow_up();
}

Result ExploredRun::result_of(Flight& flight, std::size_t ending) const {
  const AttemptEnding& how = flight.live->endings[ending];
  const auto* request = std::get_if<HttpRequest>(&*flight.task.work);
  const bool shared =
      !flight.task.keep_raw && how.well && (!request || request->response != HttpRequest::Response::File);
  std::optional<Result>& kept = flight.live->results[ending];
  if (shared && kept) return *kept;
  Result result = scripted_result(how.answer, flight.task, now_);
  const auto* effect = dynamic_cast<const Effect*>(stage_.steps.of(flight.live->row).step);
  const bool page = how.made_up || how.answer.kind == ScriptedAnswer::Kind::Page;
  if (how.well && page && effect && effect->paginate) {
    result = Result();
    result.value = Value(how.answer.value.is_array() ? how.answer.value : Json::array({how.answer.value}));
    result.page = std::max(flight.task.page, 1);
  }
  if (shared) kept = result;
  return result;
}

void ExploredRun::note_act(const Flight& flight, bool certain, const std::string& ended) {
  const WrittenStep& step = stage_.steps.of(flight.live->row);
  if (!step.changes) return;
  acts_.push_back(
      {flight.live, flight.task.attempt, certain, step.keyed ? key_at(flight.live->path) : "", ended, made_.size()});
}

void ExploredRun::end_attempt(const Choice& choice) {
  const std::size_t at = flight_at(choice.path);
  if (at == flights_.size()) return;
  Flight flight = std::move(flights_[at]);
  flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(at));
  const WrittenStep& step = stage_.steps.of(flight.live->row);
  const VirtualTimer* timer = next_timer();
  Instant ends = now_ + kMoment;
  if (choice.how == "timeout") ends = std::max(ends, flight.started_at + flight.task.timeout.value_or(kSilence));
  now_ = timer ? std::max(now_, std::min(ends, timer->at)) : ends;
  if (choice.then == Choice::Then::Again) again_[choice.path] = choice.how;
  Result result;
  bool told = false;  // what it means for its poll or its pages is said already
  if (choice.how == kAgain) {
    if (!is_bounded(choice.path)) endless_.push_back(choice.path);
    result.again = true;
    told = true;
  } else {
    const auto& endings = flight.live->endings;
    const auto found =
        std::find_if(endings.begin(), endings.end(), [&](const AttemptEnding& one) { return one.how == choice.how; });
    if (found == endings.end())
      throw Error(Problem::Internal, fmt::format("explore: no end `{}` of {}", choice.how, choice.path));
    const AttemptEnding& how = *found;
    const auto ending = static_cast<std::size_t>(found - endings.begin());
    made_up_ = made_up_ || how.made_up;
    result = result_of(flight, ending);
    told = how.well && (step.polls || result.page > 0);
    if (how.well || may_have_acted(step, how.how, result.sent)) note_act(flight, how.well, how.how);
  }
  result.began = flight.started_at;
  result.took = now_ - flight.started_at;
  TaskEnded ended{flight.live->path, flight.task.attempt, std::move(result)};
  if (!told) {
    take(std::move(ended));
    return;
  }
  const Event event{now_, std::move(ended)};
  if (!machine_->expects(event)) return;
  happened(event, false);
  machine_->apply(event, *this);
}

bool ExploredRun::is_asked(const Flight& flight) const {
  const auto* effect = dynamic_cast<const Effect*>(stage_.steps.of(flight.live->row).step);
  return effect && effect->on_crash == OnCrash::Ask;
}

void ExploredRun::die(const Choice& choice) {
  RunResumed resumed;
  std::vector<Flight> kept;
  for (Flight& flight : flights_) {
    if (flight.entry > choice.entries) {
      resumed.unbegun.push_back(flight.live->path);
      kept.push_back(std::move(flight));
    } else if (choice.done && !(choice.on_crash == OnCrash::Rerun && is_asked(flight))) {
      // Where somebody has said that it may run again, that is their word.
      note_act(flight, false, "crash");
    }
  }
  flights_ = std::move(kept);
  now_ += kDown;
  resumed.token = fmt::format("t{}", ++died_ + 1);
  resumed.down = kDown;
  resumed.on_crash = choice.on_crash;
  take(std::move(resumed));
  timers_ = {};
  for (const PendingTimer& timer : machine_->timers().pending())
    timers_.push({now_ + std::clamp(timer.due - now_, Duration{0}, timer.span), timer.path, timer.timer, timer.due});
}

std::string ExploredRun::text() const {
  std::string text;
  for (std::size_t i = 0; i < needed_; ++i) text += (i > 0 ? " " : "") + word_of(made_[i]);
  return text;
}

}  // namespace flowrun
