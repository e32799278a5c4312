#include "cli/drive.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "cli/ask.h"
#include "cli/render.h"
#include "cli/report.h"
#include "cli/result_json.h"
#include "cli/runs.h"
#include "cli/terminal.h"
#include "engine/journal/typed_command.h"
#include "engine/model/entry_reading.h"
#include "engine/run/clocks.h"
#include "engine/run/drive_loop.h"
#include "engine/run/step_paths.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

constexpr std::size_t kNamed = 5, kMostLeft = 5;  // of steps, and of processes, in one message
constexpr int kBadInput = 3;                      // as for Problem::Invalid

/// Whether its text was in no file: its one step runs nothing again that had succeeded, so the tally is right.
bool is_each(const RunRecord& record) { return record.file.empty(); }

void note_cut_off(const std::vector<InFlight>& cut_off, bool interrupted, const char* how) {
  std::size_t again = 0;
  std::string names;
  for (const InFlight& flight : cut_off)
    if (flight.interrupted == interrupted && ++again <= kNamed) names += " " + flight.path;
  if (again > 0)
    std::fprintf(stderr, "note: %zu %s %s:%s%s\n", again, again == 1 ? "step was" : "steps were", how, names.c_str(),
                 again > kNamed ? " ..." : "");
}

}  // namespace

void add_drive_options(Command& command, DriveFlags& options, bool json) {
  command.add_option("--grace", options.grace, "How long running steps may finish after an interrupt")
      ->type_name("D")
      ->shows_default();
  command.add_flag("--no-wait", options.drive.no_wait,
                   "When only waits, or sleeps over 60 s, remain, suspend and exit 4");
  add_progress_option(command, options.progress);
  add_logs_option(command, options.logs);
  if (json) command.add_flag("--json", options.json, "Print one JSON object at the end");
  if (json) command.add_flag("--no-memo", options.no_memo, "Take no results of earlier runs; keep its own");
  command.add_option("--events", options.events, "Write each journal entry as a line of JSON, as it is committed")
      ->type_name("FILE|-");
  command
      .add_option("--report", options.reports,
                  "At the end write a report: html, junit, markdown, mermaid, otlp or perfetto")
      ->repeatable()
      ->type_name("FORMAT:FILE");
  command
      .add_option("--summary", options.summary,
                  "At the end add a summary in Markdown to this file; else to $GITHUB_STEP_SUMMARY")
      ->type_name("FILE");
}

namespace {

/// The two parts of FORMAT:FILE; throws Error(Usage).
std::pair<std::string, std::string> report_option(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string format = text.substr(0, colon);
  const std::vector<std::string> known = report_formats();
  if (colon == std::string::npos || colon + 1 == text.size() ||
      std::find(known.begin(), known.end(), format) == known.end())
    throw Error(Problem::Usage,
                fmt::format("--report {}: write {}:FILE", text, fmt::join(report_formats(), ":FILE, ")));
  return {format, text.substr(colon + 1)};
}

}  // namespace

void refuse_drive_options(const DriveFlags& flags, const char* option, bool on_crash) {
  const DriveFlags none;
  for (const auto& [given, name] : {std::pair{flags.json, "--json"},
                                    {!flags.events.empty(), "--events"},
                                    {!flags.reports.empty(), "--report"},
                                    {!flags.summary.empty(), "--summary"},
                                    {flags.drive.no_wait, "--no-wait"},
                                    {flags.no_memo, "--no-memo"},
                                    {flags.grace != none.grace, "--grace"},
                                    {flags.progress != none.progress, "--progress"},
                                    {flags.logs != none.logs, "--logs"},
                                    {on_crash, "--on-crash"}})
    if (given) throw Error(Problem::Usage, fmt::format("{}: {} is of a run that this process drives", option, name));
}

Duration duration_option(const std::string& text, const char* option) {
  auto span = parse_duration(text);
  if (!span)
    throw Error(Problem::Usage, fmt::format("{} {} is no duration; write for example 30s or 5m", option, text));
  return *span;
}

