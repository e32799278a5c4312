// How a drive of a run begins: started, or taken over from the journal and then resumed, retried or undone.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/executor/line_file.h"
#include "engine/executor/run_folder.h"
#include "engine/journal/typed_command.h"
#include "engine/machine/machine_view.h"
#include "engine/model/random_number.h"
#include "engine/run/clocks.h"
#include "engine/run/fresh.h"
#include "engine/run/import.h"
#include "engine/run/reopen.h"
#include "engine/run/run.h"
#include "engine/run/step_paths.h"

namespace flowrun {
std::unique_ptr<Run> Run::start(Journal& journal, Loaded loaded, ResolvedInputs inputs, const StartOptions& options,
                                std::unique_ptr<Evaluator> evaluator, Observer observer, Stop stop) {
  std::unique_ptr<Run> run(new Run(journal, std::move(loaded), std::move(observer)));
  run->stop_ = std::move(stop);
  run->tracing_ = options.tracing;
  run->takes_memo_ = !options.no_memo;
  run->key_ = options.key;
  run->evaluator_ = std::move(evaluator);
  if (!options.workdir.empty()) run->loaded_.folder = options.workdir;
  run->on_ = options.on == "here" ? "" : options.on;
  run->read_secrets(run->loaded_.folder);
  run->ask_place();
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
    if (journal.create(record, run->loaded_.text)) {
      // The id is ours now: no import can be about to put its files there.
      if (!options.id.empty()) clear_import_rest(journal, record.id);
      break;
    }
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
  started.via = options.via;
  started.output_log = 1;
  started.fail_fast = options.fail_fast;
  started.timeout = options.timeout;
  started.secrets = run->marks_of_secrets(started.seed);
  started.measured = true;
  started.traceparent = options.tracing.traceparent;
  started.on = run->on_;
  if (options.key) started.exclusive = options.key->name();

  run->machine_ = std::make_unique<Machine>(run->loaded_.workflow, *run->evaluator_);
  run->heartbeat_at_ = now;
  run->tokens_.push_back(started.token);
  run->take({now, std::move(started)});
  if (!run->commit()) throw Error(Problem::Journal, "the disk is full; nothing was started");
  return run;
}

std::unique_ptr<Run> Run::take_over(Journal& journal, const RunRecord& record, Loaded loaded,
                                    std::unique_ptr<Evaluator> evaluator, Observer observer, const Following& following,
                                    Stop stop, Tracing tracing) {
  std::unique_ptr<Run> run(new Run(journal, std::move(loaded), std::move(observer)));
  run->stop_ = std::move(stop);
  run->tracing_ = std::move(tracing);
  run->key_ = following.key;
  run->evaluator_ = std::move(evaluator);
  run->takes_memo_ = !following.no_memo;
  run->record_ = record;
  journal.lock(run->record_);
  RunFolder(journal.run_dir(record.id)).check();
  // What the row said before we had the lock may be old.
  if (auto fresh = journal.find_exact(record.id)) run->record_ = *fresh;
  ReplayOptions replaying;
  if (following.retry) replaying.foresight.add(following.retry->fact());
  replaying.saw = [&run](const Entry& entry) { run->call_names_.see(entry); };
  if (!run->loaded_.secret_outputs.empty())
    replaying.decided = [&run](const Decision& decision) {
      const auto* start = std::get_if<StartTask>(&decision.what);
      if (start && start->task.secret_output) run->secret_tasks_[start->task.path] = start->task;
    };
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
  run->find_place(following);
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
  if (!on_.empty()) return;  // the workers do
  secrets_ = Secrets(loaded_.secrets, folder, loaded_.file, stop_);
  if (loaded_.ignored_lints.count("W323")) return;
  for (const std::string& name : secrets_.unmasked())
    opening_.secrets.push_back(
        fmt::format("warning[W323]: secret {} has less than {} characters: it is not masked in output, "
                    "answers and messages",
                    name, Mask::kShortest));
}

std::vector<SecretMark> Run::marks_of_secrets(const std::string& seed) const {
  if (on_.empty()) return secrets_.marks(seed);
  // Others read them: which of them are there, and whether they have changed, is not known here.
  std::vector<SecretMark> marks;
  for (const SecretSource& source : loaded_.secrets) marks.push_back({source.name, "", false});
  return marks;
}

std::vector<SecretMark> Run::mark_secrets() {
  const RunStarted& run = machine_->run();
  std::vector<SecretMark> marks = marks_of_secrets(run.seed);
  if (!on_.empty() || !run.on.empty()) return marks;
  for (const SecretMark& now : marks)
    for (const SecretMark& before : run.secrets)
      if (now.name == before.name && now != before)
        opening_.secrets.push_back(fmt::format("warning: secret {} {}", now.name,
                                               now.absent      ? "is not there any more; it is null from here on"
                                               : before.absent ? "was not there before; it is from here on"
                                                               : "has changed since the run was last driven"));
  return marks;
}

std::string Run::moved_folder() const {
  const std::string folder = journal_.run_dir(record_.id);
  return folder == machine_->run().run_dir ? "" : folder;
}

void Run::resume(const ResumeOptions& options) {
  // A run that is to run nothing more can be ended without them.
  const bool acts = !options.cancel || !options.cancel->now;
  if (acts) read_secrets(options.workdir.empty() ? machine_->run().folder : options.workdir);
  std::vector<std::string> in_flight;
  Duration grace{5000};
  for (const InFlight& flight : machine_->in_flight()) in_flight.push_back(flight.path);
  // It may have been read again when the drive was cut off.
  for (const auto& [path, task] : secret_tasks_) in_flight.push_back(path);
  // Whatever the dead drive left running must be gone before anything is repeated.
  opening_.leftovers = end_leftovers(tokens_, in_flight, grace);
  for (Leftover& leftover : opening_.leftovers)
    // Without the secrets nothing is masked, so just the program is named.
    leftover.command =
        on_.empty() ? secrets_.mask().text(leftover.command) : leftover.command.substr(0, leftover.command.find(' '));
  end_elsewhere(options.cancel.has_value());

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
  resumed.concurrency = options.concurrency;
  resumed.folder = options.workdir;
  resumed.on = options.on;
  resumed.run_dir = moved_folder();
  resumed.keeps_keys = !resumed.folder.empty() || !resumed.run_dir.empty();
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
  reopened.concurrency = concurrency;
  reopened.stream = stream;
  reopened.folder = workdir;
  reopened.on = on;
  return reopened;
}

void Run::retry(const RetryOptions& options) {
  check_retry(*machine_, loaded_.workflow, record_.id, journal_.path(), options.fact(),
              [&] { return paths_of(journal_, record_); });
  read_secrets(options.workdir.empty() ? machine_->run().folder : options.workdir);
  retried_ = options.path;
  RunReopened reopened = options.fact();
  reopened.secrets = mark_secrets();
  reopened.token = random_hex(16);
  reopened.run_dir = moved_folder();
  reopened.keeps_keys = !reopened.folder.empty() || !reopened.run_dir.empty();
  tokens_.push_back(reopened.token);
  heartbeat_at_ = wall_clock();
  update_.state = RunState::Running;
  update_.reopened = true;
  take({wall_clock(), std::move(reopened)});
  commit();
}

void Run::undo(const std::string& by, const std::string& workdir) {
  read_secrets(workdir.empty() ? machine_->run().folder : workdir);
  mark_secrets();  // for the notes
  UndoRequested undo;
  undo.folder = workdir;
  undo.token = random_hex(16);
  undo.by = by;
  undo.run_dir = moved_folder();
  undo.keeps_keys = !undo.folder.empty() || !undo.run_dir.empty();
  tokens_.push_back(undo.token);
  heartbeat_at_ = wall_clock();
  update_.state = RunState::Running;
  update_.reopened = true;
  take({wall_clock(), std::move(undo)});
  commit();
}

}  // namespace flowrun
