#include "cli/progress/progress.h"

#include <unistd.h>

#include <algorithm>

#include "cli/progress/github_progress.h"
#include "cli/progress/live_progress.h"
#include "cli/progress/plain_progress.h"
#include "cli/terminal.h"
#include "engine/model/error.h"

namespace flowrun::cli {

std::size_t Standing::running() const {
  // The line may have moved on since the machine was told of it.
  const std::size_t started = machine ? machine->in_flight_count() : 0;
  std::size_t waiting = in_line + looked_for;
  for (const auto& [name, count] : shared) waiting += count;
  return started - std::min(started, waiting);
}

void add_progress_option(Command& command, std::string& word) {
  command.add_option("--progress", word, "Progress on standard error: auto, tty, plain, github, none")
      ->one_of({"auto", "tty", "plain", "github", "none"})
      ->envname("FLOWRUN_PROGRESS");
}

ProgressKind progress_kind(const Context& context, const std::string& word) {
  if (context.quiet || word == "none") return ProgressKind::None;
  const bool possible = LiveProgress::possible(STDERR_FILENO);
  if (word == "tty" && !possible)
    throw Error(Problem::Usage, "--progress tty: standard error is no terminal that moves its cursor; choose plain");
  if (word == "github" || (word == "auto" && in_github_job())) return ProgressKind::Github;
  return word == "plain" || !possible ? ProgressKind::Plain : ProgressKind::Live;
}

std::unique_ptr<Progress> make_progress(const Context& context, ProgressKind kind, const std::string& journal) {
  const bool every = context.verbose > 0;
  switch (kind) {
    case ProgressKind::None:
      break;
    case ProgressKind::Plain:
      return std::make_unique<PlainProgress>(journal, every);
    case ProgressKind::Github:
      return std::make_unique<GithubProgress>(journal, every);
    case ProgressKind::Live:
      return std::make_unique<LiveProgress>(STDERR_FILENO, journal, live_style(context.color), every);
  }
  return nullptr;
}

}  // namespace flowrun::cli
