// One execution of a workflow: start, resume, retry, turn. The only place where machine, journal and executor meet.
// Prints nothing; who wants to show what happens is told of every entry when it is durable.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/executor/executor.h"
#include "engine/executor/leftovers.h"
#include "engine/executor/secrets.h"
#include "engine/journal/journal.h"
#include "engine/machine/machine.h"
#include "engine/run/elsewhere.h"
#include "engine/run/exclusive.h"
#include "engine/run/fork.h"
#include "engine/run/item_feed.h"
#include "engine/run/load.h"
#include "engine/run/memo.h"
#include "engine/run/replay.h"
#include "engine/run/trace.h"

namespace flowrun {

/// When a drive comes to rest before its run has ended.
struct DriveOptions {
  Duration grace{5000};  ///< how long running steps may finish once an end is asked for
  bool no_wait = false;  ///< suspend when only waits, or sleeps of more than 60 s, are left
};

/// Options of `run` that change what is decided; they are kept with the run.
struct StartOptions {
  std::string id;  ///< empty: made up from the name
  int concurrency = 0;
  FailFast fail_fast = FailFast::Inherit;
  std::optional<Duration> timeout;
  std::string forked_of, forked_from;  ///< as in RunStarted
  int jobs = 0;                        ///< processes at once; 0: as many as are sensible
  std::vector<std::string> via = {};   ///< as in RunStarted
  std::string on = {};                 ///< as checked_place() says it; empty: here
  Tracing tracing = {};                ///< of its first drive
  std::string workdir = {};            ///< where its steps run; empty: where the file says
  bool no_memo = false;                ///< of its first drive: no result of an earlier run is taken
  std::shared_ptr<KeyHold> key = {};   ///< that it has; null: it needs none
};

struct ResumeOptions {
  OnCrash on_crash = OnCrash::Default;
  std::vector<Mark> marks;
  std::string workdir;                    ///< empty: where the run was started
  std::optional<CancelRequested> cancel;  ///< goes on only to end
  int jobs = 0;                           ///< processes at once; 0: as before
  int concurrency = 0;                    ///< attempts at once; 0: as before
  std::string on = {};                    ///< as checked_place() says it; empty: as before
};

/// As in RunReopened.
struct RetryOptions {
  std::string path;
  bool failed = false;
  std::vector<Mark> marks;
  int jobs = 0;         ///< processes at once; 0: as before
  int concurrency = 0;  ///< attempts at once; 0: as before
  std::string stream;   ///< the for_each that gets more items; empty: none
  std::string workdir;  ///< as in ResumeOptions
  std::string on = {};  ///< as in ResumeOptions

  RunReopened fact() const;
};

/// A step that was in flight when its run was cut off, and whose `on_crash: ask` nobody has answered.
struct OpenQuestion {
  std::string path;
  int attempt;
  Instant started_at;
  bool interrupted;  ///< stopped as the run was suspended
};

/// What people should know of how a drive began.
struct OpeningNotes {
  std::vector<std::string> secrets;
  std::vector<Leftover> leftovers;          ///< processes that the last drive had left running
  std::vector<std::string> elsewhere = {};  ///< what became of attempts on other machines
};

/// What take_over() has to know of the drive that follows.
struct Following {
  const RetryOptions* retry = nullptr;  ///< what retry() will be asked
  std::string on = {};                  ///< as in ResumeOptions
  bool acts = true;                     ///< false: it runs nothing more
  bool no_memo = false;                 ///< as in StartOptions
  std::shared_ptr<KeyHold> key = {};    ///< as in StartOptions
};

/// A drive of a run. Belongs to one thread; only wake-ups by signal handlers come from elsewhere.
class Run {
 public:
  /// Told of each entry after the commit that made it durable, in order.
  using Observer = std::function<void(const Entry&)>;
  /// Whether somebody wants an end; asked before there is a beginning, while secrets are read, which then throws
  /// Interrupted.
  using Stop = std::function<bool()>;

  /// Journals a new run and starts it. |loaded| and |inputs| are checked already. Throws Error(Impossible) when the id
  /// is taken, Error(Invalid) when a secret is missing.
  static std::unique_ptr<Run> start(Journal& journal, Loaded loaded, ResolvedInputs inputs, const StartOptions& options,
                                    std::unique_ptr<Evaluator> evaluator, Observer observer, Stop stop = {});

