#include "engine/scenario/virtual_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/machine/machine_view.h"
#include "engine/model/entry_reading.h"
#include "engine/model/error.h"
#include "engine/steps/effect.h"

namespace flowrun {
namespace {

/// A run with more entries goes in circles.
constexpr std::size_t kMostEntries = 200'000;
constexpr Duration kLongestRun = std::chrono::hours(24 * 36525);

}  // namespace

VirtualRun::VirtualRun(const Workflow& workflow, Evaluator& evaluator, RunStarted started, World world, Instant now)
    : workflow_(workflow),
      evaluator_(evaluator),
      started_(std::move(started)),
      world_(std::move(world)),
      began_(now),
      now_(now),
      machine_(std::make_unique<Machine>(workflow, evaluator)),
      posted_(world_.signals.size()) {
  make_executor();
}

void VirtualRun::to_the_end() {
  for (std::size_t i = 0; i < world_.signals.size(); ++i)
    if (const World::Signal& signal = world_.signals[i]; signal.at && !signal.after) post(i, began_ + *signal.at);
  take(started_);
  commit();
  while (machine_->phase() != Machine::Phase::Ended) {
    const std::optional<Instant> next = next_instant();
    if (!next) never_ends();
    if (*next - began_ > kLongestRun)
      throw NoEnd("", "the run goes on for more than a century", "a poll, for example, whose answer never changes");
    now_ = *next;
    turn();
    if (entries_.size() > kMostEntries)
      throw NoEnd("", fmt::format("the run has made {} entries, and goes on", entries_.size()),
                  "a poll, for example, whose answer never changes");
  }
}

void VirtualRun::make_executor() {
  executor_ = std::make_unique<ScriptedExecutor>([this](const Task& task) { return ask(task); }, started_.jobs,
                                                 started_.cpus, now_);
}

Result VirtualRun::ask(const Task& task) {
  const Started& started = starts_.at(task.path);
  sent_.push_back({started.seq, now_, task});
  return dying_ ? Result() : world_.answer(task, started.nth, now_);
}

void VirtualRun::happened(const Event& event, bool late) {
  last_at_ = event.at;
  write(to_entry(event, late));
}

void VirtualRun::decide(Decision decision) {
  write(to_entry(decision, last_at_));
  commands_.emplace_back(entries_.back().seq, std::move(decision));
}

void VirtualRun::write(Entry entry) {
  entry.seq = static_cast<std::int64_t>(entries_.size()) + 1;
  entries_.push_back(std::move(entry));
  count(entries_.back());
}

void VirtualRun::count(const Entry& entry) {
  history_.add(entry);
  if (entry.kind == EntryKind::StartTask) {
    Started& started = starts_[entry.path];
    started.seq = entry.seq;
    started.again = as<StartTask>(entry).task.rerun > 0;
    if (!started.again) ++started.nth;
  } else if (entry.kind == EntryKind::TaskWithdrawn) {
    // The number goes to the attempt that does begin.
    if (Started& started = starts_[entry.path]; !started.again) --started.nth;
  } else if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled ||
             entry.kind == EntryKind::TimerFired) {
    ends_.push_back(entry.path);
  } else if (entry.kind == EntryKind::ItemsArrived) {
    const auto arrived = as<ItemsArrived>(entry);
    items_ += arrived.items.json().size();
    items_told_ = items_told_ || arrived.last;
  }
}

bool VirtualRun::take(Fact fact) {
  Event event{now_, std::move(fact)};
  const auto* ended = std::get_if<TaskEnded>(&event.fact);
  if (!ended || (!ended->result.again && ended->result.page == 0)) return machine_->take(std::move(event), *this);
  // What it means for its poll or its pages is said already.
  if (!machine_->expects(event)) return false;
  if (const Frame* frame = MachineView(*machine_).in_flight_at(ended->path)) {
    const auto* retry = dynamic_cast<const RetrySettings*>(&frame->step());
    const auto* effect = dynamic_cast<const Effect*>(&frame->step());
    if (ended->result.again && (!retry || !retry->poll))
      throw NoEnd(ended->path, fmt::format("step {} does not poll, so that `again` says nothing", ended->path));
    if (ended->result.page > 0 && (!effect || !effect->paginate))
      throw NoEnd(ended->path, fmt::format("step {} does not follow pages, so that `page` says nothing", ended->path));
  }
  happened(event, machine_->late(*ended));
  return machine_->apply(event, *this);
}

