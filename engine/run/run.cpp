#include "engine/run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "engine/journal/typed_command.h"
#include "engine/machine/machine_view.h"
#include "engine/model/fault.h"
#include "engine/model/path.h"
#include "engine/restate/remote_executor.h"
#include "engine/run/clocks.h"
#include "engine/run/mailbox.h"

namespace flowrun {
namespace {

// A turn ends here even in the middle of what one event causes, so that a batch stays small: rule 1 of
// engine/README.md.
constexpr std::size_t kMostEntries = 1000;
constexpr std::size_t kMostBatchBytes = 4 << 20;
constexpr std::chrono::milliseconds kMostTime{100};  // expressions may take seconds each
constexpr Duration kHeartbeat{10000};                // how exact the time of a crash is known
// More may follow at once, and one commit for all of them costs less than one for each.
constexpr std::chrono::microseconds kLinger{300};
constexpr int kLingers = 10;          // in a row, each longer than the one before: 16 ms in all
constexpr std::size_t kEnough = 64;   // of ends: little is gained by waiting for more
constexpr Duration kMailRound{100};   // how often the mailbox is looked into
constexpr Duration kTold{1000};       // frozen for so long is news in any case
constexpr Duration kDiskRetry{1000};  // how often a full disk is tried again
constexpr int kMostFed = 16;          // batches of items in a turn, so that a signal is heard soon

}  // namespace

/// Lets the machine stream facts and decisions into the batch.
class Run::Sink : public EventSink {
 public:
  explicit Sink(Run& run) : run_(run) {}
  void happened(const Event& event, bool late) override {
    run_.last_at_ = event.at;
    const std::int64_t seq = run_.write(to_entry(event, late));
    Memo* const memo = run_.memo_.get();
    if (!memo) return;
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact)) memo->written(*ended, seq, event.at, late);
    if (const auto* withdrawn = std::get_if<TaskWithdrawn>(&event.fact))
      memo->left(withdrawn->path, withdrawn->attempt);
    if (const auto* interrupted = std::get_if<TaskInterrupted>(&event.fact))
      memo->left(interrupted->path, interrupted->attempt);
  }
  void decide(Decision decision) override { run_.accept(std::move(decision)); }

 private:
  Run& run_;
};

Run::Run(Journal& journal, Loaded loaded, Observer observer)
    : journal_(journal), loaded_(std::move(loaded)), observer_(std::move(observer)) {
  // Before the first entry, so that no step waits for it.
  if (loaded_.http) prepare_http();
}

Run::~Run() = default;

bool Run::turn(Duration patience) {
  if (at_rest()) {
    if (batch_.empty()) return rest(), false;
    patience = std::min(patience, kDiskRetry);
  }
  make_executor();
  begin_feed();
  const ItemStream* stream = machine_->stream();
  if (stream && feed_ && stream->wanted() > 0 && feed_->has_some()) patience = Duration{0};
  Duration until = disk_full_ ? std::min(patience, kDiskRetry) : until_due(std::min(patience, kMailRound));
  executor_->wait(happened_, happened_.empty() && !(memo_ && memo_->has_come()) ? until : Duration{0});
  linger();
  take_memo();
  // With a full disk results are held as they are: nothing may follow from what can not be written.
  if (disk_full_ && !commit()) return true;
  take_frozen();
  std::vector<Event> happened;
  happened.swap(happened_);
  for (Event& event : happened) take(std::move(event));
  take_timers();
  take_mail();
  take_items();
  if (commit()) executor_->acted();
  if (happened_.empty()) check_goes_on();
  if (!disk_full_ && wall_clock() - heartbeat_at_ > kHeartbeat) {
    heartbeat_at_ = wall_clock();
    journal_.beat(heartbeat_at_);
  }
  if (!at_rest() || !batch_.empty()) return true;
  rest();
  return false;
}

bool Run::at_rest() const {
  const Machine::Phase phase = machine_->phase();
  return phase == Machine::Phase::Ended || phase == Machine::Phase::Suspended;
}

void Run::rest() {
  // The next who has the key finds what this one has brought.
  if (memo_) memo_->rest();
  key_.reset();
}

