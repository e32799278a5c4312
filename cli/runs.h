// What several commands begin with: reading a workflow, opening a journal, taking a run over.
#pragma once

#include <string>

#include "cli/commands.h"
#include "cli/drive.h"
#include "engine/journal/journal.h"
#include "engine/run/history.h"
#include "engine/run/load.h"
#include "engine/run/run.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {

/// Reads and checks a workflow; |jq| has then compiled its expressions. Throws Error(Invalid) with all messages;
/// which end with the |consequence|; warnings print one line unless |quiet|.
Loaded load_or_throw(const std::string& file, Jq& jq, bool quiet, const char* consequence = "; nothing was started");

/// The run's own copy of its workflow.
Loaded load_own_copy(const Journal& journal, const RunRecord& record, bool for_questions = false);

/// What a run that is taken over is to do. Undo: what is left to be undone; Retry: reopen what did not succeed.
enum class Next { Resume, Retry, Undo };

/// Takes |record| over and drives it; |retry| says what Retry reopens. Returns the exit code.
int go_on(Journal& journal, const RunRecord& record, const ResumeOptions& options, const Context& context,
          const DriveOptions& drive_options, Next next, const RetryOptions& retry = {});

/// What follows `run r has`: succeeded, failed, been cancelled.
std::string ended_as(const std::string& state);

/// Who sends mail to runs: `ann@desk`.
std::string sender();

/// What the run has to say before it goes on, unless nobody wants to know.
void print_notes(const Run& run, const Context& context);

OnCrash on_crash_option(const std::string& text);

/// The content of a file, `-` for standard input. Throws Error(Usage) that begins with |option|.
std::string read_input_file(const std::string& name, const std::string& option);

/// The run that a looking command means: the newest when |run| is empty.
RunRecord looked_at(const Journal& journal, const std::string& run);

}  // namespace flowrun::cli