Drive::Drive(const Context& context, const DriveFlags& flags, Journal& journal)
    : context_(context), flags_(flags), options_(flags.drive), journal_(journal), began_(wall_clock()) {
  options_.grace = duration_option(flags_.grace, "--grace");
  std::vector<std::string> writers;
  if (flags_.json) writers.emplace_back("--json");
  if (flags_.events == "-") writers.emplace_back("--events -");
  for (const std::string& report : flags_.reports)
    if (report_option(report).second == "-") writers.push_back("--report " + report);
  if (flags_.summary == "-") writers.emplace_back("--summary -");
  if (writers.size() > 1)
    throw Error(Problem::Usage,
                fmt::format("{} and {} both write to standard output; choose one", writers[0], writers[1]));
}

void Drive::opens(const Loaded& loaded, const std::string& run) {
  if (!flags_.events.empty()) events_ = std::make_unique<EventStream>(flags_.events, &stop_asked);
  // Lines of JSON on the same terminal would stand in the midst of the live view.
  const bool shared = (flags_.events == "-" || items_) && stdout_is_terminal();
  shown_ = progress_kind(context_, shared && flags_.progress == "auto" ? "plain" : flags_.progress);
  progress_ = make_progress(context_, shown_, journal_.path());
  if (!run.empty()) show_logs(run);
  if (progress_) {
    progress_->plan(outline(loaded.workflow), answer_data(loaded), loaded.file);
    progress_->run(run);
  }
  spans_ = export_spans(otlp_, loaded.workflow, context_.quiet);
  began_ = wall_clock();
  hear_signals();
}

void Drive::print_items(std::string path, bool ordered) {
  items_ = std::make_unique<ItemLines>(journal_, std::move(path), ordered, &stop_asked);
}

void Drive::show_logs(const std::string& run) {
  // What items say stands in their own lines.
  if (items_ && flags_.logs == "auto") return;
  logs_ = make_step_logs(context_, flags_.logs, shown_, journal_.run_dir(run));
}

bool Drive::reader_gone() {
  if (!gone_.empty()) return true;
  if (events_ && !events_->lost().empty()) {
    gone_ = events_->lost();
  } else if (items_ && !items_->lost().empty()) {
    gone_ = items_->lost();
  } else if (stderr_is_unread()) {
    gone_ = "standard error can not be written: nobody reads it any more";
  }
  return !gone_.empty();
}

void Drive::file_changed(const std::string& file, bool gone) {
  std::fprintf(stderr, "note: %s %s; the run goes on with its own copy\n", file.c_str(),
               gone ? "is gone" : "has changed since");
}

void Drive::folder_gone(const std::string& folder, const std::string& home) {
  std::fprintf(stderr, "note: the folder %s is gone; steps run in %s from here on\n", folder.c_str(), home.c_str());
}

std::vector<Mark> Drive::answers(const RunRecord& run, const std::vector<OpenQuestion>& questions) {
  auto marks = context_.no_input ? std::nullopt : ask(questions, &stop_asked);
  if (!marks) throw unanswered(questions, journal_.path(), run.id);
  return std::move(*marks);
}

void Drive::resumes(const RunRecord& run, const std::vector<InFlight>& cut_off) {
  if (context_.quiet) return;
  std::fprintf(stderr, "run %s resumed\n", run.id.c_str());
  note_cut_off(cut_off, false, "in flight when the run was cut off");
  note_cut_off(cut_off, true, "stopped when the run was suspended");
}

void Drive::opened(const OpeningNotes& notes) {
  if (!context_.quiet)
    for (const std::string& note : notes.secrets) std::fprintf(stderr, "%s\n", note.c_str());
  if (!context_.quiet)
    for (const std::string& note : notes.elsewhere) std::fprintf(stderr, "note: %s\n", note.c_str());
  for (const Leftover& leftover : notes.leftovers)
    std::fprintf(
        stderr, "note: process %d of step %s (%s) %s\n", leftover.pid, leftover.step.c_str(),
        one_line(leftover.command, 60).c_str(),
        leftover.ended ? "still ran, and was ended" : "still runs; its step had finished, so it is left alone");
}

void Drive::entry(const Entry& entry) {
  if (entry.kind == EntryKind::RunStarted) {
    const std::string id = as<RunStarted>(entry).id;
    show_logs(id);
    if (progress_) progress_->run(id);
    if (!context_.quiet) std::fprintf(stderr, "run %s\n", id.c_str());
  }
  if (events_) events_->write(entry);
  if (items_) items_->entry(entry);
  if (spans_) spans_->entry(entry);
  if (logs_) logs_->before(entry);
  if (progress_) {
    tally_.add(entry);
    progress_->entry(entry);
  }
  if (logs_) logs_->after(entry);
}