void Run::check_goes_on() const {
  const std::vector<std::string> open = MachineView(*machine_).stuck();
  if (open.empty()) return;
  std::string paths;
  for (std::size_t i = 0; i < std::min<std::size_t>(open.size(), 10); ++i) paths += (i > 0 ? ", " : "") + open[i];
  if (open.size() > 10) paths += fmt::format(" and {} more", open.size() - 10);
  throw Error(Problem::Internal,
              fmt::format("run {} can not end: nothing is in flight, due or awaited, and these are open: {}. This is a "
                          "mistake of flowrun; `{}` ends the run, `{}` takes its results over",
                          record_.id, paths, typed_command({"cancel", record_.id}, journal_.path()),
                          typed_command({"fork", record_.id}, journal_.path())));
}

void Run::linger() {
  // Only while started work waits for a place, so that no place idles meanwhile, and as long as something ends.
  int idle = 0;
  for (int i = 0; i < kLingers && idle < 3 && !happened_.empty() && happened_.size() < kEnough; ++i) {
    if (executor_->ahead() == 0 || until_due(kMailRound).count() == 0) return;
    const std::size_t before = happened_.size();
    std::this_thread::sleep_for(kLinger * (i + 1));
    executor_->wait(happened_, Duration{0});
    idle = happened_.size() > before ? 0 : idle + 1;
  }
}

bool Run::ask(const std::variant<SuspendRequested, CancelRequested>& what) {
  if (std::holds_alternative<CancelRequested>(what) && !machine_->can_be_cancelled()) return false;
  const bool taken = std::visit([&](const auto& request) { return take({{}, request}); }, what);
  if (taken) commit();
  return taken;
}

void Run::interrupt(std::optional<Duration> most) {
  interrupting_ = true;
  if (memo_) memo_->stop_all(most.has_value());
  if (executor_) executor_->stop_all(most);
}

std::vector<Leftover> Run::left_behind() const {
  if (!executor_) return {};
  std::vector<Leftover> left = flowrun::left_behind(machine_->run().token);
  for (Leftover& leftover : left) leftover.command = secrets_.mask().text(leftover.command);
  return left;
}

void Run::wake() {
  if (executor_) executor_->wake();
}

Run::Backlog Run::backlog() const {
  Backlog backlog;
  if (executor_) backlog = {executor_->in_line(), executor_->in_shared_line(), 0, {}, executor_->trouble()};
  if (memo_) backlog.looked_for = memo_->looked_for();
  if (!disk_full_) return backlog;
  std::vector<std::string>& paths = backlog.unwritten.emplace();
  for (const Entry& entry : batch_)
    if (entry.kind == EntryKind::TaskEnded) paths.push_back(entry.path);
  for (const Event& event : happened_)
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact)) paths.push_back(ended->path);
  return backlog;
}

void Run::make_executor() {
  if (executor_) return;
  const RunStarted& run = machine_->run();
  if (!run.on.empty()) {
    restate::RemoteOptions remote;
    remote.place = restate::place_from(run.on, "on");
    remote.run_id = run.id;
    remote.folder = run.folder;
    remote.file = loaded_.file;
    remote.secrets = loaded_.secrets;
    remote.begun = begun_calls_;
    executor_ = restate::make_remote_executor(std::move(remote));
    return;
  }
  ExecutorOptions options;
  options.jobs = run.jobs;
  options.cpus = run.cpus;
  options.run_id = run.id;
  options.token = run.token;
  options.run_dir = run.run_dir;
  options.shared_file = shared_file_of(journal_.path());
  if (key_) options.held.push_back(key_->held_by(run.id));
  options.secrets = &secrets_;
  options.secret_outputs = !loaded_.secret_outputs.empty();
  executor_ = make_worker_pool(options);
  for (const auto& [path, task] : std::exchange(secret_tasks_, {})) executor_->remember(task);
}

