#include "engine/run/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "engine/journal/mail_sender.h"
#include "engine/journal/typed_command.h"
#include "engine/machine/machine_view.h"
#include "engine/model/diagnostics.h"
#include "engine/model/entry_reading.h"
#include "engine/run/clocks.h"
#include "engine/run/fresh.h"
#include "engine/run/reopen.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

constexpr std::size_t kNamed = 5;                // of steps in one message
constexpr std::chrono::milliseconds kRound{50};  // how often a run that another process drives is looked at

/// What a run that is taken over is to do.
enum class Mode { Resume, Retry, Undo, Cancel };

Run::Observer observer(FrontEnd& front) {
  return [&front](const Entry& entry) { front.entry(entry); };
}

Run::Stop stop(FrontEnd& front) {
  return [&front] { return front.gives_up(); };
}

void compare_file(const std::string& file, const std::string& text, FrontEnd& front) {
  if (file.empty() || was_piped(file)) return;  // the text never was in a file
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return front.file_changed(file, true);
  try {
    if (read_file(file, false) != text) front.file_changed(file, false);
  } catch (const Error&) {
    // Not readable any more: the copy is all that is needed.
  }
}

/// Shows earlier entries to |front|, and then, unless |machine| is null, for what the run still waits.
void catch_up(const Journal& journal, const RunRecord& record, const Machine* machine, FrontEnd& front) {
  if (!front.wants_earlier()) return;
  const std::vector<std::string> awaiting = machine ? machine->signals().awaiting_paths() : std::vector<std::string>{};
  std::map<std::string, Entry> questions;
  for (Entry& entry : entries(journal, record)) {
    front.earlier(entry);
    if (!awaiting.empty() && entry.kind == EntryKind::SignalAwaited) questions[entry.path] = std::move(entry);
  }
  for (const std::string& path : awaiting)
    if (auto question = questions.find(path); question != questions.end()) front.still_waits(question->second);
}

/// Gives marks the paths that the run has for what they name. Only of what was cut off there is something to tell.
void place(std::vector<Mark>& marks, const std::vector<InFlight>& cut_off, const RunRecord& record) {
  for (Mark& mark : marks) {
    auto found = std::find_if(cut_off.begin(), cut_off.end(), [&](const InFlight& flight) {
      return flight.path == mark.path || slashed(flight.path) == mark.path;
    });
    if (found != cut_off.end()) {
      mark.path = found->path;
      continue;
    }
    std::vector<std::string> paths;
    std::string all;
    for (const InFlight& flight : cut_off) {
      paths.push_back(flight.path);
      if (paths.size() <= kNamed) all += (all.empty() ? "" : ", ") + flight.path;
    }
    std::string near = nearest(mark.path, paths);
    throw Error(
        Problem::Impossible,
        fmt::format("--mark {}: this step was not in flight when run {} was last driven; {}", mark.path, record.id,
                    !near.empty()   ? "did you mean `" + near + "`?"
                    : paths.empty() ? "none was"
                                    : "these were: " + all + (paths.size() > kNamed ? ", ..." : "")));
  }
}

/// Goes on with a run that is not over, or only ends it.
void resume_open(Run& run, const Journal& journal, ResumeOptions options, FrontEnd& front) {
  const std::vector<InFlight> cut_off = run.cut_off();
  place(options.marks, cut_off, run.record());
  if (const std::vector<OpenQuestion> questions = run.questions(options); !questions.empty())
    for (Mark& mark : front.answers(run.record(), questions)) options.marks.push_back(std::move(mark));
  check_marks(run.loaded().workflow, options.marks);
  front.resumes(run.record(), cut_off);
  catch_up(journal, run.record(), &run.machine(), front);
  run.resume(options);
  front.opened(run.opening());
}

void leave_out_known(const Journal& journal, const RunRecord& record, ItemFeed& items) {
  for (const Entry& entry : entries(journal, record))
    if (entry.kind == EntryKind::ItemsArrived) items.leave_out(as<ItemsArrived>(entry));
}

/// A fork takes its items from the run that it is a fork of.
void feed_fork(Run& run, const Journal& journal) {
  const std::string& origin = run.machine().run().forked_of;
  if (!run.loaded().workflow.stream || origin.empty()) return;
  const auto old = journal.find_exact(origin);
  if (!old) return;
  std::unique_ptr<ItemFeed> items = items_of_run(journal, *old);
  leave_out_known(journal, run.record(), *items);
  run.feed(std::move(items));
}

/// Whether the folder in which steps run is still there, or |options| name another.
bool has_folder(const Run& run, const ResumeOptions& options) {
  std::error_code gone;
  return !options.workdir.empty() || std::filesystem::is_directory(run.machine().run().folder, gone);
}

