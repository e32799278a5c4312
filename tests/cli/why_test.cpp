// flowrun why: the reason of each state, down to what caused it.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
namespace {

const char* kWorkflow = R"(flowrun: 1
steps:
  order: { shell: "echo broken pipe >&2; exit 4", retry: { attempts: 2, delay: 1ms } }
  charge: { exec: [echo, "${ $steps.order }"] }
  ship: { exec: [echo], needs: charge }
  first: { race: { fast: { exec: ["true"] }, slow: { shell: sleep 5 } } }
  maybe: { exec: [echo], if: "${ 1 > 2 }" }
  saved: { exec: ["false"], fallback: { set: 1 } }
  gate: { wait: go, timeout: 1h }
  later: { exec: [echo], needs: gate }
  many: { for_each: [a], key: "${ $item }", do: { one: { exec: ["true"] }, two: { exec: ["true"], needs: one } }, needs: later }
  strict: { parallel: { bad: { exec: ["false"] }, long: { shell: sleep 5 } }, fail_fast: true }
)";

struct Case {
  const char* step;
  std::vector<const char*> says;
};

}  // namespace

TEST_CASE("why says for each state what led to it, and what would change that", "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  REQUIRE(flowrun(journal, {"run", dir.write("w.yaml", kWorkflow), "--id", "r", "-k", "--no-wait"}).code == 4);
  const std::vector<Case> cases = {
      {"order", {"order  failed", "w.yaml:3", "exit.4: exited with 4", "| broken pipe", "tries before: 1: exit.4"}},
      {"charge", {"charge  blocked", "it needs order, which is failed: $steps.order in line 4", "| broken pipe"}},
      {"ship", {"it needs charge, which is blocked: needs in line 5", "    it needs order, which is failed"}},
      {"first/slow", {"cancelled", "first was decided without it", "first/fast succeeded"}},
      {"first", {"won by fast"}},
      {"maybe", {"skipped", "its `if` was false: ${ 1 > 2 }"}},
      {"saved", {"succeeded", "it failed, and its `fallback` stands in for it"}},
      {"gate", {"waiting", "it waits for the signal `go`, at most until", "change: flowrun approve r go"}},
      {"later", {"pending", "it waits for gate (waiting), because of needs in line 10"}},
      {"many", {"it waits for later", "it waits for the signal `go`"}},
      {"strict/long",
       {"cancelled", "`fail_fast: true` cancels what runs", "strict/bad failed", "exit.1: exited with 1"}},
  };
  for (const Case& one : cases) {
    const Ran ran = flowrun(journal, {"why", "r", one.step});
    CAPTURE(one.step, ran.out);
    CHECK(ran.code == 0);
    for (const char* words : one.says) CHECK(ran.out.find(words) != std::string::npos);
    // Every state has a reason of its own.
    CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') >= 3);
  }
  // One word is a step of the newest run.
  CHECK(flowrun(journal, {"why", "gate"}).out == flowrun(journal, {"why", "r", "gate"}).out);
  const Ran typo = flowrun(journal, {"why", "r", "gaet"});
  CHECK(typo.code == 8);
  CHECK(typo.err.find("gate") != std::string::npos);
}

TEST_CASE("why tells that a step ran again because its try was cut off", "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db"), go = dir.path("go");
  const std::string file =
      dir.write("w.yaml", "flowrun: 1\nsteps: { s: { shell: '[ -e " + go + " ] || sleep 60' } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", journal});
  while (driver.err().find("start     s") == std::string::npos && driver.running()) usleep(5000);
  driver.signal(SIGKILL);
  driver.wait();
  dir.write("go", "");
  CHECK(flowrun(journal, {"resume", "r"}).code == 0);
  CHECK(flowrun(journal, {"why", "r", "s"}).out.find("its try before was cut off") != std::string::npos);
}

}  // namespace flowrun::test
