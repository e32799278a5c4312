// Outcomes, values and times as text for people. Writes results to standard output and checks that it could.
#pragma once

#include <cstdio>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/machine/machine.h"
#include "engine/run/history.h"
#include "engine/run/run_log.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {

/// The exit code of OutputLost.
constexpr int kOutputLost = 74;

/// What was asked for can not be written.
class OutputLost : public std::runtime_error {
 public:
  /// To |where|, for the reason that errno gives.
  explicit OutputLost(const std::string& where);
  /// Because what it has to go through fails: |error|.
  explicit OutputLost(const std::exception& error) : std::runtime_error(error.what()) {}
};

/// Writes data to standard output and flushes; throws OutputLost. Exact, but for what a terminal would obey.
void print_result(std::string_view text);
/// The same of what is for people wherever it goes.
void print_view(std::string_view text);
/// What print_result prints goes through |filter| from now on, whole values at a time. Where that throws,
/// print_result throws OutputLost.
void filter_results(std::function<std::string(std::string_view)> filter);
/// |value| as JSON, on one line or |indented| by two.
std::string json_text(const Value& value, bool indented);
/// Prints that with a line break behind it; of a long list element by element, as they are read.
void print_json(const Value& value, bool indented);
/// Prints a result value: text as it is, else as JSON, indented at a terminal.
void print_value(const Value& value);

/// `08:45:12.481` in local time, with the date before it when that is not the one of |now|; left out: the present.
std::string clock_text(Instant at, Instant now = {});
/// `2026-11-23 08:45:12` in local time.
std::string date_text(Instant at);
/// `950 bytes`, `12 kB`, `3.5 MB`.
std::string bytes_text(std::int64_t bytes);

/// What keeps a line waiting: `limit api (max 5)`, `limit api (rate 50/s)`, `concurrency (64)`.
std::string what_binds(const Pools::Line& line, std::size_t concurrency);
/// `; 34 wait for limit api (max 5)` for each line of steps that wait for a slot; |in_line|: for one of the executor;
/// |shared|: for a place of limits that other runs have, too, by name; |looked_for|: for a result of an earlier run.
std::string who_waits(const Machine& machine, std::size_t in_line,
                      const std::map<std::string, std::size_t>& shared = {}, std::size_t looked_for = 0);

/// How |run| stands: `cut off` when it should be driven and nobody does, else its state.
std::string_view standing_of(const RunRecord& run);
/// Whether |run| goes on only when somebody resumes it.
bool waits_for_resume(const RunRecord& run);
/// The end of what |run| has taken so far: its own, the present while it is driven, else when it was last alive.
Instant until_of(const RunRecord& run);

/// A line of a process with its line break; |named|: behind `[STEP] `. Where something is missing it says so.
std::string log_text(const LogLine& line, bool named = true);

// Records for `--json`.
Json run_json(const RunRecord& run);
Json step_json(const StepHistory& step);

/// The file of the workflow at |main| in which |row| stands, which may be that of a sub-workflow; seen from |folder|
/// when it is below that.
std::string file_of(const OutlineRow& row, const std::string& main, const std::string& folder = "");
/// `FILE:LINE` of it. Empty: the workflow is in no file.
std::string place_of(const OutlineRow& row, const std::string& main, const std::string& folder = "");

/// Whether |step| is only there for others in it, which are told by themselves: a parallel that went well.
bool only_holds_others(const StepHistory& step);

/// Rows of cells as aligned columns, two blanks between; the last column is not padded.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// The last lines of a failure, always the same shape; empty for a run that has not failed.
/// |row|: the step that has failed, as it is written, or null. |journal|: its path, for the commands to type next.
std::string failure_text(const RunRecord& run, const Failure& failure, const History& history, const OutlineRow* row,
                         const std::string& journal);

}  // namespace flowrun::cli
