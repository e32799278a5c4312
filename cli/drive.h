// A run at the terminal: shows what happens, passes signals on, asks, and says how it ended. Every command that drives
// shares it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/item_lines.h"
#include "cli/progress/event_stream.h"
#include "cli/progress/progress.h"
#include "cli/progress/step_logs.h"
#include "cli/progress/tally.h"
#include "cli/render.h"
#include "cli/span_export.h"
#include "cli/stop_signals.h"
#include "engine/run/front_end.h"
#include "engine/run/history.h"

namespace flowrun::cli {

/// Options of the commands that drive: how, and how that is shown.
struct DriveFlags {
  DriveOptions drive;
  int jobs = 0;
  std::string workdir;
  std::string on;  ///< --on
  bool no_memo = false;
  std::string grace = "5s";
  std::string progress = "auto", logs = "auto";
  bool json = false;
  std::string events;                ///< a file, or `-`; empty: none
  std::vector<std::string> reports;  ///< FORMAT:FILE
  std::string summary;               ///< a file that Markdown is added to; empty: that of GITHUB_STEP_SUMMARY, if any
};

/// |json|: of a workflow that somebody has written: --json, a summary at the end, and --no-memo.
void add_drive_options(Command& command, DriveFlags& flags, bool json = true);

/// Of a command that drives no run, because a server does: throws Error(Usage) for the first of |flags| that is given,
/// as what |option| has no use for. |on_crash|: so is --on-crash.
void refuse_drive_options(const DriveFlags& flags, const char* option, bool on_crash = false);

/// The terminal as the front end of a run. Nothing is written or opened before opens().
class Drive : public FrontEnd {
 public:
  /// Throws Error(Usage) for |flags| that are none, or of which two write to standard output.
  Drive(const Context& context, const DriveFlags& flags, Journal& journal);

  /// Prints the items of the for_each over standard input, each when it is over. To be called before opens().
  void print_items(std::string path, bool ordered);
  /// Drives |run| to its rest, prints its result, or none if not |printed|, and writes the reports; returns the exit
  /// code.
  int finish(Run& run, bool printed = true);
  /// Of a run in which nothing is left to be driven: prints again what it printed, its output or its record, and writes
  /// the reports; returns the exit code.
  int finish_ended(const RunRecord& record);
  /// Of a run that was not begun, because another has its key; returns the exit code.
  int finish_skipped(const KeyTaken& by);
  /// Whether standard output belongs to the entries or to a report.
  bool output_taken() const;
  /// Writes the reports of the run with the id |run|, when nothing else was to be done; returns the exit code: |code|,
  /// if that is not 0 or all could be written.
  int write_reports(const std::string& run, int code);
  /// The exit code of a drive that has come to |code| in another way than finish() says.
  int exit_code(int code) const { return lost_ && code == 0 ? kOutputLost : code; }

 private:
  /// Says it when what others carry out stops to go on, and when it goes on again.
  void tell_elsewhere(const std::string& why);

  // To the run, which knows it as its front end.
  void opens(const Loaded& loaded, const std::string& run) override;
  Tracing tracing() const override { return otlp_.tracing; }
  bool takes_memo() const override { return !flags_.no_memo; }
  void file_changed(const std::string& file, bool gone) override;
  void folder_gone(const std::string& folder, const std::string& home) override;
  std::vector<Mark> answers(const RunRecord& run, const std::vector<OpenQuestion>& questions) override;
  void resumes(const RunRecord& run, const std::vector<InFlight>& cut_off) override;
  bool wants_earlier() const override { return progress_ || items_ || logs_ || spans_; }
  /// The last line counts the whole run.
  void earlier(const Entry& entry) override;
  void still_waits(const Entry& entry) override {
    if (progress_) progress_->still_waits(entry);
  }
  void opened(const OpeningNotes& notes) override;
  void waits_for(const WaitsFor& other) override;
  void entry(const Entry& entry) override;
  void drives(Run* run) override;
  bool gives_up() const override { return stop_asked(); }
  EndAsked end_asked() override;
  void ends(const Ending& ending) override;
  void turned(const Run& run) override;
  Duration patience() const override;
  void disk(bool full) override;

  void note(const std::string& text);
  /// From now on shows what the processes of |run| say, when that is wanted.
  void show_logs(const std::string& run);
  /// Whether what reads the entries or the progress has gone away.
  bool reader_gone();
  void tell_left_behind(const Run& run);
  int report(Run& run, bool printed);
  int report_end(Run& run, bool printed);
  /// Writes one; tells when it can not be written.
  bool write_one(const std::string& run, const std::string& format, const std::string& file, bool append) const;

  const Context& context_;
  const DriveFlags& flags_;
  DriveOptions options_;
  Journal& journal_;
  std::unique_ptr<Progress> progress_;  ///< nothing: none is shown
  ProgressKind shown_ = ProgressKind::None;
  std::unique_ptr<StepLogs> logs_;       ///< likewise
  std::unique_ptr<EventStream> events_;  ///< nothing: nobody asked
  std::unique_ptr<ItemLines> items_;     ///< likewise
  OtlpSettings otlp_ = otlp_settings_here();
  std::unique_ptr<SpanExport> spans_;  ///< nothing: they go nowhere
  Tally tally_;
  std::string gone_;       ///< what has no reader any more; empty: nothing
  bool troubled_ = false;  ///< people were told that what others carry out does not go on
  bool lost_ = false;      ///< something that was asked for could not be written
  Instant began_{};
};

/// A duration from the command line; throws Error(Usage) naming |option|.
Duration duration_option(const std::string& text, const char* option);

}  // namespace flowrun::cli
