// The recipes for CI systems: their scripts, run as those systems run them, killed in the middle and started again in
// another folder.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/model/diagnostics.h"
#include "engine/yaml/node.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::ci_test {
namespace {

namespace fs = std::filesystem;

std::string source(const std::string& name) {
  std::ifstream in(std::string(FLOWRUN_SOURCE_DIR) + "/" + name, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The texts below the keys |key| of the file |name|, in order.
std::vector<std::string> texts(const std::string& name, const std::string& key) {
  Diagnostics diagnostics({name, source(name)});
  const auto root = read_yaml(diagnostics);
  INFO(name);
  REQUIRE(root);
  std::vector<std::string> found;
  const auto walk = [&](auto&& self, const Node& node) -> void {
    for (const Member& member : node.members) {
      if (member.key == key && member.value.is_string()) found.push_back(member.value.text);
      if (member.key == key)
        for (const Node& one : member.value.items) found.push_back(one.text);
      self(self, member.value);
    }
    for (const Node& one : node.items) self(self, one);
  };
  walk(walk, *root);
  return found;
}

struct Recipe {
  const char* name;
  std::string script;
  std::map<std::string, std::string> env;
};

std::vector<Recipe> recipes() {
  const std::string shell = std::string(FLOWRUN_SOURCE_DIR) + "/workflows/ci/shell.sh";
  return {
      {"shell", "exec '" + shell + "' sync.yaml 42", {}},
      {"github",
       texts("workflows/ci/github.yml", "run").at(0),
       {{"GITHUB_RUN_ID", "42"}, {"FLOWRUN_JOURNAL", ".flowrun/journal.db"}, {"GITHUB_STEP_SUMMARY", "summary.md"}}},
      {"gitlab",
       texts("workflows/ci/gitlab.yml", "script").at(0),
       {{"CI_PIPELINE_ID", "42"}, {"FLOWRUN_JOURNAL", ".flowrun/journal.db"}}},
      {"action",
       texts(".github/actions/flowrun/action.yml", "run").at(1),
       {{"FLOWRUN_JOURNAL", ".flowrun/journal.db"},
        {"PROGRAM", "flowrun"},
        {"FILE", "sync.yaml"},
        {"ID", "ci-42"},
        {"ARGUMENTS", "-k --grace '1s'"},
        {"REPORT", "flowrun.xml"},
        {"OUTPUT", "flowrun.out"}}},
  };
}

}  // namespace

TEST_CASE("a job that was cancelled or killed goes on in another folder, HOME and attempt", "[ci]") {
  const Recipe recipe = GENERATE(from_range(recipes()));
  const int signal = GENERATE(SIGKILL, SIGTERM);
  CAPTURE(recipe.name, signal);
  TempDir first, second, effects;
  const std::string workflow = fmt::format(R"(flowrun: 1
steps:
  - id: once
    shell: echo x >> {0}/once
  - id: hold
    shell: while ! [ -e {0}/go ]; do sleep 0.02; done; echo x >> {0}/hold
)",
                                           effects.path());
  const auto how = [&](const TempDir& dir) {
    HowToRun there;
    there.env = recipe.env;
    there.env["HOME"] = dir.path();
    there.env["PATH"] = fs::path(FLOWRUN_BINARY).parent_path().string() + ":/usr/bin:/bin";
    there.cwd = dir.path();
    return there;
  };
  const std::vector<std::string> argv = {"/bin/bash", "-e", "-c", recipe.script};
  first.write("sync.yaml", workflow);
  Background job(argv, how(first));
  while (job.err().find("start     hold") == std::string::npos && job.running()) usleep(5000);
  job.signal(signal);
  const Ran cut = job.wait();
  CHECK(cut.code == 128 + signal);

  // What the cache of the CI system keeps. The folder in which the job has run is gone.
  fs::copy(first.path(".flowrun"), second.path(".flowrun"), fs::copy_options::recursive);
  fs::remove_all(first.path());
  second.write("sync.yaml", workflow);
  effects.write("go", "");
  const Ran again = run(argv, how(second));
  CHECK(again.code == 0);
  CHECK(effects.read("once") == "x\n");
  CHECK(effects.read("hold") == "x\n");
  CHECK(second.read("flowrun.xml").find("tests=\"2\" failures=\"0\"") != std::string::npos);
  if (recipe.env.count("GITHUB_STEP_SUMMARY") > 0)
    CHECK(second.read("summary.md").find("sync: succeeded") != std::string::npos);
  // A third attempt has nothing left to do, and its job collects the same files.
  for (const char* file : {"flowrun.xml", "summary.md"}) fs::remove(second.path(file));
  CHECK(run(argv, how(second)).code == 0);
  CHECK(effects.read("hold") == "x\n");
  CHECK(second.read("flowrun.xml").find("tests=\"2\" failures=\"0\"") != std::string::npos);
  if (recipe.env.count("GITHUB_STEP_SUMMARY") > 0)
    CHECK(second.read("summary.md").find("sync: succeeded") != std::string::npos);
}

TEST_CASE("the action installs flowrun, and no other program that it does not find", "[ci]") {
  TempDir dir;
  const std::string script = texts(".github/actions/flowrun/action.yml", "run").at(0);
  fs::create_directories(dir.path("bin/x/y/z"));
  dir.write("bin/dev", "#!/bin/sh\necho \"$@\" >installed\n");
  fs::permissions(dir.path("bin/dev"), fs::perms::owner_all);
  HowToRun how;
  how.cwd = dir.path();
  how.env = {{"PATH", "/usr/bin:/bin"},
             {"HOME", dir.path()},
             {"GITHUB_PATH", dir.path("path")},
             {"GITHUB_ACTION_PATH", dir.path("bin/x/y/z")}};
  how.env["PROGRAM"] = "/no/such/flowrun";
  const Ran refused = run({"/bin/bash", "-e", "-c", script}, how);
  CHECK(refused.code == 1);
  CHECK(refused.out == "::error::there is no program /no/such/flowrun\n");
  CHECK_FALSE(fs::exists(dir.path("installed")));
  how.env["PROGRAM"] = "flowrun";
  CHECK(run({"/bin/bash", "-e", "-c", script}, how).code == 0);
  CHECK(dir.read("installed") == "install " + dir.path() + "/.local\n");
}

TEST_CASE("what failed steps have said is printed where the runner obeys nothing", "[ci]") {
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env = {{"GITHUB_RUN_ID", "42"},
             {"FLOWRUN_JOURNAL", dir.path("j.db")},
             {"PATH", fs::path(FLOWRUN_BINARY).parent_path().string() + ":/usr/bin:/bin"}};
  dir.write("sync.yaml", "flowrun: 1\nsteps: { a: { shell: 'echo ::set-output name=x::y; exit 1' } }\n");
  const auto scripts = texts("workflows/ci/github.yml", "run");
  const Ran ran = run({"/bin/bash", "-e", "-c", scripts.at(0)}, how);
  CHECK(ran.code == 1);
  CHECK(ran.out == "");
  const Ran logs = run({"/bin/bash", "-e", "-c", scripts.at(1)}, how);
  std::istringstream lines(logs.out);
  std::string first, said, last;
  std::getline(lines, first);
  std::getline(lines, said);
  std::getline(lines, last);
  REQUIRE(first.starts_with("::stop-commands::"));
  CHECK(first.size() == std::string_view("::stop-commands::").size() + 32);
  CHECK(said == "[a] ::set-output name=x::y");
  CHECK(last == "::" + first.substr(std::string_view("::stop-commands::").size()) + "::");
}

}  // namespace flowrun::test::ci_test
