// Progress in logs: as plain lines, and as GitHub Actions reads them.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "cli/progress/github_progress.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::progress_test {
namespace {

const char* kMany = R"(flowrun: 1
steps:
  many:
    for_each: ${ [range(200)] }
    key: ${ $item }
    join: best_effort
    do:
      shell: '[ $((X % 50)) != 7 ] || { echo no such thing >&2; exit 3; }'
      env: { X: "${ $item }" }
      retry: { attempts: 2, delay: 1ms }
  gate: { wait: go, timeout: 1h }
)";

struct Stage {
  TempDir dir;
  std::map<std::string, std::string> env;
  Ran run(const std::string& text, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", dir.write("w.yaml", text), "--no-wait"};
    args.insert(args.end(), more.begin(), more.end());
    HowToRun how;
    how.env = env;
    how.cwd = dir.path();
    return flowrun(dir.path("j.db"), args, how);
  }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

}  // namespace

TEST_CASE("of a large for_each plain progress tells failures and tenths, with -v each item", "[progress]") {
  Stage stage;
  const Ran folded = stage.run(kMany);
  CHECK(count(folded.err, "start     many[") == 0);
  CHECK(count(folded.err, "ok        many[") == 0);
  CHECK(count(folded.err, "retry     many[") == 0);
  CHECK(count(folded.err, "failed    many[") == 4);
  CHECK(count(folded.err, "| no such thing") == 4);
  const std::size_t tenths = count(folded.err, "items     many");
  CHECK(tenths >= 1);
  CHECK(tenths <= 20);  // one more for each 10 s
  CHECK(count(folded.err, "for_each  200 of 200  4 failed") == 1);
  CHECK(count(folded.err, "waits     gate") == 1);
  const Ran whole = stage.run(kMany, {"-v"});
  CHECK(count(whole.err, "ok        many[") == 196);
  CHECK(count(whole.err, "items     many") == 0);
}

TEST_CASE("a resumed run goes on counting its items", "[progress]") {
  Stage stage;
  const std::string text = R"(flowrun: 1
steps:
  many:
    for_each: ${ [range(60)] }
    key: ${ $item }
    concurrency: 1
    do: { shell: "[ $X -lt 30 ] || [ -e go ] || { touch stop; sleep 60; }", env: { X: "${ $item }" } }
)";
  const std::string file = stage.dir.write("w.yaml", text);
  HowToRun how;
  how.cwd = stage.dir.path();
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", stage.dir.path("j.db")}, how);
  while (!std::filesystem::exists(stage.dir.path("stop")) && driver.running()) usleep(5000);
  driver.signal(SIGKILL);
  driver.wait();
  stage.dir.write("go", "");
  const Ran resumed = flowrun(stage.dir.path("j.db"), {"resume", "r"}, how);
  CHECK(resumed.code == 0);
  CHECK(count(resumed.err, "items     many                     6 of 60") == 0);
  CHECK(count(resumed.err, "for_each  60 of 60") == 1);
}

TEST_CASE("in GitHub Actions failures are annotations, and what steps say gives no commands", "[progress]") {
  Stage stage;
  stage.env = {{"GITHUB_ACTIONS", "true"}, {"GITHUB_WORKSPACE", stage.dir.path()}};
  const std::string text = R"(flowrun: 1
steps:
  bad: { shell: "printf '::set-output name=x::y\n  ::error::fake ##[debug]x\n' >&2; exit 3" }
  again: { shell: "[ -e tried ] || { touch tried; exit 1; }", retry: { attempts: 2, delay: 1ms } }
)";
  const Ran failed = stage.run(text, {"-k"});
  CHECK(failed.code == 1);
  std::istringstream lines(failed.err);
  std::vector<std::string> commands;
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.starts_with("::")) commands.push_back(line);
    CHECK(line.find("##[") == std::string::npos);
  }
  REQUIRE(commands.size() == 3);
  CHECK(commands[0].starts_with("::group::flowrun "));
  CHECK(commands[1] == "::endgroup::");
  CHECK(commands[2] == "::error file=w.yaml,line=3,title=step bad::exit.3: exited with 3");

  const Ran tolerated = stage.run(
      "flowrun: 1\nsteps: { all: { parallel: { a: { exec: ['false'] }, b: { exec: ['true'] } }, join: best_effort } "
      "}\n");
  CHECK(tolerated.code == 0);
  CHECK(count(tolerated.err, "::warning file=w.yaml,line=2,title=step all/a::exit.1: exited with 1") == 1);
  CHECK(count(tolerated.err, "::error") == 0);
  // Other values of that variable are no such job.
  for (const char* other : {"false", ""}) {
    stage.env["GITHUB_ACTIONS"] = other;
    const Ran plain = stage.run(text, {"-k"});
    CHECK(count(plain.err, "::group::") == 0);
    CHECK(count(plain.err, "::error::fake ##[debug]x") > 0);
    CHECK(count(plain.err, "\\u003a") == 0);
  }
  // Said by itself it is the same elsewhere.
  stage.env.clear();
  CHECK(count(stage.run(text, {"--progress", "github"}).err, "::group::") == 1);
}

TEST_CASE("a workflow command holds any text", "[progress]") {
  CHECK(cli::workflow_command("error", {{"file", "a:b,c%"}, {"line", "3"}}, "x: y,\r\n100%") ==
        "::error file=a%3Ab%2Cc%25,line=3::x: y,%0D%0A100%25\n");
}

}  // namespace flowrun::test::progress_test
