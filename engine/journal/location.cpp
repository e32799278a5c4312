// Where the journal is when nobody says it: flowrun-journal(5) "FILES".
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/journal/journal.h"

namespace flowrun {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// `.flowrun/journal.db` in the nearest folder at or above the working directory that has one; empty when none has.
std::string local_journal() {
  std::error_code error;
  for (fs::path folder = fs::current_path(error); !error; folder = folder.parent_path()) {
    const fs::path candidate = folder / ".flowrun" / "journal.db";
    struct stat status {};
    if (stat(candidate.c_str(), &status) == 0) {
      // Found, not named: in /tmp it may have been laid there for others to write their inputs and results into.
      if (status.st_uid != geteuid())
        throw Error(Problem::Journal, fmt::format("{} belongs to another user; if you mean it, say --journal {}",
                                                  candidate.string(), candidate.string()));
      return candidate;
    }
    if (!folder.has_relative_path()) break;
  }
  return "";
}

}  // namespace

std::string journal_path(const std::string& flag) {
  if (!flag.empty()) return flag;
  if (std::string named = variable("FLOWRUN_JOURNAL"); !named.empty()) return named;
  if (std::string local = local_journal(); !local.empty()) return local;
  // A relative XDG_STATE_HOME is to be ignored (XDG Base Directory Specification).
  if (const fs::path state = variable("XDG_STATE_HOME"); state.is_absolute()) return state / "flowrun/journal.db";
  if (const fs::path home = variable("HOME"); home.is_absolute()) return home / ".local/state/flowrun/journal.db";
  throw Error(Problem::Usage,
              "no place for the journal: HOME is not set; say --journal FILE, or set FLOWRUN_JOURNAL or HOME");
}

}  // namespace flowrun
