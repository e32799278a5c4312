// What the entries of a run say, step by step; for views. Reads entries only: knows neither machine nor workflow.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/entry.h"
#include "engine/model/run_state.h"

namespace flowrun {

struct StepHistory {
  std::string path;
  std::int64_t first = 0;  ///< number of the first entry that tells of it
  std::string kind;        ///< `http`, `shell`, `exec`, `sleep` or the kind of a settled entry
  State state = State::Pending;
  int attempts = 0;
  Instant started_at{}, ended_at{};  ///< since the run was last reopened: when the first try began, the last ended
  Duration took{0};                  ///< as in Settled, once it is over
  Duration queued{0};                ///< in line for a place, all tries together
  std::optional<Failure> failure;
  std::string what;              ///< `POST /payments`, `make build`
  std::string reason;            ///< why it is blocked, skipped, cancelled
  int code = 0;                  ///< of the last attempt: HTTP status or exit code
  std::optional<Instant> due;    ///< while it sleeps or waits for its next try
  Value output;                  ///< as journaled; groups keep none
  bool raw = false;              ///< what its attempts bring is the raw result
  int page = 0;                  ///< the newest one, of a step that follows pages
  std::vector<Value> pages;      ///< the outputs of those that have come, until all have
  std::string signal;            ///< that it waits for
  bool undone = false;           ///< since it ran
  bool rerun = false;            ///< its newest attempt began before, and was cut off
  std::optional<MemoNote> memo;  ///< of its newest attempt that has ended
};

/// What a step `log` says.
struct Said {
  std::string level, text;
};
/// Nothing: |entry| is none of such a step.
std::optional<Said> said_by(const Entry& entry);

class History {
 public:
  /// Throws Corruption when it is not as any version writes it.
  void add(const Entry& entry);

  /// In order of first appearance.
  const std::vector<StepHistory>& steps() const { return steps_; }
  const StepHistory* find(const std::string& path) const;
  RunState run_state() const { return run_state_; }
  /// As RunStarted has it, of the newest drive.
  const std::string& on() const { return on_; }
  /// Likewise.
  const std::string& token() const { return token_; }
  /// `flowrun undo` was asked for, and the run has not come to its end since.
  bool being_undone() const { return being_undone_; }
  /// Last word on each leaf and group: {succeeded, failed, skipped, cancelled, blocked, running}.
  std::map<std::string, std::size_t> counts() const;

 private:
  friend class Summary;
  void take(const Entry& entry);
  struct Begun {
    Instant at, worked;
  };
  struct Timing {
    int session = 0;                     ///< in which it began
    bool measured = false;               ///< an attempt has ended
    Instant begun{};                     ///< worked()
    std::optional<Instant> counts_from;  ///< worked() when the try or wait under way began
    Instant asked{};                     ///< `at` of the newest start
    Duration guessed{0};                 ///< of `took`: what ran when it was given up
  };

  StepHistory& step(const std::string& path);
  void resumed(const RunResumed& fact);
  /// What had ended goes on, or is undone.
  void reopened(Instant at, bool to_undo);
  /// A drive begins at the place |on|, as RunResumed has it, with its |token|.
  void go(const std::string& on, const std::string& token);
  void started(const Entry& entry, const Task& task);
  /// The newest attempt at |path| has not begun.
  void withdrawn(const std::string& path);
  void interrupted(const std::string& path);
  void ended(const Entry& entry, Result result);
  /// |path| is that of a step or an undo, which has ended like this.
  void tell_undone(const std::string& path, bool good);
  void settled(const Entry& entry, StepSettled decision);
  void armed(const Entry& entry, const ArmTimer& decision);
  void fired(const Entry& entry, TimerKind timer);
  void waiting(const Entry& entry, SignalAwaited decision);
  void child(const Entry& entry, std::string file);
  void late(const Entry& entry, const Result& result);
  void settle_time(StepHistory& step, Instant at);
  /// An attempt at |entry|'s path has ended, seen by its own clock.
  void note_time(const Entry& entry, const Result& result);
  /// Something at |path| begins: so do the groups around it, if nothing in them has.
  void note_begin(const std::string& path, Instant at);
  /// The step begins to run, at the earliest; forgets what was before the run was reopened.
  void begin(StepHistory& step, Instant at);
  /// |at| without the time before it in which nobody drove the run.
  Instant worked(Instant at) const { return at - idle_; }
  Timing& timing_of(const StepHistory& step) { return timings_[static_cast<std::size_t>(&step - steps_.data())]; }

  std::vector<StepHistory> steps_;
  std::map<std::string, std::size_t> by_path_;
  RunState run_state_ = RunState::Running;
  std::string on_, token_;
  bool being_undone_ = false;

  std::vector<Timing> timings_;         ///< beside steps_
  std::map<std::string, Begun> first_;  ///< by path of a group: its first start since the run was reopened
  int session_ = 0;
  std::int64_t seq_ = 0;  ///< of the entry that is taken
  Instant last_at_{};
  Duration idle_{0};
};

/// |text| as one line, control characters blanked, cut to |width| columns.
std::string one_line(std::string_view text, std::size_t width);

/// `POST /payments` or the command, cut to |width|: the resolved input of a `start` entry for people.
std::string preview_of_input(const Json& input, std::size_t width);
/// The kind of the step that asks for |input|: http, shell or exec. Empty: the input does not say.
std::string_view kind_of_input(const Json& input);

}  // namespace flowrun