/// The key of |record|, which is to be driven; null: it needs none. Only what is new is skipped.
std::unique_ptr<KeyHold> key_for(Journal& journal, const RunRecord& record, Mode mode, const Loaded& loaded,
                                 FrontEnd& front) {
  const std::string key = exclusive_key(journal, record);
  if (key.empty()) return nullptr;
  // While somebody drives the run itself, there is nothing to be waited for. It is not kept meanwhile: a run that
  // waits for its key can be cancelled, and another process may go on with it.
  if (const auto now = journal.find_exact(record.id); now && now->driver_pid != 0) throw is_driven(*now);
  using When = Exclusive::WhenTaken;
  const bool waits = mode == Mode::Cancel || !loaded.exclusive;
  return take_key(journal, key, waits ? When::Wait : loaded.exclusive->when_taken, front);
}

/// Takes |record| over and begins what |mode| says; a retry has its folder from |options|. Null: nothing is left to be
/// undone. |home|: the folder in which its steps run when theirs is gone; empty: that is an error.
std::unique_ptr<Run> take_over(Journal& journal, const RunRecord& record, Mode mode, ResumeOptions options,
                               RetryOptions retry, FrontEnd& front, std::unique_ptr<ItemFeed> items = nullptr,
                               const std::string& home = "") {
  Loaded loaded = own_copy(journal, record);
  compare_file(record.file, loaded.text, front);
  for (const auto& child : loaded.children) compare_file(child->file, loaded.sources.at(child->path), front);
  std::unique_ptr<Evaluator> evaluator = make_jq(loaded.programs);
  front.opens(loaded, record.id);
  const bool acts = !options.cancel || !options.cancel->now;
  std::shared_ptr<KeyHold> key = acts ? key_for(journal, record, mode, loaded, front) : nullptr;
  auto run = Run::take_over(journal, record, std::move(loaded), std::move(evaluator), observer(front),
                            {mode == Mode::Retry ? &retry : nullptr, options.on, acts, !front.takes_memo(), key},
                            stop(front), front.tracing());
  // Only resume and retry have no home for a run: there the option was typed.
  const std::string& on = options.on.empty() ? run->machine().run().on : options.on;
  if (home.empty() && options.jobs > 0 && !on.empty() && on != "here") throw jobs_elsewhere();
  // What was meant for the run as it was may be wrong for what it is now; to go on is right all the same.
  if ((items || (key && mode != Mode::Resume)) && run->record().last_seq != record.last_seq)
    throw Error(Problem::Busy,
                fmt::format("another process has gone on with run {} meanwhile; the same line again does "
                            "what is left",
                            record.id));
  if (items) {
    run->feed(std::move(items));
  } else {
    feed_fork(*run, journal);
  }
  if (acts && !has_folder(*run, options)) {
    const std::string& folder = run->machine().run().folder;
    if (home.empty())
      throw Error(Problem::Impossible,
                  fmt::format("the folder {} of run {} is gone; --workdir DIR names another", folder, record.id));
    front.folder_gone(folder, home);
    options.workdir = home;
  }
  retry.workdir = options.workdir;
  retry.on = options.on;
  const bool ended = run->machine().phase() == Machine::Phase::Ended;
  if (mode == Mode::Resume || (mode != Mode::Cancel && !ended)) {
    resume_open(*run, journal, options, front);
    return run;
  }
  catch_up(journal, record, nullptr, front);
  if (mode == Mode::Cancel) {
    run->resume(options);
  } else if (mode == Mode::Retry) {
    run->retry(retry);
  } else {
    if (!MachineView(run->machine()).has_undos()) return nullptr;
    run->undo(sender(), options.workdir);
  }
  front.opened({run->opening().secrets, {}, run->opening().elsewhere});  // only a resume finds leftovers
  return run;
}

/// Waits until an item comes that the run has not had, or the input is at its end: then false.
bool more_comes(ItemFeed& items, FrontEnd& front) {
  items.begin({});
  for (;;) {
    if (items.has_some()) {
      // The end alone is nothing.
      return !items.is_at_end();
    }
    if (const std::string trouble = items.trouble(); !trouble.empty())
      throw Error(Problem::Invalid, fmt::format("error: standard input: {}; nothing was started", trouble));
    if (front.gives_up()) throw Interrupted("stopped while standard input was read; nothing was started");
    std::this_thread::sleep_for(kRound);
  }
}

