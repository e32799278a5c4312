// The files for systemd: the script that goes on with all runs, run as the unit runs it, and units that systemd takes.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::systemd_test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const std::string kFolder = std::string(FLOWRUN_SOURCE_DIR) + "/workflows/systemd/";

std::string state_of(const std::string& journal, const std::string& id) {
  const Ran shown = flowrun(journal, {"show", id, "--json"});
  INFO(shown.err);
  REQUIRE(shown.code == 0);
  return Json::parse(shown.out)["state"].get<std::string>();
}

}  // namespace

TEST_CASE("all runs that nobody drives go on, but what waits for a person stays as it is", "[systemd]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  std::ofstream(dir.path("w.yaml")) << "flowrun: 1\nsteps:\n  - shell: echo one >>ran\n  - { if: \"${ ($run.id | "
                                       "startswith(\\\"gate\\\")) }\", wait: go }\n  - shell: test -e go || sleep 60\n";
  for (const char* id : {"killed", "stopped"}) {
    Background run({FLOWRUN_BINARY, "--journal", journal, "run", dir.path("w.yaml"), "--id", id, "--grace", "0s"});
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (run.err().find("sleep 60") == std::string::npos && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(10ms);
    run.signal(std::string(id) == "killed" ? SIGKILL : SIGTERM);
    run.wait();
  }
  CHECK(flowrun(journal, {"run", dir.path("w.yaml"), "--id", "gate", "--no-wait"}).code == 4);
  std::ofstream(dir.path("go")) << "x";

  HowToRun how;
  how.env = {{"FLOWRUN_JOURNAL", journal},
             {"PATH", fs::path(FLOWRUN_BINARY).parent_path().string() + ":" + std::string(getenv("PATH"))}};
  const Ran ran = run({"/bin/sh", kFolder + "resume-all.sh"}, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(state_of(journal, "killed") == "succeeded");
  CHECK(state_of(journal, "stopped") == "succeeded");
  CHECK(state_of(journal, "gate") == "suspended");
}

TEST_CASE("systemd takes the units", "[systemd]") {
  if (access("/usr/bin/systemd-analyze", X_OK) != 0) {
    SUCCEED("systemd-analyze is not here; the units are not verified");
    return;
  }
  TempDir dir;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".service" && entry.path().extension() != ".timer") continue;
    std::string as = name;
    if (const std::size_t at = as.find('@'); at != std::string::npos) as.insert(at + 1, "hello");
    fs::copy_file(entry.path(), dir.path(as));
  }
  for (const auto& entry : fs::directory_iterator(dir.path(""))) {
    HowToRun how;
    how.env = {{"XDG_RUNTIME_DIR", dir.path("")}};
    const Ran ran = run({"/usr/bin/systemd-analyze", "verify", "--user", "--man=no", entry.path().string()}, how);
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.err.find(entry.path().filename().string() + ":") == std::string::npos);
  }
}

}  // namespace flowrun::test::systemd_test
