#include "engine/machine/machine.h"

#include <algorithm>
#include <cassert>

#include "engine/machine/frame.h"
#include "engine/model/hash.h"
#include "engine/model/path.h"

namespace flowrun {

/// Passes questions on and keeps the answers until a decision takes them along.
class Machine::Recorder : public Evaluator {
 public:
  explicit Recorder(Evaluator& evaluator) : evaluator_(evaluator) {}
  Answer evaluate(const Question& question) override {
    answers.push_back(evaluator_.evaluate(question));
    return answers.back();
  }
  std::vector<Answer> answers;
  Evaluator& bare() const { return evaluator_; }

 private:
  Evaluator& evaluator_;
};

Machine::Machine(const Workflow& workflow, Evaluator& evaluator)
    : workflow_(workflow), recorder_(std::make_unique<Recorder>(evaluator)), pools_(workflow.limits) {}

Machine::~Machine() {
  tidying_.clear();  // frames that vanish now are kept by nobody
}

bool Machine::take(Event event, EventSink& sink) {
  if (!expects(event)) return false;
  bool late = false;
  if (auto* ended = std::get_if<TaskEnded>(&event.fact)) {
    const Frame* frame = in_flight_.at(ended->path).frame;
    late = !frame;
    // A result of another run was completed there.
    if (frame && !ended->result.taken) frame->complete_result(ended->result);
  }
  sink.happened(event, late);
  conclude_from(event, sink);
  return true;
}

bool Machine::apply(const Event& event, DecisionSink& sink) {
  if (!expects(event)) return false;
  conclude_from(event, sink);
  return true;
}

void Machine::conclude_from(const Event& event, DecisionSink& sink) {
  sink_ = &sink;
  before_ = now_;
  now_ = std::max(now_, event.at);
  std::visit([this](const auto& fact) { take(fact); }, event.fact);
  work_off();
  come_to_rest();
  if (!recorder_->answers.empty()) decide(Evaluated{});
  sink_ = nullptr;
}

bool Machine::expects(const Event& event) const {
  struct {
    const Machine& machine;
    bool operator()(const RunStarted&) const { return machine.phase_ == Phase::New; }
    bool operator()(const RunResumed&) const {
      return machine.phase_ == Phase::Running || machine.phase_ == Phase::Suspended;
    }
    bool operator()(const RunFrozen&) const { return machine.phase_ == Phase::Running; }
    bool operator()(const RunReopened&) const { return machine.phase_ == Phase::Ended; }
    bool operator()(const TaskReserved& reserved) const {
      auto flight = machine.in_flight_.find(reserved.path);
      return flight != machine.in_flight_.end() && flight->second.attempt == 0 && flight->second.frame &&
             !flight->second.interrupted;
    }
    bool operator()(const TaskEnded& ended) const { return flies(ended.path, ended.attempt); }
    bool operator()(const TaskWithdrawn& withdrawn) const { return flies(withdrawn.path, withdrawn.attempt); }
    bool operator()(const TaskInterrupted& interrupted) const {
      return machine.suspending_ && flies(interrupted.path, interrupted.attempt);
    }
    bool operator()(const TimerFired& fired) const { return machine.timers_.count({fired.path, fired.timer}) > 0; }
    bool operator()(const SuspendRequested&) const { return machine.phase_ == Phase::Running && !machine.suspending_; }
    bool operator()(const SignalReceived&) const { return machine.phase_ == Phase::Running; }
    bool operator()(const CancelRequested&) const {
      return machine.phase_ == Phase::Running && (!machine.root_->is_settled() || !machine.tidying_.empty());
    }
    bool operator()(const UndoRequested&) const { return machine.phase_ == Phase::Ended; }
    bool flies(const std::string& path, int attempt) const {
      auto flight = machine.in_flight_.find(path);
      return flight != machine.in_flight_.end() && flight->second.attempt == attempt && !flight->second.interrupted;
    }
  } expecting{*this};
  return std::visit(expecting, event.fact);
}

bool Machine::late(const TaskEnded& ended) const {
  auto flight = in_flight_.find(ended.path);
  return flight != in_flight_.end() && flight->second.frame == nullptr;
}

Evaluator& Machine::unrecorded() const { return recorder_->bare(); }

void Machine::take(const RunStarted& started) {
  run_ = started;
  jobs_ = started.jobs;
  chance_ = std::make_unique<Chance>(started.seed);
  concurrency_ = static_cast<std::size_t>(started.concurrency > 0 ? started.concurrency : workflow_.concurrency);
  phase_ = Phase::Running;
  root_ = workflow_.root->frame(*this, nullptr, "");
  queue_start(*root_);
}

/// Limits of work count only time in which flowrun was there to work; dates stay dates.
void Machine::move_limits(Duration lost) {
  idle_ += lost;
  for (auto& [key, timer] : timers_)
    if (is_limit_of_work(key.second)) timer.due += lost;
}

void Machine::take(const RunFrozen& frozen) { move_limits(frozen.span); }

void Machine::take(const RunResumed& resumed) {
  phase_ = Phase::Running;
  suspending_ = false;
  run_.token = resumed.token;
  run_.jobs = resumed.jobs > 0 ? resumed.jobs : jobs_;
  if (!resumed.folder.empty()) run_.folder = resumed.folder;
  if (!resumed.run_dir.empty()) run_.run_dir = resumed.run_dir;
  if (!resumed.secrets.empty()) run_.secrets = resumed.secrets;
  move_limits(resumed.down);

  if (resumed.cancel) {
    if (resumed.cancel->now) stop_tidying();
    // What was in flight is not begun again, so it has no end to wait for.
    for (auto& [path, flight] : in_flight_)
      if (flight.frame && !flight.interrupted) interrupt(flight);
    root_->on_cancel(*resumed.cancel);
  }
  std::vector<std::pair<std::string, Flight>> cut_off(in_flight_.begin(), in_flight_.end());
  std::sort(cut_off.begin(), cut_off.end(),
            [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
  for (const auto& [path, flight] : cut_off)
    if (!flight.interrupted) pools_.vacate(flight.limit);
  in_flight_.clear();
  interrupted_ = 0;
  const std::set<std::string_view> queued(resumed.queued.begin(), resumed.queued.end());
  for (auto& [path, flight] : cut_off) {
    if (!flight.frame) continue;  // given up before: its process is gone with the last drive
    if (std::find(resumed.unbegun.begin(), resumed.unbegun.end(), path) != resumed.unbegun.end()) {
      in_flight_.emplace(path, flight);
      pools_.occupy(flight.limit);
      continue;
    }
    flight.frame->in_flight_ = false;
    if (queued.count(path) > 0) {
      flight.frame->on_withdrawn();
    } else if (flight.attempt == 0) {
      reserve(*flight.frame, flight.reservation);
    } else {
      flight.frame->on_crashed(resumed);
    }
  }
  tell_quiet();
}

void Machine::take(const RunReopened& reopened) {
  phase_ = Phase::Running;
  suspending_ = false;
  hurried_ = false;
  run_.token = reopened.token;
  run_.jobs = reopened.jobs > 0 ? reopened.jobs : jobs_;
  if (!reopened.run_dir.empty()) run_.run_dir = reopened.run_dir;
  idle_ += now_ - before_;
  if (!reopened.secrets.empty()) run_.secrets = reopened.secrets;
  retrying_ = Retrying(reopened);
  was_reopened_ = true;
  root_->reopen(reopened.exact ? std::string_view() : reopened.path);
}

void Machine::take(const TaskReserved& reserved) {
  auto flight = in_flight_.find(reserved.path);
  Frame* frame = flight->second.frame;
  land(flight);
  frame->in_flight_ = false;
  frame->on_reserved();
}

void Machine::take(const TaskEnded& ended) {
  auto flight = in_flight_.find(ended.path);
  Frame* frame = flight->second.frame;
  const Limit* limit = flight->second.limit;
  land(flight);
  // Who sends one of a pool away would send the others away, too.
  if (ended.result.retry_after && limit && !limit->name.empty()) hold(*limit, now_ + *ended.result.retry_after);
  if (!frame) return tell_quiet();
  frame->in_flight_ = false;
  frame->on_ended(ended);
}

void Machine::take(const TaskInterrupted& interrupted) {
  auto flight = in_flight_.find(interrupted.path);
  if (flight->second.frame) {
    interrupt(flight->second);
  } else {
    land(flight);
    tell_quiet();
  }
}

void Machine::take(const TaskWithdrawn& withdrawn) {
  auto flight = in_flight_.find(withdrawn.path);
  Frame* frame = flight->second.frame;
  land(flight);
  if (!frame) return tell_quiet();
  frame->in_flight_ = false;
  frame->on_withdrawn();
}

void Machine::take(const TimerFired& fired) {
  auto timer = timers_.find({fired.path, fired.timer});
  Frame* frame = timer->second.frame;
  timers_.erase(timer);
  if (!frame) return;  // of a limit: admit() follows anyway
  --frame->timers_;
  frame->on_timer(fired.timer);
}

void Machine::take(const SuspendRequested&) {
  suspending_ = true;
  // Nothing more is to begin. Reservations are given back, and asked for anew when the run goes on.
  withdraw_waiting("");
  std::map<std::uint64_t, std::string> reserved;
  for (auto& [path, flight] : in_flight_)
    if (flight.attempt == 0 && flight.frame) {
      interrupt(flight);
      reserved.emplace(flight.order, path);
    }
  for (const auto& [order, path] : reserved) decide(StopTask{path, 0, "suspend"});
}

void Machine::take(const SignalReceived& signal) {
  auto wanted = std::find_if(awaiting_.begin(), awaiting_.end(), [&](const Awaiting& one) {
    return one.name == signal.name && (signal.path.empty() || one.frame->path() == signal.path) &&
           one.frame->accepts(signal);
  });
  if (wanted == awaiting_.end()) {
    early_signals_.push_back(signal);
    return;
  }
  Frame* frame = wanted->frame;
  ignore_signals(*frame);
  frame->on_signal(signal);
}

std::vector<std::string> Machine::awaiting_paths() const {
  std::vector<std::string> paths;
  for (const Awaiting& one : awaiting_) paths.push_back(one.frame->path());
  return paths;
}

void Machine::await_signal(Frame& frame, const std::string& name, std::string prompt) {
  awaiting_.push_back({&frame, name});
  frame.awaits_signal_ = true;
  decide(SignalAwaited{frame.path(), name, std::move(prompt)});
  auto early = std::find_if(early_signals_.begin(), early_signals_.end(), [&](const SignalReceived& signal) {
    return signal.name == name && (signal.path.empty() || signal.path == frame.path()) && frame.accepts(signal);
  });
  if (early == early_signals_.end()) return;
  SignalReceived signal = std::move(*early);
  early_signals_.erase(early);
  ignore_signals(frame);
  frame.on_signal(signal);
}

void Machine::take(const CancelRequested& cancel) {
  if (cancel.now) stop_tidying();
  root_->on_cancel(cancel);
  tell_quiet();
}

void Machine::take(const UndoRequested& undo) {
  phase_ = Phase::Running;
  suspending_ = false;
  hurried_ = false;
  run_.token = undo.token;
  if (!undo.run_dir.empty()) run_.run_dir = undo.run_dir;
  idle_ += now_ - before_;
  root_->on_undo(undo);
}

bool Machine::quiet(const std::string& below, const Frame& asked_by) const {
  for (const Frame* tidying : tidying_) {
    const Frame* around = &asked_by;
    while (around && around != tidying) around = around->parent();
    if (!around && is_below(tidying->path(), below)) return false;
  }
  return std::none_of(in_flight_.begin(), in_flight_.end(), [&](const auto& flight) {
    return flight.second.frame == nullptr && is_below(flight.first, below);
  });
}

void Machine::tidy(Frame& frame) {
  frame.parent_ = root_.get();
  tidying_.push_back(&frame);
}

void Machine::give_back(Frame& frame, Frame& parent) { frame.parent_ = &parent; }

bool Machine::is_tidying(const Frame& frame) const {
  return std::find(tidying_.begin(), tidying_.end(), &frame) != tidying_.end();
}

void Machine::tidied(Frame& frame) {
  std::erase(tidying_, &frame);
  kept_.remove_if([&](const auto& kept) { return kept.get() == &frame; });
  tell_quiet();
}

void Machine::stop_tidying() {
  hurried_ = true;
  std::vector<Frame*> all = std::move(tidying_);
  tidying_.clear();
  for (Frame* frame : all) frame->cancel("cancelled");
  kept_.clear();
}

void Machine::await_quiet(Frame& frame, const std::string& below) {
  if (quiet(below, frame)) return frame.on_quiet();
  listeners_.push_back({&frame, below});
}

void Machine::tell_quiet() {
  for (;;) {
    // From the front each time: who is told may make others vanish.
    auto listener = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const Listener& one) { return quiet(one.below, *one.frame); });
    if (listener == listeners_.end()) return;
    Frame* frame = listener->frame;
    listeners_.erase(listener);
    frame->on_quiet();
  }
}

void Machine::note_undone(const std::string& path) {
  undone_.insert(path);
  undone_in_order_.push_back(path);
  ++times_undone_[path];
}

bool Machine::undone_below(const std::string& path) const {
  if (undone_.empty()) return false;
  // Paths below follow it, though not right behind it: `a`, `a-`, `a/b`.
  for (auto found = undone_.lower_bound(path); found != undone_.end() && found->starts_with(path); ++found)
    if (is_below(*found, path)) return true;
  return false;
}

void Machine::note_run(const std::string& path) {
  if (undone_.erase(path) > 0) std::erase(undone_in_order_, path);
}

std::vector<std::string> Machine::undone(const std::string& path) const {
  std::vector<std::string> below;
  for (const std::string& one : undone_in_order_)
    if (is_below(one, path)) below.push_back(one);
  return below;
}

int Machine::times_undone(const std::string& path) const {
  if (times_undone_.empty()) return 0;
  auto found = times_undone_.find(path);
  return found == times_undone_.end() ? 0 : found->second;
}

void Machine::ignore_signals(Frame& frame) {
  if (!frame.awaits_signal_) return;
  frame.awaits_signal_ = false;
  awaiting_.remove_if([&](const Awaiting& one) { return one.frame == &frame; });
}

void Machine::work_off() {
  do {
    while (!queue_.empty()) {
      Work work = queue_.front();
      queue_.pop_front();
      if (!work.frame) continue;  // vanished meanwhile
      --work.frame->queued_;
      if (!work.settled) {
        if (!work.frame->is_settled()) work.frame->start();
      } else if (work.frame->parent_) {
        work.frame->parent_->on_child(*work.frame);
      }
    }
    admit();
  } while (!queue_.empty());
}

void Machine::admit() {
  if (suspending_ || pools_.waiting() == 0) return;
  while (busy_places() < concurrency_) {
    if (Frame* frame = pools_.admit(now_)) {
      frame->ticket_.reset();
      left_line(frame->step().limit);
      frame->on_admitted();
      continue;
    }
    for (const Pools::Line& closed : pools_.closed()) {
      auto [timer, fresh] = timers_.insert({{closed.limit->path, TimerKind::Limit}, {nullptr, *closed.opens, {}}});
      if (!fresh) continue;
      timer->second.span = *closed.opens - now_;
      decide(ArmTimer{closed.limit->path, TimerKind::Limit, 0, *closed.opens, timer->second.span,
                      closed.held ? "Retry-After" : closed.limit->rate_text});
    }
    return;
  }
}

/// Nobody waits for the date of a line in which nobody is left.
void Machine::left_line(const Limit* limit) {
  if (limit && !limit->name.empty() && pools_.empty(limit)) timers_.erase({limit->path, TimerKind::Limit});
}

void Machine::come_to_rest() {
  if (phase_ != Phase::Running || busy_places() > 0) return;
  if (root_->is_settled() && tidying_.empty()) {
    const Settled& settled = root_->settled();
    outcome_ = {settled.state, settled.output, std::nullopt};
    if (settled.failure) outcome_.failure = *settled.failure;
    phase_ = Phase::Ended;
    decide(RunEnded{outcome_});
  } else if (suspending_) {
    phase_ = Phase::Suspended;
    decide(RunSuspended{});
  }
}

std::vector<Machine::PendingTimer> Machine::timers() const {
  std::vector<PendingTimer> pending;
  pending.reserve(timers_.size());
  for (const auto& [key, timer] : timers_) pending.push_back({key.first, key.second, timer.due, timer.span});
  return pending;
}

std::optional<Instant> Machine::due(const std::string& path, TimerKind timer) const {
  auto found = timers_.find({path, timer});
  if (found == timers_.end()) return std::nullopt;
  return found->second.due;
}

bool Machine::limits_work() const {
  return std::any_of(timers_.begin(), timers_.end(),
                     [](const auto& timer) { return is_limit_of_work(timer.first.second); });
}

std::vector<Machine::InFlight> Machine::in_flight() const {
  std::vector<std::pair<std::uint64_t, InFlight>> ordered;
  for (const auto& [path, flight] : in_flight_)
    ordered.push_back({flight.order,
                       {path, flight.attempt, flight.rerun, flight.started_at, flight.on_crash, flight.frame != nullptr,
                        flight.interrupted}});
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<InFlight> flights;
  flights.reserve(ordered.size());
  for (auto& [order, flight] : ordered) flights.push_back(std::move(flight));
  return flights;
}

std::optional<Settled> Machine::look(std::string_view path) const {
  if (!root_) return std::nullopt;
  return root_->look(path);
}

std::vector<std::string> Machine::stuck() const {
  if (phase_ != Phase::Running || !in_flight_.empty() || !timers_.empty() || !awaiting_.empty() ||
      pools_.waiting() > 0 || !root_)
    return {};
  std::vector<std::string> paths;
  root_->name_open(paths);
  for (const Frame* frame : tidying_) frame->name_open(paths);
  if (paths.empty()) paths.push_back("the run");
  return paths;
}

bool Machine::has_undos() const { return root_ && root_->has_undos(); }

bool Machine::has_failed() const { return root_ && root_->has_failed(); }

std::variant<bool, Hindrance> Machine::way_to(const std::string& path) const { return root_->way_to(path); }

std::string Machine::key_for(std::string name, std::uint64_t request) {
  auto [first, fresh] = first_requests_.emplace(hash64(name), request);
  // A flowrun that did not tell requests apart sent what a retry had changed with the old key.
  if (was_reopened_ && !retrying_.exact()) first->second = request;
  if (first->second != request) name += "\nrequest " + hex16(request);
  return chance_->uuid(name);
}

Evaluator& Machine::evaluator() { return *recorder_; }

void Machine::decide(decltype(Decision::what) what) {
  Decision decision{std::move(what), {}};
  decision.answers.swap(recorder_->answers);
  sink_->decide(std::move(decision));
}

void Machine::queue_start(Frame& frame) {
  ++frame.queued_;
  queue_.push_back({&frame, false});
}

void Machine::queue_settled(Frame& frame) {
  ++frame.queued_;
  queue_.push_back({&frame, true});
}

void Machine::request_place(Frame& frame, bool again) {
  const Limit* limit = frame.step().limit;
  frame.ticket_ = pools_.line_up(frame, limit, again);
  if (limit && pools_.holds(*limit, now_)) frame.on_held();
}

void Machine::hold(const Limit& limit, Instant until) {
  // Who lines up while it is held is told then.
  const bool told = pools_.holds(limit, now_);
  pools_.hold(limit, until);
  if (told || !pools_.holds(limit, now_)) return;
  for (Frame* frame : pools_.waiting_in(limit)) frame->on_held();
}

std::optional<std::variant<Value, Failure>> Machine::bind(const Reference& reference) const {
  return root_ ? root_->bind(reference) : std::nullopt;
}

const Frame* Machine::in_flight_at(const std::string& path) const {
  auto flight = in_flight_.find(path);
  return flight == in_flight_.end() ? nullptr : flight->second.frame;
}

bool Machine::waits_for_place(const Frame& frame) const { return frame.ticket_.has_value(); }

void Machine::withdraw(Frame& frame) {
  if (!frame.ticket_) return;
  pools_.leave(*frame.ticket_, frame.step().limit);
  frame.ticket_.reset();
  left_line(frame.step().limit);
}

Machine::Flight& Machine::take_off(Frame& frame) {
  Flight& flight = in_flight_[frame.path()];
  flight = Flight{};
  flight.order = ++starts_;
  flight.started_at = now_;
  flight.frame = &frame;
  flight.limit = frame.step().limit;
  pools_.occupy(flight.limit);
  frame.in_flight_ = true;
  return flight;
}

void Machine::interrupt(Flight& flight) {
  flight.interrupted = true;
  ++interrupted_;
  pools_.vacate(flight.limit);
}

void Machine::land(Flights::iterator flight) {
  if (!flight->second.interrupted) pools_.vacate(flight->second.limit);
  in_flight_.erase(flight);
}

void Machine::reserve(Frame& frame, ReservePlace reserve) {
  take_off(frame).reservation = reserve;
  decide(std::move(reserve));
}

void Machine::start_task(Frame& frame, Task task, OnCrash on_crash) {
  Flight& flight = take_off(frame);
  flight.attempt = task.attempt;
  flight.rerun = task.rerun;
  flight.on_crash = on_crash;
  flight.process = std::holds_alternative<Process>(*task.work);
  decide(StartTask{std::move(task)});
}

const Machine::Flight* Machine::flight_of(const Frame& frame) const {
  if (!frame.in_flight_) return nullptr;
  auto flight = in_flight_.find(frame.path());
  // In runs of old programs two items may share a path: then it is that of the other.
  return flight != in_flight_.end() && flight->second.frame == &frame ? &flight->second : nullptr;
}

Machine::Flight* Machine::flight_of(const Frame& frame) {
  return const_cast<Flight*>(std::as_const(*this).flight_of(frame));
}

void Machine::stop_task(Frame& frame, const std::string& reason) {
  const bool flies = flight_of(frame);
  frame.in_flight_ = false;
  if (!flies) return;
  auto flight = in_flight_.find(frame.path());
  int attempt = flight->second.attempt;
  if (flight->second.interrupted) --interrupted_;
  if (attempt == 0 || flight->second.interrupted) {
    // A reservation has no end to wait for, and an interrupted attempt has had it.
    land(flight);
  } else {
    flight->second.frame = nullptr;
  }
  decide(StopTask{frame.path(), attempt, reason});
}

bool Machine::waits_for_reservation(const Frame& frame) const {
  const Flight* flight = flight_of(frame);
  return flight && flight->attempt == 0;
}

void Machine::withdraw_waiting(const std::string& above) {
  // Which of them have begun only the executor knows.
  const bool some = std::any_of(in_flight_.begin(), in_flight_.end(), [&](const auto& flight) {
    return flight.second.process && flight.second.frame && is_below(flight.first, above);
  });
  if (some) decide(WithdrawWaiting{above});
}

void Machine::arm(Frame& frame, TimerKind timer, Duration span, int attempt, std::string reason) {
  auto [slot, fresh] = timers_.try_emplace({frame.path(), timer}, Timer{});
  if (!fresh && slot->second.frame != &frame) --slot->second.frame->timers_;  // in runs of old programs
  if (fresh || slot->second.frame != &frame) ++frame.timers_;
  slot->second = Timer{&frame, now_ + span, span};
  decide(ArmTimer{frame.path(), timer, attempt, slot->second.due, span, std::move(reason)});
}

void Machine::disarm(Frame& frame, TimerKind timer) {
  if (frame.timers_ == 0) return;
  auto found = timers_.find({frame.path(), timer});
  if (found == timers_.end() || found->second.frame != &frame) return;
  timers_.erase(found);
  --frame.timers_;
}

void Machine::forget(Frame& frame) {
  withdraw(frame);
  ignore_signals(frame);
  if (!listeners_.empty()) listeners_.remove_if([&](const Listener& one) { return one.frame == &frame; });
  if (frame.queued_ > 0)
    for (Work& work : queue_)
      if (work.frame == &frame) work.frame = nullptr;
  if (frame.timers_ > 0)
    for (TimerKind timer : kTimerKinds) disarm(frame, timer);
  if (Flight* flight = flight_of(frame)) flight->frame = nullptr;
}

}  // namespace flowrun
