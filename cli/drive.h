// Turns a run until it rests, shows what happens, obeys signals, and says how it ended. run, resume and retry share it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/commands.h"
#include "cli/progress/event_stream.h"
#include "cli/progress/plain_progress.h"
#include "engine/run/history.h"
#include "engine/run/run.h"

namespace flowrun::cli {

/// Options of run, resume and retry that say how to drive.
struct DriveOptions {
  std::string grace = "5s";
  bool no_wait = false;
  std::string progress = "auto";
  bool json = false;
  std::string events;  ///< a file, or `-`; empty: none
};

void add_drive_options(Command& command, DriveOptions& options);

/// How many steps have ended how, as the entries tell it, without looking into them for more than that: a run of a
/// million steps has two million entries.
class Tally {
 public:
  void add(const Entry& entry);
  std::size_t ok() const { return ok_; }
  std::size_t failed() const { return failed_.size(); }

 private:
  std::size_t ok_ = 0;
  std::string last_ok_;  ///< the end of an attempt and its step are two entries, one right behind the other
  std::unordered_set<std::string> failed_;
};

/// Listens to a run on behalf of the terminal. Outlives the run.
class Drive {
 public:
  Drive(const Context& context, const DriveOptions& options, const Journal& journal, const Loaded& loaded);
  ~Drive();

  /// To be given to Run::start or Run::take_over.
  Run::Observer observer();
  /// Takes in what earlier drives have journaled: the last line counts the run.
  void catch_up(const Entry& entry) { tally_.add(entry); }
  PlainProgress& progress() { return progress_; }
  /// Whether a signal asks for an end. Of the whole process: signals are.
  static bool stop_asked();
  /// The exit code of what the newest signal has ended.
  static int code_of_signal();
  /// Drives |run| to its rest, prints its result, or none if not |printed|; returns the exit code.
  int finish(Run& run, bool printed = true);

 private:
  void obey(Run& run);
  /// Whether what reads the entries or the progress has gone away.
  bool reader_gone();
  void tell_left_behind(const Run& run);
  int report(Run& run, bool printed);
  int report_end(Run& run, bool printed);
  void print_json(Run& run);

  const Context& context_;
  const DriveOptions& options_;
  Duration grace_;
  std::string journal_;  ///< its path
  PlainProgress progress_;
  std::unique_ptr<EventStream> events_;  ///< nothing: nobody asked
  Tally tally_;
  int asked_ = 0;             ///< how often an end was asked for, by signals and by a reader that went away
  bool interrupted_ = false;  ///< what runs has been told to end
  bool hurried_ = false;      ///< and has little time for it
  std::string gone_;          ///< what has no reader any more; empty: nothing
  bool told_full_ = false;
  std::chrono::steady_clock::time_point asked_at_{};
  Instant began_{};
};

/// What a run that is over printed, printed again: its output, or its error. Returns its exit code.
int print_ended(const RunRecord& record, bool json);

/// A duration from the command line; throws Error(Usage) naming |option|.
Duration duration_option(const std::string& text, const char* option);

}  // namespace flowrun::cli