/// The run whose id |request| names, gone on with; nothing: there is none, or it has not begun.
std::optional<Opened> same_id(Journal& journal, StartRequest& request, OnCrash on_crash, FrontEnd& front) {
  if (request.options.id.empty()) return std::nullopt;
  auto record = journal.find_exact(request.options.id);
  if (!record) return std::nullopt;
  const bool same_text = journal.source(record->source_hash) == request.loaded.text;
  const bool failed = can_be_retried(record->state);
  if (!same_text || (record->last_seq > 0 && frozen_texts(journal, *record) != request.loaded.sources)) {
    const char* command = failed ? "retry" : record->state == RunState::Succeeded ? "output" : "resume";
    throw Error(Problem::Impossible, fmt::format("run {} was started from another text of the workflow; choose another "
                                                 "--id, or go on with the run's own text: {}",
                                                 record->id, typed_command({command, record->id}, journal.path())));
  }
  if (!(record->input == request.inputs.inputs))
    throw Error(Problem::Impossible,
                fmt::format("run {} was started with other inputs; choose another --id", record->id));
  if (record->last_seq == 0) return std::nullopt;  // cut off before anything was started
  if (record->ended_at || has_ended(record->state)) check_result(journal, *record);
  const bool done = record->state == RunState::Succeeded;
  RetryOptions retry;
  if (request.items) {
    leave_out_known(journal, *record, *request.items);
    if (done && !more_comes(*request.items, front)) return Opened{*record, nullptr};
    retry.stream = request.loaded.workflow.stream->path;
  } else if (done) {
    return Opened{*record, nullptr};
  }
  ResumeOptions options;
  options.on_crash = on_crash;
  options.workdir = request.options.workdir;
  options.jobs = retry.jobs = request.options.jobs;
  options.concurrency = retry.concurrency = request.options.concurrency;
  options.on = request.options.on;
  auto run = take_over(journal, *record, failed || done ? Mode::Retry : Mode::Resume, options, retry, front,
                       std::move(request.items), request.loaded.folder);
  return Opened{*record, std::move(run)};
}

Opened start(Journal& journal, StartRequest request, FrontEnd& front) {
  front.opens(request.loaded, "");
  if (request.loaded.exclusive) {
    const Exclusive::WhenTaken when = request.loaded.exclusive->when_taken;
    try {
      request.options.key = take_key(journal, request.inputs.exclusive, when, front);
    } catch (const KeyIsTaken& taken) {
      if (when != Exclusive::WhenTaken::Skip) throw;
      Opened skipped;
      skipped.skipped = taken.by;
      return skipped;
    }
    // Another process may have been quicker.
    if (const auto other = journal.find_exact(request.options.id); other && other->last_seq > 0)
      throw Error(
          Problem::Busy,
          fmt::format("another process has begun run {} meanwhile; the same line again goes on with it", other->id));
    // What it is a fork of may be gone by now, or be driven.
    if (const std::string& origin = request.options.forked_of; !origin.empty()) find_forkable(journal, origin);
  }
  request.options.tracing = front.tracing();
  request.options.no_memo = !front.takes_memo();
  auto run = Run::start(journal, std::move(request.loaded), std::move(request.inputs), request.options,
                        std::move(request.evaluator), observer(front), stop(front));
  run->feed(std::move(request.items));
  front.opened(run->opening());
  return {run->record(), std::move(run)};
}

/// Leaves word for the process that drives |run|, and waits until it has ended. Nothing: that process is gone.
std::optional<RunRecord> ask_driver(Journal& journal, const RunRecord& run, const CancelRequested& request) {
  MailSender driver(journal, run);
  const std::int64_t mail = driver.post(to_mail(request, wall_clock()));
  for (;;) {
    auto now = journal.find_exact(run.id);
    const bool ended = now && has_ended(now->state);
    if (ended || !now || now->driver_pid == 0) {
      driver.withdraw(mail);
      return ended ? now : std::nullopt;
    }
    std::this_thread::sleep_for(kRound);
  }
}

}  // namespace

std::string ended_as(RunState state) {
  return state == RunState::Cancelled ? "been cancelled" : std::string(to_string(state));
}

bool fully_undone(const RunRecord& run) {
  const Json& error = run.error.json();
  return !error.is_object() || !error.contains("undo_failed");
}

Opened start_or_resume(Journal& journal, StartRequest request, OnCrash on_crash, FrontEnd& front) {
  if (auto same = same_id(journal, request, on_crash, front)) return std::move(*same);
  return start(journal, std::move(request), front);
}

Opened resume(Journal& journal, const std::string& name, ResumeOptions options, FrontEnd& front) {
  RunRecord record = journal.find(name);
  if (record.ended_at || has_ended(record.state)) check_result(journal, record);
  if (has_ended(record.state)) return {std::move(record), nullptr};
  auto run = take_over(journal, record, Mode::Resume, options, {}, front);
  return {std::move(record), std::move(run)};
}

