// The run's folder where others can write: what they lay there is neither written to, read nor executed.
#include "engine/executor/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/model/error.h"
#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::run_folder_test {
namespace {

namespace fs = std::filesystem;

/// What check() and make() say of runs/ID in |dir|; both the same.
std::string refusal(const TempDir& dir) {
  std::string said;
  for (bool make : {false, true}) {
    RunFolder folder(dir.path("runs/ID"));
    try {
      make ? folder.make() : folder.check();
      return "";
    } catch (const Error& error) {
      CHECK(error.problem() == Problem::Journal);
      said = error.what();
    }
  }
  return said;
}

void put(const std::string& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The files of ours, each a way in which one is opened.
int opened(const RunFolder& folder, int way) {
  return way == 0 ? folder.create("file") : way == 1 ? folder.append("file") : folder.read("file");
}

}  // namespace

TEST_CASE("the folder of a run is made for its user alone, and used again") {
  TempDir dir;
  for (int round = 0; round < 2; ++round) {
    RunFolder folder(dir.path("runs/ID"));
    CHECK_NOTHROW(folder.check());
    folder.make();
    for (const char* name : {"runs", "runs/ID"})
      CHECK((fs::status(dir.path(name)).permissions() & fs::perms::mask) == fs::perms::owner_all);
  }
}

TEST_CASE("a folder of a run that is not its user's alone is refused, and the message says what to do") {
  TempDir dir;
  const std::string which = GENERATE("runs", "runs/ID");
  fs::create_directories(dir.path("runs/ID"));
  fs::create_directories(dir.path("elsewhere"));
  INFO(which);
  std::string expected;
  SECTION("everybody may write there") {
    fs::permissions(dir.path(which), fs::perms(0777));
    expected = "chmod go-w";
  }
  SECTION("a group may write there") {
    fs::permissions(dir.path(which), fs::perms(0770));
    expected = "chmod go-w";
  }
  SECTION("it is a link") {
    fs::remove_all(dir.path(which));
    fs::create_directory_symlink(dir.path("elsewhere"), dir.path(which));
    expected = "it is a link";
  }
  SECTION("it is a file") {
    fs::remove_all(dir.path(which));
    put(dir.path(which), "");
    expected = "no folder";
  }
  SECTION("it is somebody else's") {
    if (geteuid() != 0) return;  // only root can give it away
    REQUIRE(chown(dir.path(which).c_str(), 65534, 65534) == 0);
    expected = "belongs to another user";
  }
  const std::string said = refusal(dir);
  INFO(said);
  CHECK(said.find(dir.path(which)) != said.npos);
  CHECK(said.find(expected) != said.npos);
  CHECK(said.find("--journal") != said.npos);
  CHECK(fs::is_empty(dir.path("elsewhere")));
}

TEST_CASE("a name of ours that somebody has taken is not written through, not read and not waited for") {
  TempDir dir;
  RunFolder folder(dir.path("runs/ID"));
  folder.make();
  const std::string file = dir.path("runs/ID/file"), victim = dir.write("victim", "precious");
  const int way = GENERATE(0, 1, 2);
  INFO(way);
  bool follows = false;
  SECTION("by a link") { fs::create_symlink(victim, file); }
  SECTION("by a link to nothing") { fs::create_symlink(dir.path("new"), file); }
  SECTION("by a second name") {
    fs::create_hard_link(victim, file);
    follows = way == 2;  // to read what somebody wrote harms nobody
  }
  SECTION("by a pipe") { REQUIRE(mkfifo(file.c_str(), 0666) == 0); }
  SECTION("by a folder") { fs::create_directory(file); }
  const int descriptor = opened(folder, way);
  if (descriptor >= 0) {
    CHECK((way == 0 || follows));
    if (way == 0) CHECK(write(descriptor, "ours", 4) == 4);
    close(descriptor);
    if (way == 0) CHECK(content(file) == "ours");
  }
  CHECK(content(victim) == "precious");
  CHECK_FALSE(fs::exists(dir.path("new")));
}

TEST_CASE("answers and scripts replace what was laid in their place") {
  Pool pool;
  HttpServer server;
  server.Get("/", [](const auto&, auto& response) { response.set_content("the answer", "text/plain"); });
  server.start();
  // The names are no secret; so whoever may write there could lay links for all of them.
  Task get;
  get.path = "fetch";
  HttpRequest request;
  request.url = server.url("/");
  request.method = "GET";
  request.response = HttpRequest::Response::File;
  get.work = request;
  fs::create_directories(pool.run_dir());
  fs::permissions(fs::path(pool.run_dir()).parent_path(), fs::perms::owner_all);
  fs::permissions(pool.run_dir(), fs::perms::owner_all);
  const std::string victim = pool.folder().write("victim", "precious");
  const auto bait = [&](const std::string& name) { fs::create_symlink(victim, pool.run_dir() + "/" + name); };
  bait(fmt::format("body-{:016x}-{}", std::hash<std::string>{}("fetch"), get.attempt));
  Task script = shell("echo " + std::string(200'000, ' ') + " done", "long");
  process_of(script).capture = Process::Capture::Text;
  bait(fmt::format("script-{:016x}-{}", std::hash<std::string>{}("long"), script.attempt));
  Result fetched = pool.run(std::move(get));
  REQUIRE(fetched.ok());
  CHECK(content(pool.run_dir() + "/" + fetched.value.json()["path"].get<std::string>()) == "the answer");
  Result ran = pool.run(std::move(script));
  REQUIRE(ran.ok());
  CHECK(ran.value.json() == "done");
  CHECK(content(victim) == "precious");
}

TEST_CASE("a run whose folder others may write to is refused before anything is started") {
  TempDir dir;
  const std::string file =
      dir.write("w.yaml", "flowrun: 1\nsteps: { a: { shell: touch \"$MARK\" }, b: { wait: go } }\n");
  HowToRun how;
  how.env["MARK"] = dir.path("mark");
  const std::string journal = dir.path("journal.db");
  fs::create_directories(dir.path("runs"));
  fs::permissions(dir.path("runs"), fs::perms(0777));
  Ran ran = flowrun(journal, {"run", file, "--id", "r", "--no-wait"}, how);
  INFO(ran.err);
  CHECK(ran.code == 9);
  CHECK(ran.err.find("chmod go-w " + dir.path("runs")) != ran.err.npos);
  CHECK_FALSE(fs::exists(dir.path("mark")));
  fs::permissions(dir.path("runs"), fs::perms(0700));
  ran = flowrun(journal, {"run", file, "--id", "r", "--no-wait"}, how);
  INFO(ran.err);
  REQUIRE(ran.code == 4);
  fs::permissions(dir.path("runs/r"), fs::perms(0777));
  for (const char* command : {"resume", "cancel"}) {
    ran = flowrun(journal, {command, "r"}, how);
    INFO(ran.err);
    CHECK(ran.code == 9);
  }
}

TEST_CASE("a journal that is moved with its runs goes on where it is") {
  TempDir dir;
  // The link stands for the folder that is restored: what processes need is elsewhere.
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  - id: first
    shell: echo one > "$FLOWRUN_RUN_DIR/kept"; echo "${FLOWRUN_RUN_DIR}"
  - id: gate
    wait: go
  - id: second
    shell: cat "$DIR/kept"; test "$DIR" = "$FLOWRUN_RUN_DIR"; echo "$DIR"
    env: { DIR: "${ $run.dir }" }
output: "${ [$steps.first, $steps.second] }"
)");
  fs::create_directories(dir.path("old"));
  Ran ran = flowrun(dir.path("old/journal.db"), {"run", file, "--id", "r", "--no-wait"});
  INFO(ran.err);
  REQUIRE(ran.code == 4);
  fs::rename(dir.path("old"), dir.path("new"));
  const std::string journal = dir.path("new/journal.db");
  const auto canonical = [&](const char* name) { return fs::canonical(dir.path()).string() + name; };
  REQUIRE(flowrun(journal, {"approve", "r", "go"}).code == 0);
  ran = flowrun(journal, {"resume", "r"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == Json{canonical("/old/runs/r"), "one\n" + canonical("/new/runs/r")}.dump() + "\n");
  CHECK_FALSE(fs::exists(dir.path("old")));
  ran = flowrun(journal, {"journal", "verify", "r"});
  INFO(ran.out);
  CHECK(ran.code == 0);
}

}  // namespace flowrun::test::run_folder_test
