// Runs of the program as it was at b203ae0 are read, proved and gone on with by this one. b203ae0/ has its journal, and
// what it said of the runs (list --json) and of their steps (show --json) itself. Entries `evaluated` and `withdrawn`
// are not in it.
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
namespace {

const std::filesystem::path kOld = FLOWRUN_SOURCE_DIR "/tests/run/b203ae0";

Json said(const std::string& name) {
  std::ifstream in(kOld / name);
  REQUIRE(in);
  return Json::parse(in);
}

/// A copy that may be written to.
std::string copied(const TempDir& dir) {
  const std::string journal = dir.path("journal.db");
  std::filesystem::copy_file(kOld / "journal.db", journal);
  std::filesystem::permissions(journal, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return journal;
}

}  // namespace

TEST_CASE("the old journal has these kinds of entries, so that what follows is about them") {
  TempDir dir;
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(copied(dir).c_str(), &database) == SQLITE_OK);
  std::set<std::string> kinds;
  sqlite3_exec(
      database, "SELECT DISTINCT kind FROM entries",
      [](void* into, int, char** row, char**) {
        static_cast<std::set<std::string>*>(into)->insert(row[0]);
        return 0;
      },
      &kinds, nullptr);
  sqlite3_close(database);
  CHECK(kinds == std::set<std::string>{"cancel",      "child",         "ended",        "fired",
                                       "interrupted", "items",         "late",         "reserve",
                                       "reserved",    "run_ended",     "run_reopened", "run_resumed",
                                       "run_started", "run_suspended", "run_undone",   "settled",
                                       "signal",      "start",         "stop",         "suspend_requested",
                                       "timer",       "waiting",       "withdraw"});
}

TEST_CASE("the runs of an old journal are what their program said, and every decision is made again") {
  TempDir dir;
  const std::string journal = copied(dir);
  const Ran verified = flowrun(journal, {"journal", "verify", "--all"});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  const Ran listed = flowrun(journal, {"list", "--json"});
  Json runs = Json::array();
  std::istringstream lines(listed.out);
  for (std::string line; std::getline(lines, line);) runs.push_back(Json::parse(line));
  CHECK(runs == said("list.json"));
  const Json steps_of = said("steps.json");
  for (const auto& [run, steps] : steps_of.items()) {
    INFO(run);
    const Json shown = Json::parse(flowrun(journal, {"show", run, "--json"}).out);
    Json now = Json::array();
    for (const Json& step : shown.at("steps")) now.push_back({step.at("path"), step.at("state"), step.at("attempts")});
    CHECK(now == steps);
    CHECK(flowrun(journal, {"journal", "show", run}).code == 0);
  }
}

TEST_CASE("an old run goes on from where it was, and is looked into") {
  struct Case {
    std::vector<std::string> args;
    int code;
    std::string out;
  };
  const std::vector<Case> cases{
      {{"resume", "cut", "--workdir", "."}, 0, "[\"before\",\"again\",\"after\"]\n"},
      {{"resume", "stopped", "--workdir", "."}, 0, "[\"before\",\"again\",\"after\"]\n"},
      {{"resume", "asks", "--workdir", "."}, 0, "{\"by\":\"us\"}\n"},
      {{"resume", "chain"}, 0, "{\"all\":[0,2,4],\"said\":\"hello world\"}\n"},
      {{"resume", "fails"}, 1, ""},
      {{"output", "each", "--step", "each[4]"}, 0, "8\n"},
      {{"fork", "chain", "--dry-run"},
       0,
       "of run chain 3 steps would be taken over\n   taken over: say\n   taken over: count\n   taken over: nap\n"
       "nothing was started\n"},
  };
  for (const Case& one : cases) {
    TempDir dir;
    const std::string journal = copied(dir);
    HowToRun how;
    how.cwd = dir.path();
    INFO(one.args[0] << " " << one.args[1]);
    if (one.args[0] == "resume" && one.args[1] == "asks")
      REQUIRE(flowrun(journal, {"approve", "asks", "go", "--data", "{\"by\":\"us\"}"}, how).code == 0);
    const Ran ran = flowrun(journal, one.args, how);
    INFO(ran.out << ran.err);
    CHECK(ran.code == one.code);
    if (!one.out.empty()) CHECK(ran.out == one.out);
    const Ran verified = flowrun(journal, {"journal", "verify", "--all"});
    INFO(verified.err);
    CHECK(verified.code == 0);
  }
}

}  // namespace flowrun::test
