#include "cli/start.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

#include "cli/runs.h"
#include "cli/shell_words.h"
#include "engine/model/value.h"

namespace flowrun::cli {
namespace {

/// The words of FLOWRUN_VIA, as a shell reads them.
std::vector<std::string> via_of_environment() {
  std::vector<std::string> via;
  const char* given = std::getenv("FLOWRUN_VIA");
  if (given && !is_utf8(given)) throw Error(Problem::Usage, "FLOWRUN_VIA is not UTF-8");
  for (const std::string& word : raw_words(given ? given : ""))
    if (!word.empty()) via.push_back(unquoted(word));
  return via;
}

}  // namespace

void add_start_options(Command& command, StartFlags& flags, DriveFlags& drive) {
  command.add_option("--id", flags.options.id, "The run's id; an unfinished run of that id is resumed")
      ->type_name("ID");
  command.add_option("-j,--jobs", drive.jobs, "Processes at once")
      ->range(1, 100000)
      ->envname("FLOWRUN_JOBS")
      ->type_name("N");
  command.add_option("--concurrency", flags.options.concurrency, "Attempts at once")->range(1, 1000000)->type_name("N");
  auto* keep = command.add_flag("-k,--keep-going", flags.keep_going, "At a failure run everything else anyway");
  command.add_flag("--fail-fast", flags.fail_fast, "At a failure cancel what runs")->excludes(keep);
  command.add_option("--timeout", flags.timeout, "Of the run")->type_name("D");
  command.add_option("--workdir", drive.workdir, "Where relative paths start and processes run")->type_name("DIR");
}

void check_id(const std::string& id) {
  if (id.empty()) return;
  bool good = id.size() <= 100 && std::isalnum(static_cast<unsigned char>(id[0]));
  for (char c : id) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-');
  if (!good)
    throw Error(
        Problem::Usage,
        fmt::format(
            "--id {}: an id is of letters, digits, `.`, `_` and `-`, at most 100, and begins with a letter or digit",
            id));
}

StartOptions start_options(const StartFlags& flags, const DriveFlags& drive) {
  StartOptions start = flags.options;
  start.jobs = drive.jobs;
  start.via = via_of_environment();
  start.workdir = workdir_option(drive.workdir);
  if (flags.keep_going) start.fail_fast = FailFast::Continue;
  if (flags.fail_fast) start.fail_fast = FailFast::Cancel;
  if (!flags.timeout.empty()) start.timeout = duration_option(flags.timeout, "--timeout");
  return start;
}

}  // namespace flowrun::cli