bool Run::take(Event event) {
  event.at = std::max(wall_clock(), last_at_);
  if (auto* ended = std::get_if<TaskEnded>(&event.fact)) {
    Result& result = ended->result;
    // As a replay will read it: somebody may have set the clock back, and what was taken over did not run now.
    result.began = result.is_taken() ? Instant{} : std::min(result.began, event.at);
    if (!result.is_taken() && machine_->late(*ended)) result.memo.reset();
    if (interrupting_ && result.failure && result.failure->type == "cancelled" && !machine_->late(*ended))
      event.fact = TaskInterrupted{ended->path, ended->attempt};
  }
  Sink sink(*this);
  const std::string written =
      memo_ && std::holds_alternative<TaskEnded>(event.fact) ? std::get<TaskEnded>(event.fact).path : std::string();
  const bool taken = machine_->take(std::move(event), sink);
  if (!written.empty()) {
    // It may have been tried again, or stood in for, without an entry that says so.
    const std::optional<Settled> step = MachineView(*machine_).look(written);
    memo_->settled(written, !step || step->state == State::Succeeded);
  }
  return taken;
}

void Run::take_frozen() {
  const Duration lost = executor_->lost();
  if (lost == lost_) return;
  const Duration span = lost - std::exchange(lost_, lost);
  // What has ended meanwhile is older than any timer that is due now.
  executor_->catch_up();
  executor_->wait(happened_, Duration{0});
  if (machine_->timers().limit_work() || span >= kTold) take({{}, RunFrozen{span}});
  std::vector<Due> all;
  for (; !timers_.empty(); timers_.pop()) all.push_back(timers_.top());
  for (Due& due : all) {
    if (is_limit_of_work(due.timer)) {
      due.at += span.count();
      due.due += span;
    }
    timers_.push(std::move(due));
  }
}

void Run::take_timers() {
  std::int64_t now = boot_clock();
  // Frozen since this turn began: first the next turn takes that in.
  if (executor_->lost() != lost_) return;
  while (!timers_.empty() && timers_.top().at <= now) {
    Due due = timers_.top();
    timers_.pop();
    // An older timer of the same name may have been given up.
    if (machine_->timers().due(due.path, due.timer) != due.due) continue;
    if (due.timer == TimerKind::Wait) {
      // Whoever answered in time is heard first; while the run is being suspended, by the next drive.
      if (machine_->suspending()) continue;
      take_mail(due.due);
      if (machine_->timers().due(due.path, due.timer) != due.due) continue;
    }
    take({{}, TimerFired{due.path, due.timer}});
  }
}

void Run::take_mail(std::optional<Instant> until) {
  // What comes while the run is being suspended waits for the next drive.
  if (machine_->phase() != Machine::Phase::Running || machine_->suspending()) return;
  for (Journal::Mail& mail : journal_.mail(last_mail_)) {
    last_mail_ = mail.id;
    mail_.push_back(std::move(mail));
  }
  while (!mail_.empty() && (!until || mail_.front().at < *until)) {
    Journal::Mail mail = std::move(mail_.front());
    mail_.pop_front();
    update_.consumed.push_back(mail.id);
    if (auto request = request_of(mail)) std::visit([this](auto& fact) { take({{}, std::move(fact)}); }, *request);
  }
}

void Run::begin_feed() {
  if (!feed_ || std::exchange(fed_, true)) return;
  feed_->begin([this] { wake(); });
  // A stream that was at its end goes on, before what is in flight can end it: there may be more input than the last
  // drive had.
  const ItemStream* stream = machine_->stream();
  if (stream && !stream->is_open() && machine_->phase() == Machine::Phase::Running && !machine_->suspending())
    take({{}, ItemsArrived{stream->stream_path(), Value(Json::array())}});
}

void Run::take_items() {
  // Those that come while the run is being suspended are read again by the next drive.
  if (!feed_ || machine_->phase() != Machine::Phase::Running || machine_->suspending() || disk_full_) return;
  for (int i = 0; i < kMostFed; ++i) {
    const ItemStream* stream = machine_->stream();
    const std::size_t wanted = stream ? stream->wanted() : 0;
    if (wanted == 0) return;
    std::optional<ItemsArrived> arrived = feed_->take(wanted);
    if (!arrived) return;
    arrived->path = stream->stream_path();
    take({{}, *std::move(arrived)});
  }
}