/// In the order of Run::turn.
void VirtualRun::turn() {
  std::vector<Event> happened;
  executor_->advance(now_, happened);
  for (Event& event : happened) take(std::move(event.fact));
  take_timers();
  take_mail();
  take_items();
  commit();
}

void VirtualRun::commit() {
  if (crashed_ < world_.crashes.size() && entries_.size() >= world_.crashes[crashed_].after)
    return crash(world_.crashes[crashed_++]);
  for (Command& command : std::exchange(commands_, {})) release(command.second);
  post_behind_ends();
  executor_->acted();
}

void VirtualRun::release(Decision& decision) {
  if (command(*executor_, decision)) return;
  if (const auto* timer = std::get_if<ArmTimer>(&decision.what)) {
    timers_.push({timer->due, timer->path, timer->timer, timer->due});
  } else if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
    post_for(*awaited);
  }
}

void VirtualRun::take_timers() {
  while (!timers_.empty() && timers_.top().at <= now_) {
    const VirtualTimer timer = timers_.top();
    timers_.pop();
    // An older timer of the same name may have been given up.
    if (machine_->timers().due(timer.path, timer.timer) != timer.due) continue;
    if (timer.timer == TimerKind::Wait) {
      // Whoever answered in time is heard first.
      take_mail(timer.due);
      if (machine_->timers().due(timer.path, timer.timer) != timer.due) continue;
    }
    take(TimerFired{timer.path, timer.timer});
  }
}

void VirtualRun::take_mail(std::optional<Instant> until) {
  while (!mail_.empty() && mail_.top().at <= now_ && (!until || mail_.top().at < *until)) {
    if (machine_->phase() != Machine::Phase::Running) return;
    const std::size_t number = mail_.top().number;
    mail_.pop();
    const auto seq = static_cast<std::int64_t>(entries_.size()) + 1;
    if (take(world_.signals[number].signal)) taken_[number] = seq;
  }
}

bool VirtualRun::has_items() const {
  const ItemStream* stream = machine_->stream();
  return stream && machine_->phase() == Machine::Phase::Running && !items_told_ && stream->wanted() > 0;
}

void VirtualRun::take_items() {
  while (has_items()) {
    ItemsArrived arrived;
    arrived.path = machine_->stream()->stream_path();
    Json values = Json::array();
    const std::size_t first = items_, last = std::min(first + machine_->stream()->wanted(), world_.items.size());
    for (std::size_t i = first; i < last; ++i) {
      const auto here = world_.items.begin() + static_cast<std::ptrdiff_t>(i);
      const auto nth = static_cast<int>(std::count(world_.items.begin(), here, *here)) + 1;
      if (nth > 1) arrived.repeated.push_back({static_cast<int>(values.size()), nth});
      values.push_back(*here);
    }
    arrived.items = Value(std::move(values));
    arrived.last = last == world_.items.size();
    if (!take(std::move(arrived))) items_told_ = true;  // nobody wants them
  }
}

void VirtualRun::post(std::size_t number, Instant at) {
  posted_[number] = true;
  mail_.push({at, number});
}

void VirtualRun::post_for(const SignalAwaited& awaited) {
  for (std::size_t i = 0; i < world_.signals.size(); ++i) {
    const World::Signal& one = world_.signals[i];
    const bool meant = one.signal.name == awaited.name && (one.signal.path.empty() || one.signal.path == awaited.path);
    if (posted_[i] || one.at || one.after || !meant) continue;
    return post(i, now_);
  }
}

void VirtualRun::post_behind_ends() {
  for (const std::string& path : std::exchange(ends_, {})) {
    const StepHistory* step = history_.find(path);
    if (!step || !is_terminal(step->state)) continue;
    for (std::size_t i = 0; i < world_.signals.size(); ++i)
      if (const World::Signal& one = world_.signals[i]; !posted_[i] && one.after && one.after(path))
        post(i, now_ + one.at.value_or(Duration{0}));
  }
}

std::optional<Instant> VirtualRun::next_instant() const {
  std::optional<Instant> next = executor_->next();
  const auto sooner = [&](Instant at) { next = next ? std::min(*next, at) : at; };
  if (!timers_.empty()) sooner(timers_.top().at);
  if (!mail_.empty()) sooner(mail_.top().at);
  if (has_items()) sooner(now_);
  if (next) next = std::max(*next, now_);
  return next;
}

