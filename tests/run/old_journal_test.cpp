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

namespace flowrun::test::old_journal_test {
namespace {

const std::filesystem::path kOld = FLOWRUN_SOURCE_DIR "/tests/run/b203ae0";

Json said(const std::string& name) {
  std::ifstream in(kOld / name);
  REQUIRE(in);
  return Json::parse(in);
}

/// The first column of what |sql| finds, or does to |journal|.
std::vector<std::string> rows(const std::string& journal, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(journal.c_str(), &database) == SQLITE_OK);
  std::vector<std::string> found;
  const int result = sqlite3_exec(
      database, sql.c_str(),
      [](void* into, int, char** row, char**) {
        static_cast<std::vector<std::string>*>(into)->push_back(row[0] ? row[0] : "");
        return 0;
      },
      &found, nullptr);
  sqlite3_close(database);
  REQUIRE(result == SQLITE_OK);
  return found;
}

/// Entries of runs whose kinds have the names of schema 1, and the version that the file says.
constexpr const char* kOldNames = "SELECT id FROM entries WHERE kind IN ('cancel', 'run_undone')";
constexpr const char* kVersion = "PRAGMA user_version";

/// The kinds of |run| as `journal show` names them.
std::vector<std::string> shown_kinds(const std::string& journal, const std::string& run) {
  std::istringstream lines(flowrun(journal, {"journal", "show", run, "--json"}).out);
  std::vector<std::string> kinds;
  for (std::string line; std::getline(lines, line);) kinds.push_back(Json::parse(line).at("kind"));
  return kinds;
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
  const std::string journal = copied(dir);
  const std::vector<std::string> found = rows(journal, "SELECT DISTINCT kind FROM entries");
  const std::set<std::string> kinds(found.begin(), found.end());
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

TEST_CASE("who only looks at an old journal leaves it as it is, and calls its entries by their new names") {
  TempDir dir;
  const std::string journal = copied(dir);
  const std::vector<std::string> before = rows(journal, "SELECT kind || sum FROM entries ORDER BY id");
  CHECK(flowrun(journal, {"journal", "verify", "--all"}).code == 0);
  std::set<std::string> kinds;
  for (const std::string& run : rows(journal, "SELECT id FROM runs"))
    for (const std::string& kind : shown_kinds(journal, run)) kinds.insert(kind);
  CHECK(kinds.count("cancel_requested") + kinds.count("undo_requested") == 2);
  CHECK(kinds.count("cancel") + kinds.count("run_undone") == 0);
  CHECK(rows(journal, kVersion) == std::vector<std::string>{"1"});
  CHECK(rows(journal, "SELECT kind || sum FROM entries ORDER BY id") == before);
}

TEST_CASE("what first writes to an old journal renames its entries, and every sum and decision still holds") {
  TempDir dir;
  const std::string journal = copied(dir);
  REQUIRE(rows(journal, kOldNames).size() >= 2);
  const auto entries = [&] { return rows(journal, "SELECT id || path || attempt || at || data FROM entries"); };
  const std::vector<std::string> before = entries(), sums = rows(journal, "SELECT sum FROM entries");
  const std::size_t renamed = rows(journal, kOldNames).size();

  CHECK(flowrun(journal, {"signal", "asks", "go", "--data", "{\"by\":\"us\"}"}).code == 0);
  CHECK(rows(journal, kVersion) == std::vector<std::string>{"2"});
  CHECK(rows(journal, kOldNames).empty());
  CHECK(rows(journal, "SELECT id FROM entries WHERE kind IN ('cancel_requested', 'undo_requested')").size() == renamed);
  CHECK(entries() == before);
  CHECK(rows(journal, "SELECT sum FROM entries") != sums);
  const Ran verified = flowrun(journal, {"journal", "verify", "--all"});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}

TEST_CASE("what is damaged in an old journal is found after it was written to, too, and only there") {
  TempDir dir;
  const std::string journal = copied(dir);
  // A byte of an entry before one that has an old name, in one of the runs.
  const std::string run = rows(journal, "SELECT max(id) >> 40 FROM entries WHERE kind = 'run_undone'").at(0);
  rows(journal, "UPDATE entries SET at = at + 1 WHERE id = (" + run + " << 40) + 1");
  const auto bad = [&] {
    std::vector<std::string> runs;
    std::istringstream lines(flowrun(journal, {"journal", "verify", "--all"}).out);
    for (std::string line; std::getline(lines, line);)
      if (line.find("  BAD  ") != line.npos) runs.push_back(line);
    return runs;
  };
  const std::vector<std::string> before = bad();
  REQUIRE(before.size() == 1);
  CHECK(flowrun(journal, {"signal", "asks", "go", "--data", "{\"by\":\"us\"}"}).code == 0);
  CHECK(rows(journal, kVersion) == std::vector<std::string>{"2"});
  CHECK(bad() == before);
  for (const std::string& id : rows(journal, kOldNames)) CHECK(std::to_string(std::stoll(id) >> 40) == run);
}

}  // namespace flowrun::test::old_journal_test
