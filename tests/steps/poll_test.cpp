// Steps that are repeated until something holds.
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::poll_test {
namespace {

std::string answer(const std::string& body) {
  return R"({"status":200,"headers":{},"url":"http://x/job","attempt":1,"duration_ms":1,"body":)" + body + "}";
}

}  // namespace

TEST_CASE("a poll goes on until its condition holds, and keeps the last answer alone") {
  Scenario s(R"(
job:
  http: http://x/job
  poll: { until: "${ .body.state == \"done\" }", every: 5s, backoff: 2, max_every: 15s }
)");
  for (int wait : {5, 10, 15, 15}) {
    s.expect_started({"job"});
    s.succeed("job", answer(R"({"state":"busy","long":"text"})"));
    CHECK(s.entries().back().data.find(fmt::format("\"for_ms\":{}", wait * 1000)) != std::string::npos);
    s.advance(std::chrono::seconds(wait));
  }
  s.succeed("job", answer(R"({"state":"done"})"));
  CHECK(s.output("job") == Json({{"state", "done"}}));
  for (const Entry& entry : s.entries())
    CHECK(entry.value.text().find("busy") == std::string::npos);  // each poll is a small entry
  s.expect_success();
}

TEST_CASE("what will never come right fails the step") {
  Scenario s(R"(
job:
  http: http://x/job
  poll: { until: "${ .body.done }", fail_if: "${ .body.state == \"broken\" }" }
)");
  s.succeed("job", answer(R"({"state":"broken","done":false})"));
  s.expect_failure("expect", "job");
}

TEST_CASE("without a condition a poll waits for success, and an error that may pass means not yet") {
  Scenario s("up: { exec: [ping], poll: { every: 1s, attempts: 3 } }");
  s.fail("up", "exit.1");
  s.advance(1s);
  s.fail("up", "killed");
  s.advance(1s);
  s.succeed("up", "\"ok\"");
  s.expect_success();
}

TEST_CASE("a poll gives up after so many, or at an error when it should") {
  Scenario s("up: { exec: [ping], poll: { every: 1s, attempts: 2 } }");
  s.fail("up", "exit.1");
  s.advance(1s);
  s.fail("up", "exit.1");
  s.expect_failure("timeout", "up");
  Scenario strict("up: { exec: [ping], poll: { every: 1s, errors: fail } }");
  strict.fail("up", "exit.1");
  strict.expect_failure("exit.1", "up");
}

TEST_CASE("a poll has a key for each, and a deadline for all") {
  Scenario s("job: { http: POST http://x/job, poll: { until: \"${ .polls >= 9 }\", every: 2s }, deadline: 5s }");
  std::string key = s.task("job").idempotency_key;
  s.succeed("job", answer("{}"));
  s.advance(2s);
  CHECK(s.task("job").idempotency_key != key);
  s.succeed("job", answer("{}"));
  s.advance(2s);
  s.advance(1s);
  s.expect_stopped({"job"});
  s.expect_state("job", State::Failed);
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  s.end("job", stopped);
  s.expect_failure("deadline", "job");
}

TEST_CASE("a crash between two polls keeps the date of the next") {
  Scenario s("up: { exec: [ping], poll: { every: 1m } }");
  s.fail("up", "exit.1");
  s.crash_and_resume({}, 30s);
  CHECK(s.timer("up", TimerKind::Poll) == 30s);
  s.advance(30s);
  s.expect_started({"up", "up"});
  s.succeed("up");
  s.expect_success();
}

TEST_CASE("a condition that can not be evaluated fails the poll") {
  Scenario s("job: { http: http://x/job, poll: { until: \"${ .body.state }\" } }");
  s.succeed("job", answer(R"({"state":"busy"})"));
  s.expect_failure("expression", "job");
}

}  // namespace flowrun::test::poll_test
