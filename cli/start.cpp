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

void add_on_option(Command& command, DriveFlags& drive) {
  command.add_option("--on", drive.on, "Who carries steps out: restate=URL[,admin=URL], or here")->type_name("PLACE");
}

std::string on_option(const DriveFlags& drive, bool begins) {
  if (!drive.on.empty()) return checked_place(drive.on, "--on");
  const char* given = begins ? std::getenv("FLOWRUN_ON") : nullptr;
  return given && *given ? checked_place(given, "FLOWRUN_ON") : "";
}

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
  add_on_option(command, drive);
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
  start.on = on_option(drive, true);
  start.jobs = drive.jobs;
  // The variable is about this machine; who types the option means it.
  if (!start.on.empty() && start.on != "here" && start.jobs > 0) {
    const char* variable = std::getenv("FLOWRUN_JOBS");
    if (!variable || std::atoi(variable) != start.jobs) throw jobs_elsewhere();
    start.jobs = 0;
  }
  start.via = via_of_environment();
  start.workdir = workdir_option(drive.workdir);
  if (flags.keep_going) start.fail_fast = FailFast::Continue;
  if (flags.fail_fast) start.fail_fast = FailFast::Cancel;
  if (!flags.timeout.empty()) start.timeout = duration_option(flags.timeout, "--timeout");
  return start;
}

}  // namespace flowrun::cli
