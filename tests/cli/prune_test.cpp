// flowrun prune: which runs go, which stay, and that nothing of the others is touched.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>

#include "engine/journal/journal.h"
#include "engine/journal/sqlite.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::prune_test {
namespace {

namespace fs = std::filesystem;

struct Stage {
  TempDir dir;
  std::string journal = dir.path("j.db");

  void run(const std::string& id, const std::string& steps, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", dir.write(id + ".yaml", "flowrun: 1\nsteps: " + steps), "--id", id};
    args.insert(args.end(), more.begin(), more.end());
    flowrun(journal, args);
  }
  std::vector<std::string> ids() {
    std::vector<std::string> all;
    std::istringstream lines(flowrun(journal, {"list", "-n", "1000", "--json"}).out);
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line)["run"]);
    return all;
  }
  std::int64_t count(const char* sql) {
    Database database(journal, SQLITE_OPEN_READONLY, journal);
    return database.integer(sql);
  }
};

}  // namespace

TEST_CASE("prune removes runs with their files, and the file shrinks", "[prune]") {
  Stage stage;
  const std::string many =
      "{ m: { for_each: \"${ [range(2000)] }\", do: { set: \"${ $item }\" } }, "
      "f: { shell: 'head -c 300000 /dev/zero | tr \"\\\\0\" x', capture: file } }";
  for (const char* id : {"a", "b", "c"}) stage.run(id, many);
  const auto before = fs::file_size(stage.journal);
  REQUIRE(fs::exists(stage.dir.path("runs/a")));
  const Ran dry = flowrun(stage.journal, {"prune", "--keep", "1", "--dry-run"});
  CHECK(dry.code == 0);
  CHECK(dry.out == "b\na\n");
  CHECK(dry.err.find("2 runs would be removed") != std::string::npos);
  CHECK(stage.ids().size() == 3);
  const Ran done = flowrun(stage.journal, {"prune", "--keep", "1"});
  CHECK(done.code == 0);
  CHECK(done.out == dry.out);
  CHECK(stage.ids() == std::vector<std::string>{"c"});
  CHECK(fs::file_size(stage.journal) < before / 2);
  CHECK(!fs::exists(stage.dir.path("runs/a")));
  CHECK(fs::exists(stage.dir.path("runs/c")));
  CHECK(flowrun(stage.journal, {"journal", "verify", "--all"}).code == 0);
  // A run that was removed can be begun again under its id, and has another number.
  stage.run("a", many);
  CHECK(stage.ids().front() == "a");
  CHECK(stage.count("SELECT max(number) FROM runs") == 4);
}

TEST_CASE("prune keeps texts and values that other runs name, and takes those that none does", "[prune]") {
  Stage stage;
  stage.dir.write("sub.yaml", "flowrun: 1\nsteps: { in: { set: 1 } }\n");
  stage.dir.write("other.yaml", "flowrun: 1\nsteps: { in: { set: 2 } }\n");
  const std::string large =
      "{ v: { shell: 'head -c 1500000 /dev/zero | tr \"\\\\0\" x', max_output: 4MB }, u: { set: \"${ $steps.v }\" }, ";
  stage.run("a", large + "s: { workflow: sub.yaml } }");
  stage.run("b", large + "s: { workflow: sub.yaml }, t: { workflow: other.yaml } }");
  CHECK(stage.count("SELECT count(*) FROM vals") >= 1);
  CHECK(stage.count("SELECT count(*) FROM sources") == 4);
  CHECK(flowrun(stage.journal, {"prune", "b"}).code == 0);
  CHECK(stage.count("SELECT count(*) FROM sources") == 2);
  CHECK(stage.count("SELECT count(*) FROM vals") >= 1);
  CHECK(flowrun(stage.journal, {"journal", "verify", "a"}).code == 0);
  CHECK(flowrun(stage.journal, {"output", "a", "--step", "u"}).out.size() > 1'500'000);
  CHECK(flowrun(stage.journal, {"prune", "a"}).code == 0);
  CHECK(stage.count("SELECT count(*) FROM sources") + stage.count("SELECT count(*) FROM vals") == 0);
}

