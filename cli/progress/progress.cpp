#include "cli/progress/progress.h"

#include <unistd.h>

#include "cli/progress/github_progress.h"
#include "cli/progress/live_progress.h"
#include "cli/progress/plain_progress.h"
#include "cli/terminal.h"
#include "engine/model/error.h"

namespace flowrun::cli {

void add_progress_option(Command& command, std::string& word) {
  command.add_option("--progress", word, "Progress on standard error: auto, tty, plain, github, none")
      ->one_of({"auto", "tty", "plain", "github", "none"})
      ->envname("FLOWRUN_PROGRESS");
}

std::unique_ptr<Progress> make_progress(const Context& context, const std::string& word, const std::string& journal) {
  if (context.quiet || word == "none") return nullptr;
  const bool possible = LiveProgress::possible(STDERR_FILENO);
  if (word == "tty" && !possible)
    throw Error(Problem::Usage, "--progress tty: standard error is no terminal that moves its cursor; choose plain");
  if (word == "github" || (word == "auto" && in_github_job()))
    return std::make_unique<GithubProgress>(journal, context.verbose > 0);
  if (word == "plain" || !possible) return std::make_unique<PlainProgress>(journal, context.verbose > 0);
  return std::make_unique<LiveProgress>(STDERR_FILENO, journal, live_style(context.color), context.verbose > 0);
}

}  // namespace flowrun::cli