void Run::accept(Decision decision) {
  const std::int64_t seq = write(to_entry(decision, last_at_));
  // Only who acts is told: what is journaled, and compared, is the same in any trace.
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    start->task.traceparent = traceparent_of(start->task, seq);
    start->task.call = call_names_.of(machine_->run().seed, start->task.path);
  }
  if (const auto* settled = std::get_if<StepSettled>(&decision.what);
      memo_ && settled && (settled->outcome.state != State::Succeeded || settled->reason == "fallback"))
    memo_->settled(settled->path, false);
  if (std::holds_alternative<RunSuspended>(decision.what)) update_.state = RunState::Suspended;
  if (const auto* end = std::get_if<RunEnded>(&decision.what)) {
    update_.state = run_state_from(end->outcome.state);
    update_.output = end->outcome.output;
    if (end->outcome.failure) update_.error = Value(to_json(*end->outcome.failure));
    update_.ended_at = last_at_;
  }
  commands_.push_back(std::move(decision));
  if (disk_full_) return;
  const bool late = std::chrono::steady_clock::now() - batch_since_ > kMostTime;
  const Journal::Pending pending = journal_.pending();
  if (late || pending.entries >= kMostEntries || pending.bytes >= kMostBatchBytes) commit();
}

std::int64_t Run::write(Entry entry) {
  if (batch_.empty()) batch_since_ = std::chrono::steady_clock::now();
  entry.seq = journal_.append(entry);
  call_names_.see(entry);
  batch_.push_back(std::move(entry));
  return batch_.back().seq;
}

std::string Run::traceparent_of(const Task& task, std::int64_t seq) {
  const RunStarted& run = machine_->run();
  if (!tracing_.recorded && tracing_.traceparent.empty() && run.traceparent.empty()) return "";
  if (!trace_) trace_.emplace(run);
  return trace_->traceparent(tracing_, task, seq);
}

bool Run::commit() {
  if (batch_.empty()) return true;
  fault_point("before_commit");
  try {
    journal_.commit(update_, std::max(wall_clock(), last_at_));
  } catch (const DiskFull&) {
    disk_full_ = true;
    return false;
  }
  fault_point("after_commit");
  if (memo_) memo_->keep();
  disk_full_ = false;
  update_ = {};
  std::vector<Entry> durable;
  durable.swap(batch_);
  std::vector<Decision> released;
  released.swap(commands_);
  // The first words of a drive, its id among them, come before its first effect; later ones must not hold effects up.
  bool first = std::exchange(silent_, false);
  auto tell = [&] {
    if (observer_)
      for (const Entry& entry : durable) observer_(entry);
  };
  if (first) tell();
  for (Decision& decision : released) release(decision);
  if (!first) tell();
  return true;
}

void Run::release(Decision& decision) {
  if (const auto* start = std::get_if<StartTask>(&decision.what); reuse_ && start && start->task.secret_output) {
    make_executor();
    executor_->remember(start->task);  // the old run has done it, and its output is nowhere
  }
  if (reuse_result(decision)) return;
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    if (start->task.memo) {
      const std::string& path = start->task.path;
      const bool anew = (!retried_.empty() && is_below(path, retried_)) || (reuse_ && reuse_->asked_anew(path));
      return memo().look(std::move(start->task), anew, std::max(wall_clock(), last_at_));
    }
    make_executor();
    executor_->begin(std::move(start->task));
  } else if (const auto* reserve = std::get_if<ReservePlace>(&decision.what)) {
    make_executor();
    executor_->reserve(*reserve);
  } else if (const auto* stop = std::get_if<StopTask>(&decision.what)) {
    if (memo_ && memo_->stop(stop->path, stop->attempt)) return;
    if (executor_) executor_->stop(stop->path, stop->attempt);
  } else if (const auto* withdraw = std::get_if<WithdrawWaiting>(&decision.what)) {
    if (memo_) memo_->withdraw(withdraw->path);
    if (executor_) executor_->withdraw(withdraw->path);
  } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what)) {
    timers_.push({boot_clock() + timer->span.count(), timer->due, timer->path, timer->timer});
  }
}

Duration Run::until_due(Duration most) const {
  if (timers_.empty()) return most;
  return std::clamp(Duration(timers_.top().at - boot_clock()), Duration{0}, most);
}

}  // namespace flowrun