TEST_CASE("prune leaves alone what is driven, what has not ended and what a fork still needs", "[prune]") {
  Stage stage;
  stage.run("done", "{ a: { set: 1 }, gate: { wait: go, on_timeout: default, timeout: 1ms, default: 1 } }");
  stage.run("ended", "{ a: { set: 1 } }");
  stage.run("waits", "{ gate: { wait: go, timeout: 1h } }", {"--no-wait"});
  stage.run("failed", "{ a: { exec: ['false'] } }");
  // A fork that waits takes over what `ended` did.
  stage.dir.write("fork.yaml", "flowrun: 1\nsteps: { a: { set: 1 }, gate: { wait: go, timeout: 1h } }\n");
  REQUIRE(flowrun(stage.journal, {"fork", "ended", "--file", stage.dir.path("fork.yaml"), "--id", "fork", "--no-wait"})
              .code == 4);
  const std::string file = stage.dir.write("long.yaml", "flowrun: 1\nsteps: { s: { shell: sleep 60 } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "driven", "--journal", stage.journal});
  while (driver.err().find("start     s") == std::string::npos && driver.running()) usleep(5000);

  const Ran all = flowrun(stage.journal, {"prune", "--keep", "0", "--state", "succeeded"});
  CHECK(all.code == 0);
  CHECK(all.err.find("run ended stays: its fork fork has not ended") != std::string::npos);
  const Ran named = flowrun(stage.journal, {"prune", "driven", "ended", "waits"});
  CHECK(named.code == 8);
  CHECK(named.out == "waits\n");
  CHECK(named.err.find(fmt::format("run driven stays: process {} drives it", driver.pid())) != std::string::npos);
  std::vector<std::string> left = stage.ids();
  std::sort(left.begin(), left.end());
  CHECK(left == std::vector<std::string>{"driven", "ended", "failed", "fork"});
  // The driver has gone on meanwhile, and its journal is whole.
  driver.signal(SIGKILL);
  driver.wait();
  CHECK(flowrun(stage.journal, {"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("prune by age and state, and what it refuses", "[prune]") {
  Stage stage;
  stage.run("old", "{ a: { set: 1 } }");
  stage.run("bad", "{ a: { exec: ['false'] } }");
  CHECK(flowrun(stage.journal, {"prune", "--older-than", "1h"}).out.empty());
  CHECK(flowrun(stage.journal, {"prune", "--older-than", "0s", "--state", "failed"}).out == "bad\n");
  CHECK(stage.ids() == std::vector<std::string>{"old"});
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{}, {"--keep", "x"}, {"--older-than", "soon"}, {"old", "--keep", "1"}}) {
    std::vector<std::string> args = {"prune"};
    args.insert(args.end(), wrong.begin(), wrong.end());
    CHECK(flowrun(stage.journal, args).code == 2);
  }
  CHECK(flowrun(stage.journal, {"prune", "nobody"}).code == 8);
  CHECK(stage.ids() == std::vector<std::string>{"old"});
}

TEST_CASE("a fork that has not ended goes together with what it is a fork of, in any order", "[prune]") {
  for (const bool fork_first : {true, false}) {
    Stage stage;
    stage.run("ended", "{ a: { set: 1 } }");
    stage.dir.write("fork.yaml", "flowrun: 1\nsteps: { a: { set: 1 }, gate: { wait: go, timeout: 1h } }\n");
    for (const auto& [of, id] : {std::pair("ended", "fork"), {"fork", "deeper"}})
      REQUIRE(
          flowrun(stage.journal, {"fork", of, "--file", stage.dir.path("fork.yaml"), "--id", id, "--no-wait"}).code ==
          4);
    // One of them stays, so what it needs does.
    CHECK(flowrun(stage.journal, {"prune", "ended", "fork"}).code == 8);
    CHECK(stage.ids().size() == 3);
    std::vector<std::string> words = {"prune", "deeper", "fork", "ended"};
    if (!fork_first) std::reverse(words.begin() + 1, words.end());
    CHECK(flowrun(stage.journal, words).code == 0);
    CHECK(stage.ids().empty());
  }
}

TEST_CASE("beside a run that goes on the journal never gets fewer bytes smaller than none", "[prune]") {
  Stage stage;
  stage.run("old", "{ a: { set: 1 } }");
  const std::string file = stage.dir.write("long.yaml",
                                           "flowrun: 1\nsteps: { m: { for_each: \"${ [range(500)] }\", do: { set: 1 } "
                                           "}, s: { shell: sleep 60, needs: m } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "driven", "--journal", stage.journal});
  while (driver.err().find("start     s") == std::string::npos && driver.running()) usleep(5000);
  const Ran ran = flowrun(stage.journal, {"prune", "old"});
  CHECK(ran.code == 0);
  CHECK(ran.err.find("the journal is ") != std::string::npos);
  CHECK(ran.err.find('-') == std::string::npos);
}

}  // namespace flowrun::test::prune_test