  /// Takes a run over from its journal: locks it, replays it. Nothing has begun yet and nothing is written.
  /// |loaded| is the run's own copy of the workflow. Throws Error(Impossible) when the server that is to carry its
  /// attempts out is not there, or attempts are under way at another one.
  static std::unique_ptr<Run> take_over(Journal& journal, const RunRecord& record, Loaded loaded,
                                        std::unique_ptr<Evaluator> evaluator, Observer observer,
                                        const Following& following = {}, Stop stop = {}, Tracing tracing = {});
  ~Run();

  /// After take_over: attempts that had begun and whose end nobody has seen, in order of start.
  std::vector<InFlight> cut_off() const;
  /// After take_over: what has to be answered before it can go on.
  std::vector<OpenQuestion> questions(const ResumeOptions& options) const;
  /// After take_over of an unfinished run: ends leftovers of the crash, then goes on.
  void resume(const ResumeOptions& options);
  /// After take_over of a run that has ended: reopens what did not succeed, or just what is named and what depends on
  /// it. Throws Error(Impossible) when that can not be, and has written nothing then.
  void retry(const RetryOptions& options);
  /// After take_over of a run that has ended: undoes what is left to be undone. |workdir| as in ResumeOptions.
  /// REQUIRES: MachineView::has_undos().
  void undo(const std::string& by, const std::string& workdir);
  /// When the run has come to rest: what its steps have left running without saying that it is meant.
  std::vector<Leftover> left_behind() const;

  /// After start(), resume(), retry() or undo(); leftovers are of resume() only.
  const OpeningNotes& opening() const { return opening_; }

  /// Where the items of a for_each over standard input come from. Without it such a run comes to rest when only that
  /// step is left. To be called before the first turn().
  void feed(std::unique_ptr<ItemFeed> feed) { feed_ = std::move(feed); }
  /// Who gives them; null: nobody does.
  const ItemFeed* items() const { return feed_.get(); }

  /// Waits for something to happen, at most |patience|, and takes it in. False when the run has come to rest.
  /// Throws Error(Journal) when the journal can not be written any more; nothing runs then.
  bool turn(Duration patience);

  /// What people want of the run as a whole. Suspended, it starts nothing new and rests when all that runs has ended;
  /// its signal is 0 for --no-wait. Cancelled, it comes to its end, its `finally` included. False: it does already.
  bool ask(const std::variant<SuspendRequested, CancelRequested>& what);
  /// While suspending: stops what still runs. TERM, the kill_grace of each, at most |most|, KILL. May be said again.
  void interrupt(std::optional<Duration> most = {});
  /// Makes a turn() that waits return. Safe in a signal handler.
  void wake();

  const Machine& machine() const { return *machine_; }
  const RunRecord& record() const { return record_; }
  const Loaded& loaded() const { return loaded_; }
  /// What was taken over from another run; null: the run is no fork, or that one is gone.
  const Reuse* reuse() const { return reuse_.get(); }
  /// What can not go on at once.
  struct Backlog {
    std::size_t in_line = 0;  ///< attempts that wait for a slot of the executor
    /// Those that wait for a place of a limit that other runs have, too, by its name.
    std::map<std::string, std::size_t> shared = {};
    std::size_t looked_for = 0;  ///< those that wait for a result of an earlier run, which may stand for them
    /// While the disk is full: the steps whose results are held in memory. Nothing: all is written.
    std::optional<std::vector<std::string>> unwritten;
    std::string elsewhere;  ///< why what others carry out does not go on; empty: it does
  };
  Backlog backlog() const;

 private:
  class Sink;
  struct Due {
    std::int64_t at;  ///< CLOCK_BOOTTIME, ms
    Instant due;      ///< as journaled: tells it from an older one of the same name
    std::string path;
    TimerKind timer;
    bool operator>(const Due& other) const {
      return std::tie(at, path, timer) > std::tie(other.at, other.path, other.timer);
    }
  };

