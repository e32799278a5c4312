// Tests of the real binary once more, with their steps carried out on a Restate server: what they say of a run at home
// has to be so there. The server is one for all; each `flowrun` that drives a run has a worker of its own, which sees
// the surroundings that it sees.
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"

namespace flowrun::test::restate_suite_test {
namespace {

/// The tests of these files, and what is not for a server, with the reason.
struct Suite {
  const char* tests;
  std::vector<const char*> without;
};

const std::vector<Suite> kSuites{
    {"[examples]", {"example 05-pipeline"}},  // a file of an answer is on the worker, and $run.dir is not
    {"[via]", {"words*"}},                    // what processes wrote stays with the worker
};

/// Registers a worker that listens only for that: those of the tests come and go at the same address.
int registered(const Restate& server) {
  StepWorker worker;
  server.deploy(worker.url());
  return worker.port();
}

}  // namespace

TEST_CASE("what tests say of runs at home is so of runs on a Restate server", "[restate][slow]") {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  Restate server;
  const int port = registered(server);
  HowToRun how;
  how.env["FLOWRUN_TESTS_ON"] = server.on();
  how.env["FLOWRUN_TESTS_WORKER"] = fmt::format("127.0.0.1:{}", port);
  for (const Suite& suite : kSuites) {
    INFO(suite.tests);
    std::string which = suite.tests;
    for (const char* name : suite.without) which += fmt::format("~\"{}\"", name);
    const Ran ran = Background({"/proc/self/exe", which}, how).wait(std::chrono::seconds(600));
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out.find("No test cases matched") == std::string::npos);
  }
  // Nothing is left over there.
  CHECK(server.query("SELECT id FROM sys_invocation WHERE status != 'completed'").empty());
}

}  // namespace flowrun::test::restate_suite_test