std::vector<std::string> VirtualRun::in_line(std::size_t until) const {
  std::vector<std::string> paths;
  for (const InFlight& flight : machine_->in_flight()) {
    if (!flight.wanted || flight.attempt == 0) continue;
    const std::int64_t seq = starts_.at(flight.path).seq;
    const bool begun = std::any_of(sent_.begin(), sent_.end(), [&](const Sent& sent) { return sent.seq == seq; });
    if (!begun && seq <= static_cast<std::int64_t>(until)) paths.push_back(flight.path);
  }
  return paths;
}

void VirtualRun::keep(std::size_t count) {
  std::vector<Entry> kept(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count));
  entries_.clear();
  history_ = {};
  starts_.clear();
  items_ = 0;
  items_told_ = false;
  for (Entry& entry : kept) {
    entries_.push_back(std::move(entry));
    this->count(entries_.back());
  }
  // The mailbox is not part of the batch: what was taken out of it after that is in it still.
  for (auto one = taken_.begin(); one != taken_.end();) {
    if (one->second <= static_cast<std::int64_t>(count)) {
      ++one;
    } else {
      mail_.push({now_, one->first});
      one = taken_.erase(one);
    }
  }
}

void VirtualRun::crash(const World::Crash& crash) {
  // What is written may have been done by now, and is taken to be: that is the worse case.
  dying_ = true;
  for (Command& command : std::exchange(commands_, {}))
    if (command.first <= static_cast<std::int64_t>(crash.after)) release(command.second);
  dying_ = false;
  std::vector<std::string> queued = in_line(crash.after);
  keep(crash.after);
  timers_ = {};
  now_ += crash.down;
  make_executor();
  RecordedRun recorded;
  recorded.id = started_.id;
  recorded.read = [this](std::int64_t from) {
    const auto first = std::min(static_cast<std::size_t>(from - 1), entries_.size());
    return std::vector<Entry>(entries_.begin() + static_cast<std::ptrdiff_t>(first), entries_.end());
  };
  Replayed replayed = replay(recorded, workflow_, evaluator_);
  resume(crash, std::move(replayed), std::move(queued));
}

void VirtualRun::resume(const World::Crash& crash, Replayed replayed, std::vector<std::string> queued) {
  machine_ = std::move(replayed.machine);
  last_at_ = replayed.last_at;
  replay_then_live_ = std::move(replayed.evaluator);
  RunResumed resumed;
  // First what the crash kept out of the journal: it follows from what is in it.
  for (Decision& decision : replayed.missing) {
    if (const auto* start = std::get_if<StartTask>(&decision.what)) resumed.unbegun.push_back(start->task.path);
    decide(std::move(decision));
  }
  std::erase_if(commands_,
                [](const Command& command) { return std::holds_alternative<ReservePlace>(command.second.what); });
  if (machine_->phase() == Machine::Phase::Ended) return commit();
  const auto is_in = [](const std::vector<std::string>& paths, const std::string& path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  for (const InFlight& flight : machine_->in_flight())
    if (crash.on_crash == OnCrash::Default && flight.on_crash == OnCrash::Ask && flight.wanted && flight.attempt > 0 &&
        !is_in(resumed.unbegun, flight.path) && !is_in(queued, flight.path))
      throw NoEnd(flight.path, fmt::format("step {} was cut off by the crash, and asks what became of it", flight.path),
                  "answer it in the crash: { after: N, on_crash: rerun }, or fail");
  resumed.token = fmt::format("t{}", crashed_ + 1);
  resumed.down = crash.down;
  resumed.on_crash = crash.on_crash;
  resumed.queued = std::move(queued);
  resumed.secrets = started_.secrets;
  take(std::move(resumed));
  // Timers are armed by their dates: what is left of each is never more than it was.
  std::erase_if(commands_,
                [](const Command& command) { return std::holds_alternative<ArmTimer>(command.second.what); });
  for (const PendingTimer& timer : machine_->timers().pending()) {
    const Duration rest = std::clamp(timer.due - now_, Duration{0}, timer.span);
    timers_.push({now_ + rest, timer.path, timer.timer, timer.due});
  }
  commit();
}

void VirtualRun::never_ends() const {
  if (const std::vector<std::string> waiting = machine_->signals().awaiting_paths(); !waiting.empty()) {
    const StepHistory* step = history_.find(waiting.front());
    const std::string name = step ? step->signal : "";
    throw NoEnd(waiting.front(),
                fmt::format("the run waits at {} for the signal `{}`, and nobody sends it", waiting.front(), name),
                fmt::format("add to the scenario: signals: [{{ name: {} }}]", name));
  }
  throw Error(Problem::Internal,
              fmt::format("the run can not end: {}", fmt::join(MachineView(*machine_).stuck(), "; ")));
}

}  // namespace flowrun