void Drive::drives(Run* run) { wake_by_signals(run); }

EndAsked Drive::end_asked() {
  const int signals = signals_heard();
  return {signals, reader_gone(), signals > 0 ? last_signal() : SIGPIPE};
}

void Drive::ends(const Ending& ending) {
  const bool one = ending.running == 1;
  switch (ending.how) {
    case Ending::How::Cancelled:
      return note("stopping: the run is cancelled, as `on_signal` says; once more suspends it");
    case Ending::How::Finishes:
      return note(fmt::format("stopping: {} running {} may finish within {}; once more stops now", ending.running,
                              one ? "step" : "steps", to_string(ending.span)));
    case Ending::How::Told:
      return note(fmt::format("stopping: {} {} told to end and {} killed after `kill_grace`; once more: after {}",
                              ending.running, one ? "step is" : "steps are", one ? "is" : "are",
                              to_string(ending.span)));
  }
}

void Drive::note(const std::string& text) {
  if (progress_) progress_->note(text);
}

void Drive::earlier(const Entry& entry) {
  if (items_) items_->earlier(entry);
  if (logs_) logs_->earlier(entry);
  if (spans_) spans_->earlier(entry);
  if (!progress_) return;
  tally_.add(entry);
  progress_->earlier(entry);
}

void Drive::turned(const Run& run) {
  if (logs_) logs_->turned();
  if (items_) items_->turned(run);
  const Run::Backlog backlog = run.backlog();
  tell_elsewhere(backlog.elsewhere);
  if (progress_)
    progress_->turned(wall_clock(), {tally_.ok(), tally_.failed(), &run.machine(), backlog.in_line, backlog.shared,
                                     backlog.looked_for});
}

Duration Drive::patience() const {
  const Duration most = progress_ ? progress_->patience() : FrontEnd::patience();
  return logs_ ? std::min(most, StepLogs::kLook) : most;
}

void Drive::disk(bool full) {
  std::fputs(full ? "warning: the disk is full; nothing new is started, results wait in memory; make room and it goes "
                    "on\n"
                  : "note: there is room on the disk again; the run goes on\n",
             stderr);
}

void Drive::tell_elsewhere(const std::string& why) {
  if (std::exchange(troubled_, !why.empty()) == troubled_ || context_.quiet) return;
  std::fprintf(stderr, "note: %s\n", why.empty() ? "what others carry out goes on" : why.c_str());
}

int Drive::finish(Run& run, bool printed) {
  drive(run, options_, *this);
  if (items_) items_->turned(run);
  if (progress_) progress_->over();
  const int code = write_reports(run.record().id, report(run, printed && !output_taken()));
  // Last, so that nobody waits for a collector to see how the run ended, or to go on with it.
  journal_.let_go();
  if (spans_) spans_->finish();
  return code;
}

