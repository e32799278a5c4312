// A run at the terminal: shows what happens, passes signals on, asks, and says how it ended. Every command that drives
// shares it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/progress/event_stream.h"
#include "cli/progress/progress.h"
#include "cli/progress/tally.h"
#include "engine/run/front_end.h"
#include "engine/run/history.h"

namespace flowrun::cli {

/// Options of the commands that drive: how, and how that is shown.
struct DriveFlags {
  DriveOptions drive;
  int jobs = 0;
  std::string grace = "5s";
  std::string progress = "auto";
  bool json = false;
  std::string events;                ///< a file, or `-`; empty: none
  std::vector<std::string> reports;  ///< FORMAT:FILE
  std::string summary;               ///< a file that Markdown is added to; empty: none
};

void add_drive_options(Command& command, DriveFlags& flags);
/// -j of a drive that goes on with a run.
void add_jobs_option(Command& command, DriveFlags& flags);

/// The terminal as the front end of a run. Nothing is written or opened before opens().
class Drive : public FrontEnd {
 public:
  Drive(const Context& context, const DriveFlags& flags, const Journal& journal);

  /// Whether a signal asks for an end. Of the whole process: signals are.
  static bool stop_asked();
  /// The exit code of what the newest signal has ended.
  static int code_of_signal();
  /// Drives |run| to its rest, prints its result, or none if not |printed|; returns the exit code.
  int finish(Run& run, bool printed = true);

  void opens(const Loaded& loaded, const std::string& run) override;
  void file_changed(const std::string& file, bool gone) override;
  std::vector<Mark> answers(const RunRecord& run, const std::vector<OpenQuestion>& questions) override;
  void resumes(const RunRecord& run, const std::vector<InFlight>& cut_off) override;
  bool wants_earlier() const override { return progress_ != nullptr; }
  /// The last line counts the whole run.
  void earlier(const Entry& entry) override;
  void still_waits(const Entry& entry) override;
  void notes(const std::vector<std::string>& notes) override;
  void leftovers(const std::vector<Leftover>& leftovers) override;
  void asked_to_end(const RunRecord& run) override;
  void entry(const Entry& entry) override;
  void drives(Run* run) override;
  bool gives_up() const override { return stop_asked(); }
  int ends_asked() override;
  int end_signal() const override;
  void stopping(int running, Duration grace) override;
  void interrupts(int running, Duration hurry) override;
  void turned(const Run& run) override;
  Duration patience() const override;
  void disk(bool full) override;

 private:
  void note(const std::string& text);
  /// Whether what reads the entries or the progress has gone away.
  bool reader_gone();
  void tell_left_behind(const Run& run);
  int report(Run& run, bool printed);
  int report_end(Run& run, bool printed);
  void print_json(Run& run);
  /// Writes the files that were asked for; false when one could not be.
  bool write_reports(const Run& run);

  const Context& context_;
  const DriveFlags& flags_;
  DriveOptions options_;
  std::string journal_;                  ///< its path
  std::unique_ptr<Progress> progress_;   ///< nothing: none is shown
  std::unique_ptr<EventStream> events_;  ///< nothing: nobody asked
  Tally tally_;
  std::string gone_;  ///< what has no reader any more; empty: nothing
  Instant began_{};
};

/// What a run that is over printed, printed again: its output, or its error. Returns its exit code.
int print_ended(const RunRecord& record, bool json);

/// A duration from the command line; throws Error(Usage) naming |option|.
Duration duration_option(const std::string& text, const char* option);

}  // namespace flowrun::cli
