// What several commands begin with: reading a workflow, an input file, finding a run.
#pragma once

#include <string>

#include "cli/commands.h"
#include "engine/journal/journal.h"
#include "engine/journal/typed_command.h"
#include "engine/run/load.h"
#include "engine/run/run.h"
#include "engine/run/step_paths.h"

namespace flowrun::cli {

/// Reads and checks a workflow; |jq| has then compiled its expressions. Throws Error(Invalid) with all messages;
/// which end with the |consequence|; warnings print one line unless |quiet|.
Loaded load_or_throw(const std::string& file, Jq& jq, bool quiet, const char* consequence = "; nothing was started");

/// The same of a |text| that is in no file; its relative paths start in the folder of this process.
Loaded load_text_or_throw(const std::string& text, Jq& jq);

OnCrash on_crash_option(const std::string& text);

/// -j of a drive that goes on with a run.
void add_jobs_option(Command& command, int& jobs);
/// --workdir likewise.
void add_workdir_option(Command& command, std::string& workdir);
/// The folder that --workdir names; empty: none. Throws Error(Usage).
std::string workdir_option(const std::string& text);

/// The content of a file, `-` for standard input. Throws Error(Usage) that begins with |option|.
std::string read_input_file(const std::string& name, const std::string& option);

/// The run that a looking command means: the newest when |run| is empty.
RunRecord find_or_newest(const Journal& journal, const std::string& run);

}  // namespace flowrun::cli
