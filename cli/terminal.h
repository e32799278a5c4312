// What a person may be shown. Names, values and messages come from servers, processes, files and other people's
// journals, and a terminal obeys what it is sent. The one filter, for whatever is printed; knows nothing of what it
// says.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace flowrun::cli {

/// |text| without anything that a terminal would obey instead of showing: control characters but for line breaks and
/// tabs, DEL, the C1 controls and those that turn the direction of writing or break lines unseen become \uXXXX, as JSON
/// would write them, so that JSON stays what it is. Bytes that are not UTF-8 become U+FFFD.
std::string shown(std::string_view text);

/// From here on all that is written to stderr by way of stdio is shown like that. To be called once, before the first
/// word.
void guard_stderr();

/// Whether standard output was a terminal when the process began: a pager changes nothing for what is written.
bool stdout_is_terminal();

/// Whether something was written to stderr that nobody reads any more. A closed or full one is the caller's own choice;
/// a pipe without a reader is news.
bool stderr_is_unread();

/// A variable of the environment; empty where there is none.
std::string variable(const char* name);

/// Whether this process is a step of a job of GitHub Actions.
bool in_github_job();

/// Writes a command to the runner of GitHub Actions on stderr, as it is. In jobs of that, what else is written there
/// gives no commands: `::` at the beginning of a line and `##[` become `\u003a:` and `\u0023#[`.
void write_command(const std::string& command);

/// |step_aside| is called before each such write, so that what is drawn at the bottom of the terminal makes room.
/// Empty: nothing is called.
void before_stderr(std::function<void()> step_aside);

}  // namespace flowrun::cli