  Run(Journal& journal, Loaded loaded, Observer observer);
  /// Reads the secrets, unless others do; throws Error(Invalid) when one is missing.
  void read_secrets(const std::string& folder);
  std::vector<SecretMark> marks_of_secrets(const std::string& seed) const;
  std::vector<SecretMark> mark_secrets();
  /// Whether the place of this drive is there, and has what the workflow needs; throws Error(Impossible).
  void ask_place() const;
  /// Finds the place of the drive that follows, and what is known there of attempts in flight.
  void find_place(const Following& following);
  /// Ends what is in flight at the server and not wanted; all of it when |none| is.
  void end_elsewhere(bool none);
  /// The folder of the run's files, when it has moved along with the journal; else empty.
  std::string moved_folder() const;
  void make_executor();
  bool at_rest() const;
  /// It has come to rest: gives its key back, once what it has brought is kept.
  void rest();
  /// What memo has found and taken in, and ends that it is to take in.
  void take_memo();
  /// Waits a little for more of what has begun to happen.
  void linger();
  /// Throws when the run can never end.
  void check_goes_on() const;
  /// False: it means nothing any more.
  bool take(Event event);
  void take_timers();
  /// Tells time in which flowrun did not run apart from time in which it worked.
  void take_frozen();
  void begin_feed();
  /// Items that have come, as many as are wanted.
  void take_items();
  /// What comes from the mailbox, or only what was sent before |until|.
  void take_mail(std::optional<Instant> until = {});
  void accept(Decision decision);
  /// The number of the entry.
  std::int64_t write(Entry entry);
  /// What tells the other side of |task|, whose entry is |seq|, to which trace it belongs; empty: to none.
  std::string traceparent_of(const Task& task, std::int64_t seq);
  /// Makes the batch durable and releases what waits for that. False while the disk is full.
  bool commit();
  void release(Decision& decision);
  /// Whether the old run has done already what |decision| asks for.
  bool reuse_result(const Decision& decision);
  /// What stands for results of earlier runs of the journal.
  Memo& memo();
  /// |result| stands for the attempt |task|, which does not begin.
  void answer(const Task& task, Result result);
  Duration until_due(Duration most) const;

  Journal& journal_;
  Loaded loaded_;
  std::shared_ptr<KeyHold> key_;  ///< until it has come to rest; null: it needs none
  Observer observer_;
  Stop stop_;
  RunRecord record_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<ReplayThenLive> replay_then_live_;
  std::unique_ptr<Machine> machine_;
  Secrets secrets_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Reuse> reuse_;
  std::unique_ptr<Memo> memo_;  ///< made with the first attempt that has one
  bool takes_memo_ = true;
  std::map<std::string, Task> secret_tasks_;  ///< of earlier drives, by path: they read secret outputs again
  std::string retried_;                       ///< the step that this drive was asked to run again; empty: none by name
  std::unique_ptr<ItemFeed> feed_;
  bool fed_ = false;  ///< it has begun
  std::vector<Decision> missing_;
  std::vector<std::string> tokens_;
  OpeningNotes opening_;
  Tracing tracing_;
  std::optional<Trace> trace_;  ///< made with the first attempt of this drive that belongs to a trace

  std::string on_;  ///< as in RunStarted, of this drive
  CallNames call_names_;
  std::set<std::string> begun_calls_;  ///< names of attempts that the server has from an earlier drive
  std::set<std::string> queued_;       ///< paths of what waited in line when the last drive was cut off
  Duration lost_{0};                   ///< of the executor's time, as far as it is taken in
  Instant last_at_{};
  Instant heartbeat_at_{};
  std::vector<Entry> batch_;        ///< appended, not durable yet
  std::vector<Decision> commands_;  ///< to be released when they are
  Journal::RunUpdate update_;
  std::int64_t last_mail_ = 0;      ///< that was read
  std::deque<Journal::Mail> mail_;  ///< read, not taken in yet
  std::vector<Event> happened_;     ///< told by the executor, not taken in yet
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  bool silent_ = true;  ///< nothing of this drive was told yet
  bool interrupting_ = false;
  bool disk_full_ = false;
  std::chrono::steady_clock::time_point batch_since_;  ///< when the oldest entry of the batch was made
};

}  // namespace flowrun
