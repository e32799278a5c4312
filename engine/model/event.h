// Facts: what has happened, in past tense. The machine is fed nothing else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/model/outcome.h"
#include "engine/model/secret.h"
#include "engine/model/time.h"
#include "engine/model/value.h"

namespace flowrun {

enum class OnCrash { Default, Rerun, Ask, Fail };
enum class FailFast { Inherit, Cancel, Drain, Continue };  ///< true, drain, false

/// The first entry of every run: all that a decision may depend on.
struct RunStarted {
  int semantics = 0;  ///< number of the machine's decisions, Machine::kSemantics
  std::string id;
  std::string name;
  std::string source_hash;  ///< of the workflow's text, in table `sources`
  /// Hashes of the texts of sub-workflows, by their paths seen from the folder of the workflow.
  std::map<std::string, std::string> sources;
  std::string seed;     ///< 32 hexadecimal digits
  std::string token;    ///< of this drive
  Value inputs;         ///< object, after coercion
  Value vars;           ///< object
  Value sub_inputs;     ///< inputs of sub-workflows that the environment gave: {path: {input: value}}, or null
  std::string file;     ///< absolute path of the workflow as it was given
  std::string folder;   ///< where relative paths start and processes run
  std::string run_dir;  ///< where it keeps its files; the newest fact that says it counts
  std::string host, boot_id, pid_namespace;
  int cpus = 1;
  int concurrency = 0;           ///< from the command line; 0: the workflow's
  int jobs = 0;                  ///< -j; 0: not given
  std::vector<std::string> via;  ///< what starts processes whose step does not say it; empty: nothing
  int output_log = 0;            ///< 1: all that processes say is in the log beside the journal; 0: only what was long
  FailFast fail_fast = FailFast::Inherit;
  std::optional<Duration> timeout;
  std::string forked_of;            ///< id of the run whose results are taken over; empty: none
  std::string forked_from;          ///< this step and what depends on it is run anew all the same
  std::vector<SecretMark> secrets;  ///< as they were found
  /// Durations are those of what ran. Else, in runs of before, they count time in line and time that nobody drove.
  bool measured = false;
  /// The place in a trace from which it was started, as W3C Trace Context writes it; empty: none.
  std::string traceparent = {};
  std::string on = {};         ///< who carries its attempts out, as --on says it; empty: this machine
  std::string exclusive = {};  ///< the key that each of its drives takes; empty: none
};

/// What a person said of a step that was in flight when its run was cut off, or that a retry reopens.
struct Mark {
  std::string path;
  bool done = false;   ///< it had been done, with |output|
  bool rerun = false;  ///< it may run again; neither: it had failed
  Value output;
};

/// `flowrun cancel`: the run is to end now.
struct CancelRequested {
  bool undo = false;  ///< what has been done is undone first
  bool now = false;   ///< and nothing else runs any more, not even `finally`
  std::string by;     ///< who asked
};

/// A drive went on with the run after a crash or a suspension.
struct RunResumed {
  std::string token;
  Duration down{0};                     ///< how long nobody drove it
  OnCrash on_crash = OnCrash::Default;  ///< answers `ask` only
  std::vector<Mark> marks;
  /// Started by decisions that the crash kept out of the journal: they can not have begun, so they just begin.
  std::vector<std::string> unbegun;
  /// Started, but they still waited in line for a place when the run was cut off: they have not begun, either.
  std::vector<std::string> queued;
  std::optional<CancelRequested> cancel;  ///< it goes on only to come to its end
  int jobs = 0;                           ///< -j of this drive; 0: that of RunStarted
  int concurrency = 0;                    ///< likewise
  std::string folder;                     ///< --workdir: replaces that of RunStarted; empty: as it was
  /// Where the run's files are now that the journal stands elsewhere; empty: as it was. Likewise below.
  std::string run_dir;
  /// What runs again in another folder has the key that it had. False: written by a flowrun that took what names the
  /// folder for another request then. Likewise below.
  bool keeps_keys = false;
  std::string host, boot_id, pid_namespace;
  std::vector<SecretMark> secrets;  ///< as they were found now
  std::string on = {};              ///< as in RunStarted, `here` for this machine; empty: as before
};

/// For so long flowrun itself did not run: it was stopped, or the machine slept. Limits of work do not count that.
struct RunFrozen {
  Duration span{0};
};

/// `flowrun retry`: the failed, blocked and cancelled steps get another chance; with |path| that step and what
/// depends on it.
struct RunReopened {
  std::string token;
  std::string path;
  std::vector<SecretMark> secrets{};  ///< as they were found now
  /// Just what is asked for, also inside groups that have succeeded. False: written by a flowrun that ran the whole of
  /// such a group.
  bool exact = false;
  bool failed = false;        ///< also what has failed and was tolerated
  std::vector<Mark> marks{};  ///< what became of steps; each is reopened, and only |rerun| runs
  int jobs = 0;               ///< -j of this drive; 0: that of RunStarted
  std::string run_dir = {};
  std::string stream = {};  ///< path of the for_each that gets more items of its stream; empty: none
  int concurrency = 0;      ///< as |jobs|
  std::string folder = {};  ///< as in RunResumed
  bool keeps_keys = false;
  std::string on = {};  ///< as in RunResumed
};

/// `flowrun undo`: what is left to be undone in a run that has ended.
struct UndoRequested {
  std::string token;
  std::string by;  ///< who asked
  std::string run_dir = {};
  std::string folder = {};  ///< as in RunResumed
  bool keeps_keys = false;
};

struct TaskReserved {
  std::string path;
};

struct TaskEnded {
  std::string path;
  int attempt = 1;
  Result result;
};

/// Stopped while suspending: no outcome, no attempt used.
struct TaskInterrupted {
  std::string path;
  int attempt = 1;
};

/// It waited for a place of the executor, was taken out of the line again and has not begun.
struct TaskWithdrawn {
  std::string path;
  int attempt = 1;
};

enum class TimerKind { Delay, Sleep, Retry, Timeout, Deadline, Wait, Poll, Limit };
constexpr TimerKind kTimerKinds[] = {TimerKind::Delay,    TimerKind::Sleep, TimerKind::Retry, TimerKind::Timeout,
                                     TimerKind::Deadline, TimerKind::Wait,  TimerKind::Poll,  TimerKind::Limit};
std::string_view to_string(TimerKind kind);
/// Whether it bounds how long something works, so that only time counts in which flowrun was there. Others are dates.
constexpr bool is_limit_of_work(TimerKind kind) { return kind == TimerKind::Timeout || kind == TimerKind::Deadline; }

struct TimerFired {
  std::string path;
  TimerKind timer;
};

struct SuspendRequested {
  int signal = 0;  ///< 0: --no-wait
};

/// An item of a stream that reads as an earlier one does.
struct RepeatedItem {
  int at = 0;   ///< its number in the list
  int nth = 0;  ///< of those that read alike; the first is 1
};

/// The secret output of a step, which ended in an earlier drive, has been read again by its attempt: the executor needs
/// it for others. Nothing is decided by it.
struct SecretRead {
  std::string path;
  int attempt = 1;  ///< of the step, that was carried out once more
  Duration took{0};
  std::optional<Failure> failure;  ///< why it could not be
};

/// Items of a stream have been read; see stream_keys().
struct ItemsArrived {
  std::string path;  ///< of the for_each
  Value items;       ///< list
  std::vector<RepeatedItem> repeated = {};
  bool last = false;  ///< no more come
};

/// What a person or another process had to say. Early ones wait for who waits for them.
struct SignalReceived {
  std::string name;
  std::string path;  ///< of the step that is meant; empty: whoever waits for it, or will
  Value data;
  std::string by;                       ///< who sent it
  std::optional<std::string> rejected;  ///< why; the step that waits fails
};

/// In the order of entry_kinds.def.
using Fact = std::variant<RunStarted, RunResumed, RunReopened, TaskReserved, TaskEnded, TaskInterrupted, TaskWithdrawn,
                          TimerFired, SuspendRequested, SignalReceived, CancelRequested, UndoRequested, RunFrozen,
                          ItemsArrived, SecretRead>;

struct Event {
  Instant at;
  Fact fact;
};

}  // namespace flowrun