Opened retry(Journal& journal, const std::string& name, RetryOptions options, FrontEnd& front) {
  RunRecord record = journal.find(name);
  if (record.ended_at || has_ended(record.state)) check_result(journal, record);
  if (!has_ended(record.state))
    throw Error(Problem::Impossible, fmt::format("run {} has not ended; go on with it: {}", record.id,
                                                 typed_command({"resume", record.id}, journal.path())));
  if (record.state == RunState::Succeeded && options.path.empty() && !options.failed && options.marks.empty())
    return {std::move(record), nullptr};
  if (!options.path.empty()) options.path = known_step(journal, record, options.path);
  for (Mark& mark : options.marks) mark.path = known_step(journal, record, mark.path);
  ResumeOptions drive;
  drive.workdir = options.workdir;
  drive.on = options.on;
  drive.jobs = options.jobs;
  auto run = take_over(journal, record, Mode::Retry, drive, options, front);
  return {std::move(record), std::move(run)};
}

Opened undo(Journal& journal, const std::string& name, const std::string& workdir, FrontEnd& front) {
  RunRecord record = journal.find(name);
  if (!has_ended(record.state))
    throw Error(Problem::Impossible,
                history_of(journal, record).being_undone()
                    ? fmt::format("run {} is being undone already; {} goes on with it", record.id,
                                  typed_command({"resume", record.id}, journal.path()))
                    : fmt::format("run {} has not ended; {} ends it and undoes what it has done", record.id,
                                  typed_command({"cancel", record.id, "--undo"}, journal.path())));
  ResumeOptions options;
  options.workdir = workdir;
  auto run = take_over(journal, record, Mode::Undo, options, {}, front);
  return {std::move(record), std::move(run)};
}

Opened cancel(Journal& journal, const std::string& name, CancelRequested request, const std::string& workdir,
              FrontEnd& front) {
  RunRecord record = journal.find(name);
  if (has_ended(record.state))
    throw Error(Problem::Impossible, fmt::format("run {} has {} already{}", record.id, ended_as(record.state),
                                                 request.undo ? "; to undo what it has done: " +
                                                                    typed_command({"undo", record.id}, journal.path())
                                                              : ""));
  request.by = sender();
  if (record.driver_pid > 0) {
    front.waits_for({record.id, true});
    if (auto ended = ask_driver(journal, record, request)) return {std::move(*ended), nullptr};
    record = journal.find(record.id);
  }
  ResumeOptions options;
  options.cancel = request;
  options.workdir = workdir;
  auto run = take_over(journal, record, Mode::Cancel, options, {}, front);
  return {std::move(record), std::move(run)};
}

RunRecord find_waiting(const Journal& journal, const std::string& name) {
  RunRecord run = journal.find(name);
  if (has_ended(run.state))
    throw Error(Problem::Impossible,
                fmt::format("run {} has {} already; nobody waits there", run.id, ended_as(run.state)));
  return run;
}

SignalSent send_signal(Journal& journal, const std::string& name, const SignalOptions& options) {
  RunRecord run = find_waiting(journal, name);
  const Instant now = wall_clock();
  SignalReceived signal = chosen_signal(options, run, own_copy(journal, run), history_of(journal, run), now);
  signal.by = sender();
  MailSender(journal, run).post(to_mail(signal, now));
  return {std::move(run), std::move(signal.name)};
}

RunRecord find_forkable(const Journal& journal, const std::string& name) {
  RunRecord run = journal.find(name);
  if (run.driver_pid > 0)
    throw Error(Problem::Busy,
                fmt::format("run {} is driven by process {}; it can be forked when it rests", run.id, run.driver_pid));
  return run;
}

std::string fork_file(const RunRecord& old, const std::string& named) {
  if (!named.empty()) return named;
  std::error_code error;
  return std::filesystem::is_regular_file(old.file, error) ? old.file : "";
}

GivenInputs fork_inputs(const RunRecord& old, const Loaded& loaded, GivenInputs given,
                        std::vector<std::string>& dropped) {
  if (!old.input.is_null() && !old.input.json().is_object())
    throw Corruption(fmt::format("run {}: its inputs are no object", old.id));
  for (const auto& [name, value] : old.input.json().items()) {
    const bool known = std::any_of(loaded.inputs.begin(), loaded.inputs.end(),
                                   [&, &name = name](const InputSpec& spec) { return spec.name == name; });
    if (!known) dropped.push_back(name);
    if (known && !given.values.contains(name)) given.values[name] = value;
  }
  return given;
}

Opened fork(Journal& journal, StartRequest request, FrontEnd& front) {
  // It may have been gone on with since it was looked at.
  const RunRecord old = find_forkable(journal, request.options.forked_of);
  if (request.loaded.workflow.stream && !request.items) request.items = items_of_run(journal, old);
  return start(journal, std::move(request), front);
}

}  // namespace flowrun
