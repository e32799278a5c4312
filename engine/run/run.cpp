#include "engine/run/run.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <ctime>
#include <fstream>
#include <map>
#include <thread>

#include "engine/executor/line_file.h"
#include "engine/executor/run_folder.h"
#include "engine/journal/typed_command.h"
#include "engine/machine/machine_view.h"
#include "engine/model/fault.h"
#include "engine/run/mailbox.h"
#include "engine/run/reopen.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

// A turn ends here even in the middle of what one event causes, so that a batch stays small: rule 1 of
// engine/README.md.
constexpr std::size_t kMostEntries = 1000;
constexpr std::size_t kMostBytes = 4 << 20;
constexpr std::chrono::milliseconds kMostTime{100};  // expressions may take seconds each
constexpr Duration kHeartbeat{10000};                // how exact the time of a crash is known
// More may follow at once, and one commit for all of them costs less than one for each.
constexpr std::chrono::microseconds kLinger{300};
constexpr int kLingers = 10;          // in a row, each longer than the one before: 16 ms in all
constexpr std::size_t kEnough = 64;   // of ends: little is gained by waiting for more
constexpr Duration kMailRound{100};   // how often the mailbox is looked into
constexpr Duration kTold{1000};       // frozen for so long is news in any case
constexpr Duration kDiskRetry{1000};  // how often a full disk is tried again

Instant wall_clock() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

// Runs on while the machine sleeps, and does not jump when somebody sets the clock.
std::int64_t boot_clock() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

