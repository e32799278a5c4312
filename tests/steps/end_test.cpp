// The end of a run: on_failure, finally, output, and what `returns` checks before.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::end_test {

TEST_CASE("handlers run after a failure, in order, and see what went wrong") {
  Scenario s(R"(flowrun: 1
steps:
  a: { shell: one }
  b: { shell: two }
on_failure:
  tell: { exec: [tell, "${ $error.step }", "${ $status.a.state }", "${ $steps.a }", "${ $steps.b // \"none\" }"] }
finally:
  - { id: clean, exec: [clean, "${ $run.state }"] }
  - { id: more, exec: [more] }
output: ${ $steps.a }
)");
  s.succeed("a", "\"x\"");
  s.fail("b", "exit.3");
  s.expect_started({"a", "b", "on_failure/tell"});
  CHECK(std::get<Process>(*s.task("on_failure/tell").work).argv ==
        std::vector<std::string>{"tell", "b", "succeeded", "x", "none"});
  s.succeed("on_failure/tell");
  s.expect_started({"finally/clean"});
  CHECK(std::get<Process>(*s.task("finally/clean").work).argv[1] == "failed");
  s.succeed("finally/clean");
  s.expect_started({"finally/more"});
  s.succeed("finally/more");
  s.expect_failure("exit.3", "b");
  CHECK(s.output("") == "x");
}

TEST_CASE("a good run passes on_failure over") {
  Scenario s(R"(flowrun: 1
steps: { a: { shell: one } }
on_failure: { shell: never }
finally: { exec: [clean, "${ $run.state }", "${ $error | tojson }"] }
)");
  s.succeed("a");
  s.expect_started({"a", "finally/_1"});
  CHECK(std::get<Process>(*s.task("finally/_1").work).argv == std::vector<std::string>{"clean", "succeeded", "null"});
  s.succeed("finally/_1");
  s.expect_success();
}

TEST_CASE("a failing handler does not change the first error, and fails a run that was good") {
  const char* text = R"(flowrun: 1
steps: { a: { shell: one } }
on_failure: { shell: tell }
finally: { shell: clean }
)";
  Scenario bad(text);
  bad.fail("a", "exit.1");
  bad.fail("on_failure/_1", "exit.2");
  bad.fail("finally/_1", "exit.3");
  bad.expect_failure("exit.1", "a");
  Scenario good(text);
  good.succeed("a");
  good.fail("finally/_1", "exit.3");
  good.expect_failure("exit.3", "finally/_1");
}

TEST_CASE("the run's timeout is that of the steps: handlers have their own time") {
  Scenario s(R"(flowrun: 1
timeout: 1s
steps: { a: { shell: one } }
finally: { shell: clean }
)");
  s.advance(1s);
  s.expect_stopped({"a"});
  s.expect_started({"a"});  // its end is awaited: it may still be at work
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  s.end("a", stopped);
  s.expect_started({"finally/_1"});
  s.advance(10s);
  s.succeed("finally/_1");
  s.expect_failure("timeout");
}

TEST_CASE("a crash inside a handler goes on inside it") {
  Scenario s(R"(flowrun: 1
steps: { a: { shell: one } }
finally: [ { shell: first }, { shell: second } ]
)");
  s.succeed("a");
  s.succeed("finally/_1");
  s.expect_started({"a", "finally/_1", "finally/_2"});
  s.crash_and_resume();
  s.expect_started({"finally/_2"});
  s.succeed("finally/_2");
  s.expect_success();
}

TEST_CASE("handlers run again at the end of a retry, under new keys") {
  Scenario s(R"(flowrun: 1
steps: { a: { shell: one } }
finally: { http: "POST http://x/done" }
)");
  s.fail("a");
  std::string key = s.task("finally/_1").idempotency_key;
  s.succeed("finally/_1");
  s.expect_failure("exit.1", "a");
  s.retry();
  s.succeed("a");
  CHECK(s.task("finally/_1").idempotency_key != key);
  s.succeed("finally/_1");
  s.expect_success();
}

TEST_CASE("an output that is not what `returns` says fails the attempt, and may be tried again") {
  Scenario s(R"(
a:
  http: http://x/
  returns: { type: object, required: [id] }
  retry: { attempts: 2, on: [returns], jitter: none, delay: 1s }
b: { set: [1, 2], returns: { type: array, maxItems: 1 }, continue_on_error: true }
)");
  s.expect_state("b", State::Failed);
  s.succeed("a", R"({"name": 1})");
  s.advance(1s);
  s.succeed("a", R"({"id": 1})");
  CHECK(s.output("a") == Json({{"id", 1}}));
  s.expect_success();
}

}  // namespace flowrun::test::end_test