int Drive::finish_ended(const RunRecord& record) {
  if (flags_.json) {
    print_result(run_json(record).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  } else if (!record.output.is_null() && !output_taken()) {
    print_value(record.output);
  }
  return write_reports(record.id, record.state == RunState::Succeeded ? 0 : 1);
}

bool Drive::output_taken() const {
  return flags_.events == "-" || flags_.summary == "-" ||
         std::any_of(flags_.reports.begin(), flags_.reports.end(),
                     [](const std::string& report) { return report_option(report).second == "-"; });
}

int Drive::report(Run& run, bool printed) {
  const RunRecord& record = run.record();
  reader_gone();  // also of what was written last
  if (!gone_.empty()) std::fprintf(stderr, "error: %s\n", gone_.c_str());
  const bool ended = run.machine().phase() == Machine::Phase::Ended;
  if (ended) {
    const int code = report_end(run, printed);
    tell_left_behind(run);
    const bool lost = (events_ && !events_->lost().empty()) || (items_ && !items_->lost().empty());
    return lost ? kOutputLost : code;
  }
  tell_left_behind(run);
  const std::string trouble = run.items() ? run.items()->trouble() : "";
  if (!trouble.empty()) std::fprintf(stderr, "error: standard input: %s\n", trouble.c_str());
  if (run.machine().stream() && run.machine().stream()->is_open()) {
    std::fprintf(stderr, "suspended: the same command with --id %s and its input goes on\n", record.id.c_str());
  } else {
    std::fprintf(stderr, "suspended: %s goes on\n", typed_command({"resume", record.id}, journal_.path()).c_str());
  }
  if (flags_.json) print_result(result_json(journal_, run, wall_clock() - began_));
  if (!gone_.empty()) return kOutputLost;
  if (stop_asked()) return code_of_signal();
  return trouble.empty() ? 4 : kBadInput;
}

bool Drive::write_one(const std::string& run, const std::string& format, const std::string& file, bool append) const {
  const auto tell = [](const char* what) {
    std::fprintf(stderr, "warning: the report is not written: %s\n", what);
    return false;
  };
  try {
    const std::string text = report_of(journal_, *journal_.find_exact(run), format);
    if (file == "-") {
      print_result(text);
    } else {
      append ? append_report(file, text) : write_report(file, text);
    }
    return true;
  } catch (const Error& error) {
    return tell(error.what());
  } catch (const OutputLost& lost) {
    return tell(lost.what());
  }
}

int Drive::write_reports(const std::string& run, int code) {
  if (events_ && !events_->lost().empty()) lost_ = true;
  for (const std::string& report : flags_.reports) {
    const auto [format, file] = report_option(report);
    if (!write_one(run, format, file, false)) lost_ = true;
  }
  if (!flags_.summary.empty()) {
    if (!write_one(run, "markdown", flags_.summary, true)) lost_ = true;
  } else if (const char* file = std::getenv("GITHUB_STEP_SUMMARY"); file && *file != '\0') {
    // Nobody has asked for it by name: to lose it is no failure.
    write_one(run, "markdown", file, true);
  }
  return exit_code(code);
}

void Drive::tell_left_behind(const Run& run) {
  if (context_.quiet) return;
  std::size_t told = 0;
  const std::vector<Leftover> left = run.left_behind();
  for (const Leftover& leftover : left) {
    if (++told > kMostLeft) break;
    std::fprintf(stderr, "warning: process %d of step %s (%s) still runs; stop it, or say `leave: true`\n",
                 leftover.pid, leftover.step.c_str(), one_line(leftover.command, 60).c_str());
  }
  if (left.size() > kMostLeft) std::fprintf(stderr, "warning: and %zu more\n", left.size() - kMostLeft);
}

int Drive::report_end(Run& run, bool printed) {
  const Outcome& outcome = run.machine().outcome();
  const RunRecord& record = run.record();
  if (progress_) {
    std::size_t good = tally_.ok(), bad = tally_.failed();
    if (tally_.reopened() && !is_each(record)) {
      std::map<std::string, std::size_t> counts = history_of(journal_, record).counts();
      good = counts["succeeded"];
      bad = counts["failed"];
    }
    progress_->closed(wall_clock(),
                      {record.id, run_state_from(outcome.state), wall_clock() - record.started_at, good, bad});
  }
  if (flags_.json) {
    print_result(result_json(journal_, run, wall_clock() - began_));
  } else if (!printed) {
    // Standard output is somebody else's, or has had it before.
  } else if (run.loaded().workflow.has_output && (outcome.ok() || !outcome.output.is_null())) {
    print_value(outcome.output);
  } else if (outcome.ok() && !context_.quiet) {
    std::fprintf(stderr, "no `output` in the workflow; %s shows a step's\n",
                 typed_command({"output", record.id, "--step", "NAME"}, journal_.path()).c_str());
  }
  if (outcome.ok()) return 0;
  Failure failure = outcome.failure ? *outcome.failure : Failure{"internal", "it ended without saying why"};
  std::vector<OutlineRow> rows = outline(run.loaded().workflow);
  const OutlineRow* row = find_row(rows, failure.step);
  // Of `each`, which may have had millions of items, the failure says enough.
  const History history = is_each(record) ? History() : history_of(journal_, record);
  std::fputs(failure_text(record, failure, history, row, journal_.path()).c_str(), stderr);
  const bool by_signal = stop_asked() && run.machine().signals_cancel() && outcome.state == State::Cancelled;
  return by_signal ? code_of_signal() : 1;
}

}  // namespace flowrun::cli