std::string random_hex(std::size_t bytes) {
  std::string hex;
  while (bytes-- > 0) {
    unsigned char byte = 0;
    if (getrandom(&byte, 1, 0) != 1) throw Error(Problem::Internal, "no random numbers from the kernel");
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

/// NAME-YYYYMMDD-HHMMSS-xxxx with four characters of Crockford's base32.
std::string made_up_id(const std::string& name, Instant at) {
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y%m%d-%H%M%S", &utc);
  unsigned char random[4]{};
  if (getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
    throw Error(Problem::Internal, "no random numbers from the kernel");
  std::string tail;
  for (unsigned char byte : random) tail += kDigits[byte % 32];
  return fmt::format("{}-{}-{}", name, date, tail);
}

std::string first_line(const char* file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

struct HostIdentity {
  std::string host, boot_id, pid_namespace;
};

HostIdentity host_identity() {
  char host[HOST_NAME_MAX + 1]{};
  gethostname(host, sizeof host - 1);
  char space[64]{};
  if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = 0;
  return {host, first_line("/proc/sys/kernel/random/boot_id"), space};
}

int cpu_count() {
  unsigned cpus = std::thread::hardware_concurrency();
  return cpus > 0 ? static_cast<int>(cpus) : 1;
}

}  // namespace

/// Lets the machine stream facts and decisions into the batch.
class Run::Sink : public EventSink {
 public:
  explicit Sink(Run& run) : run_(run) {}
  void happened(const Event& event, bool late) override {
    run_.last_at_ = event.at;
    run_.write(to_entry(event, late));
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

std::unique_ptr<Run> Run::start(Journal& journal, Loaded loaded, ResolvedInputs inputs, const StartOptions& options,
                                std::unique_ptr<Evaluator> evaluator, Observer observer, Stop stop) {
  std::unique_ptr<Run> run(new Run(journal, std::move(loaded), std::move(observer)));
  run->stop_ = std::move(stop);
  run->evaluator_ = std::move(evaluator);
  run->read_secrets(run->loaded_.folder);
  RunStarted started;
  started.forked_of = options.forked_of;
  started.forked_from = options.forked_from;
  run->reuse_ = reuse_for(journal, started, run->loaded_.workflow);
  Instant now = wall_clock();
  RunRecord& record = run->record_;
  record.name = run->loaded_.workflow.name;
  record.state = RunState::Running;
  record.file = run->loaded_.file;
  record.started_at = record.alive_at = now;
  record.input = inputs.inputs;
  for (int tries = 0;; ++tries) {
    record.id = options.id.empty() ? made_up_id(record.name, now) : options.id;
    RunFolder(journal.run_dir(record.id)).check();
    if (journal.create(record, run->loaded_.text)) break;
    // Who was killed between the row of a run and its first entry has started nothing: the id is free to be used.
    auto empty = journal.find_exact(record.id);
    if (empty && empty->last_seq == 0 && !options.id.empty() &&
        journal.source(empty->source_hash) == run->loaded_.text) {
      record = *empty;
      journal.lock(record);
      break;
    }
    if (!options.id.empty() || tries == 20)
      throw Error(Problem::Impossible,
                  fmt::format("there is a run `{}` already; resume it or choose another --id", record.id));
  }

  const HostIdentity self = host_identity();
  started.semantics = Machine::kSemantics;
  started.id = record.id;
  started.name = record.name;
  started.source_hash = record.source_hash;
  for (const auto& [path, text] : run->loaded_.sources) started.sources[path] = journal.keep_source(text);
  started.seed = random_hex(16);
  started.token = random_hex(16);
  started.inputs = std::move(inputs.inputs);
  started.vars = std::move(inputs.vars);
  started.sub_inputs = std::move(inputs.sub_inputs);
  started.file = run->loaded_.file;
  started.folder = run->loaded_.folder;
  started.run_dir = journal.run_dir(record.id);
  started.host = self.host;
  started.boot_id = self.boot_id;
  started.pid_namespace = self.pid_namespace;
  started.cpus = cpu_count();
  started.concurrency = options.concurrency;
  started.jobs = options.jobs;
  started.output_log = 1;
  started.fail_fast = options.fail_fast;
  started.timeout = options.timeout;
  started.secrets = run->secrets_.marks(started.seed);
  started.measured = true;

  run->machine_ = std::make_unique<Machine>(run->loaded_.workflow, *run->evaluator_);
  run->heartbeat_at_ = now;
  run->tokens_.push_back(started.token);
  run->take({now, std::move(started)});
  if (!run->commit()) throw Error(Problem::Journal, "the disk is full; nothing was started");
  return run;
}

std::unique_ptr<Run> Run::take_over(Journal& journal, const RunRecord& record, Loaded loaded,
                                    std::unique_ptr<Evaluator> evaluator, Observer observer, const RetryOptions* retry,
                                    Stop stop) {
  std::unique_ptr<Run> run(new Run(journal, std::move(loaded), std::move(observer)));
  run->stop_ = std::move(stop);
  run->evaluator_ = std::move(evaluator);
  run->record_ = record;
  journal.lock(run->record_);
  RunFolder(journal.run_dir(record.id)).check();
  // What the row said before we had the lock may be old.
  if (auto fresh = journal.find_exact(record.id)) run->record_ = *fresh;
  ReplayOptions replaying;
  if (retry) replaying.foresight.add(retry->fact());
  Replayed replayed = replay(journal, run->record_, run->loaded_.workflow, *run->evaluator_, replaying);
  if (replayed.entries == 0)
    throw Error(Problem::Impossible,
                fmt::format("run {} was cut off before its first entry: nothing was started; run the workflow again",
                            record.id));
  run->replay_then_live_ = std::move(replayed.evaluator);
  run->machine_ = std::move(replayed.machine);
  run->missing_ = std::move(replayed.missing);
  run->tokens_ = std::move(replayed.tokens);
  run->last_at_ = replayed.last_at;
  const LeftInLine line(journal.run_dir(record.id), run->tokens_.back());
  for (const InFlight& flight : run->machine_->in_flight())
    if (flight.wanted && flight.attempt > 0 && line.holds(flight.path, flight.attempt))
      run->queued_.insert(flight.path);
  run->reuse_ = reuse_for(journal, run->machine_->run(), run->loaded_.workflow);
  if (run->reuse_) run->reuse_->skip_done(journal, run->record_);
  return run;
}

std::vector<InFlight> Run::cut_off() const {
  std::vector<InFlight> flights = machine_->in_flight();
  std::erase_if(flights, [&](const InFlight& flight) {
    bool unbegun = std::any_of(missing_.begin(), missing_.end(), [&](const Decision& decision) {
      const auto* start = std::get_if<StartTask>(&decision.what);
      return start && start->task.path == flight.path;
    });
    return !flight.wanted || flight.attempt == 0 || unbegun || queued_.count(flight.path) > 0;
  });
  return flights;
}

std::vector<OpenQuestion> Run::questions(const ResumeOptions& options) const {
  std::vector<OpenQuestion> open;
  if (options.on_crash != OnCrash::Default) return open;
  for (const InFlight& flight : cut_off()) {
    bool marked = std::any_of(options.marks.begin(), options.marks.end(),
                              [&](const Mark& mark) { return mark.path == flight.path; });
    if (flight.on_crash == OnCrash::Ask && !marked)
      open.push_back({flight.path, flight.attempt, flight.started_at, flight.interrupted});
  }
  return open;
}

void Run::read_secrets(const std::string& folder) {
  secrets_ = Secrets(loaded_.secrets, folder, loaded_.file, stop_);
  if (loaded_.ignored_lints.count("W323")) return;
  for (const std::string& name : secrets_.unmasked())
    notes_.push_back(
        fmt::format("warning[W323]: secret {} has less than {} characters: it is not masked in output, "
                    "answers and messages",
                    name, Mask::kShortest));
}

std::vector<SecretMark> Run::mark_secrets() {
  const RunStarted& run = machine_->run();
  std::vector<SecretMark> marks = secrets_.marks(run.seed);
  for (const SecretMark& now : marks)
    for (const SecretMark& before : run.secrets)
      if (now.name == before.name && now != before)
        notes_.push_back(fmt::format("warning: secret {} {}", now.name,
                                     now.absent      ? "is not there any more; it is null from here on"
                                     : before.absent ? "was not there before; it is from here on"
                                                     : "has changed since the run was last driven"));
  return marks;
}

std::string Run::moved_folder() const {
  const std::string folder = journal_.run_dir(record_.id);
  return folder == run_dir() ? "" : folder;
}

void Run::resume(const ResumeOptions& options) {
  // A run that is to run nothing more can be ended without them.
  const bool acts = !options.cancel || !options.cancel->now;
  if (acts) read_secrets(options.workdir.empty() ? machine_->run().folder : options.workdir);
  std::vector<std::string> in_flight;
  Duration grace{5000};
  for (const InFlight& flight : machine_->in_flight()) in_flight.push_back(flight.path);
  // Whatever the dead drive left running must be gone before anything is repeated.
  leftovers_ = end_leftovers(tokens_, in_flight, grace);
  for (Leftover& leftover : leftovers_) leftover.command = secrets_.mask().text(leftover.command);

  // First what the crash kept out of the journal: it follows from what is in it.
  RunResumed resumed;
  for (Decision& decision : missing_) {
    if (const auto* start = std::get_if<StartTask>(&decision.what)) resumed.unbegun.push_back(start->task.path);
    accept(std::move(decision));
  }
  missing_.clear();
  std::erase_if(commands_,
                [](const Decision& decision) { return std::holds_alternative<ReservePlace>(decision.what); });
  if (machine_->phase() == Machine::Phase::Ended) {
    commit();
    return;
  }
  const HostIdentity self = host_identity();
  Instant now = std::max(wall_clock(), last_at_);
  resumed.token = random_hex(16);
  resumed.down = std::max(Duration{0}, now - std::max(record_.alive_at, last_at_));
  resumed.on_crash = options.on_crash;
  resumed.marks = options.marks;
  // Of a run that is to end nothing begins anyway.
  if (!options.cancel) resumed.queued.assign(queued_.begin(), queued_.end());
  resumed.cancel = options.cancel;
  resumed.jobs = options.jobs;
  resumed.folder = options.workdir;
  resumed.run_dir = moved_folder();
  resumed.host = self.host;
  resumed.boot_id = self.boot_id;
  resumed.pid_namespace = self.pid_namespace;
  if (acts) resumed.secrets = mark_secrets();
  tokens_.push_back(resumed.token);
  heartbeat_at_ = now;
  update_ = {};
  update_.state = RunState::Running;
  take({now, std::move(resumed)});
  if (options.cancel)
    std::erase_if(commands_, [&](const Decision& decision) {
      const auto* start = std::get_if<StartTask>(&decision.what);
      return start && !MachineView(*machine_).in_flight_at(start->task.path);
    });
  // Timers are armed here, by their dates: what is left of each is measured once against the wall clock, and is never
  // more than it was.
  std::erase_if(commands_, [](const Decision& decision) { return std::holds_alternative<ArmTimer>(decision.what); });
  timers_ = {};
  for (const PendingTimer& timer : machine_->timers().pending()) {
    Duration rest = std::clamp(timer.due - now, Duration{0}, timer.span);
    timers_.push({boot_clock() + rest.count(), timer.due, timer.path, timer.timer});
  }
  commit();
}

RunReopened RetryOptions::fact() const {
  RunReopened reopened;
  reopened.path = path;
  reopened.exact = true;
  reopened.failed = failed;
  reopened.marks = marks;
  reopened.jobs = jobs;
  return reopened;
}

void Run::retry(const RetryOptions& options) {
  check_retry(*machine_, loaded_.workflow, record_.id, journal_.path(), options.fact(),
              [&] { return paths_of(journal_, record_); });
  read_secrets(machine_->run().folder);
  RunReopened reopened = options.fact();
  reopened.secrets = mark_secrets();
  reopened.token = random_hex(16);
  reopened.run_dir = moved_folder();
  tokens_.push_back(reopened.token);
  heartbeat_at_ = wall_clock();
  update_.state = RunState::Running;
  update_.reopened = true;
  take({wall_clock(), std::move(reopened)});
  commit();
}

void Run::undo(const std::string& by) {
  read_secrets(machine_->run().folder);
  mark_secrets();  // for the notes
  UndoRequested undo;
  undo.token = random_hex(16);
  undo.by = by;
  undo.run_dir = moved_folder();
  tokens_.push_back(undo.token);
  heartbeat_at_ = wall_clock();
  update_.state = RunState::Running;
  update_.reopened = true;
  take({wall_clock(), std::move(undo)});
  commit();
}

bool Run::turn(Duration patience) {
  if (machine_->phase() == Machine::Phase::Ended || machine_->phase() == Machine::Phase::Suspended) {
    if (batch_.empty()) return false;
    patience = std::min(patience, kDiskRetry);
  }
  make_executor();
  Duration until = disk_full_ ? std::min(patience, kDiskRetry) : until_due(std::min(patience, kMailRound));
  executor_->wait(happened_, happened_.empty() ? until : Duration{0});
  linger();
  // With a full disk results are held as they are: nothing may follow from what can not be written.
  if (disk_full_ && !commit()) return true;
  take_frozen();
  std::vector<Event> happened;
  happened.swap(happened_);
  for (Event& event : happened) take(std::move(event));
  take_timers();
  take_mail();
  if (commit()) executor_->acted();
  if (happened_.empty()) check_goes_on();
  if (!disk_full_ && wall_clock() - heartbeat_at_ > kHeartbeat) {
    heartbeat_at_ = wall_clock();
    journal_.beat(heartbeat_at_);
  }
  return (machine_->phase() != Machine::Phase::Ended && machine_->phase() != Machine::Phase::Suspended) ||
         !batch_.empty();
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

void Run::suspend(int signal) {
  if (take({{}, SuspendRequested{signal}})) commit();
}

void Run::interrupt(std::optional<Duration> most) {
  interrupting_ = true;
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

std::vector<std::string> Run::unwritten() const {
  std::vector<std::string> paths;
  for (const Entry& entry : batch_)
    if (entry.kind == EntryKind::TaskEnded) paths.push_back(entry.path);
  for (const Event& event : happened_)
    if (const auto* ended = std::get_if<TaskEnded>(&event.fact)) paths.push_back(ended->path);
  return paths;
}

std::optional<Instant> Run::next_timer() const {
  std::optional<Instant> next;
  for (const PendingTimer& timer : machine_->timers().pending()) {
    bool bounds =
        timer.timer == TimerKind::Wait || timer.timer == TimerKind::Timeout || timer.timer == TimerKind::Deadline;
    if (!bounds && (!next || timer.due < *next)) next = timer.due;
  }
  return next;
}

void Run::make_executor() {
  if (executor_) return;
  const RunStarted& run = machine_->run();
  ExecutorOptions options;
  options.jobs = run.jobs;
  options.cpus = run.cpus;
  options.run_id = run.id;
  options.token = run.token;
  options.run_dir = run.run_dir;
  options.secrets = &secrets_;
  executor_ = make_worker_pool(options);
}

bool Run::take(Event event) {
  event.at = std::max(wall_clock(), last_at_);
  if (auto* ended = std::get_if<TaskEnded>(&event.fact)) {
    Result& result = ended->result;
    // As a replay will read it: somebody may have set the clock back, and what was taken over did not run now.
    result.began = result.taken ? Instant{} : std::min(result.began, event.at);
    if (interrupting_ && result.failure && result.failure->type == "cancelled" && !machine_->late(*ended))
      event.fact = TaskInterrupted{ended->path, ended->attempt};
  }
  Sink sink(*this);
  return machine_->take(std::move(event), sink);
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

void Run::accept(Decision decision) {
  write(to_entry(decision, last_at_));
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
  if (late || journal_.pending_entries() >= kMostEntries || journal_.pending_bytes() >= kMostBytes) commit();
}

void Run::write(Entry entry) {
  if (batch_.empty()) batch_since_ = std::chrono::steady_clock::now();
  entry.seq = journal_.append(entry);
  batch_.push_back(std::move(entry));
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

bool Run::reuse_result(const Decision& decision) {
  if (!reuse_) return false;
  if (const auto* items = std::get_if<ItemsChosen>(&decision.what)) reuse_->chosen(*items);
  if (const auto* start = std::get_if<StartTask>(&decision.what)) {
    auto result = reuse_->result_of(start->task);
    if (result) happened_.push_back({{}, TaskEnded{start->task.path, start->task.attempt, std::move(*result)}});
    return result.has_value();
  }
  if (const auto* awaited = std::get_if<SignalAwaited>(&decision.what)) {
    if (auto signal = reuse_->signal_for(*awaited)) happened_.push_back({{}, std::move(*signal)});
  } else if (const auto* timer = std::get_if<ArmTimer>(&decision.what); timer && reuse_->slept(*timer)) {
    timers_.push({boot_clock(), timer->due, timer->path, timer->timer});
    return true;
  }
  return false;
}

void Run::release(Decision& decision) {
  if (reuse_result(decision)) return;
  if (auto* start = std::get_if<StartTask>(&decision.what)) {
    make_executor();
    executor_->begin(std::move(start->task));
  } else if (const auto* reserve = std::get_if<ReservePlace>(&decision.what)) {
    make_executor();
    executor_->reserve(reserve->path, reserve->process, reserve->shares_cpus);
  } else if (const auto* stop = std::get_if<StopTask>(&decision.what)) {
    if (executor_) executor_->stop(stop->path, stop->attempt);
  } else if (const auto* withdraw = std::get_if<WithdrawWaiting>(&decision.what)) {
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
