// The handlers of a sub-workflow run at every end of its file, also when its step is given up.
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::tidy_test {
namespace {

Texts files() {
  return {{"env.yaml", R"(flowrun: 1
input: { n: 1 }
steps:
  up: { exec: [up] }
on_failure: { exec: [sorry, "${ $error.type }"] }
finally: { down: { exec: [down, "${ $run.state }", "${ $input.n }", "${ $status.up.state }"] } }
)"},
          {"outer.yaml", R"(flowrun: 1
steps: { inner: { workflow: env.yaml, with: { n: 2 } } }
finally: { close: { exec: [close] } }
)"}};
}

std::vector<std::string> argv(const Scenario& s, const std::string& path) {
  return std::get<Process>(*s.task(path).work).argv;
}

/// A way in which the step `group/env` is given up while `up` runs.
struct Way {
  const char* name;
  const char* steps;
  void (*happens)(Scenario&);
  const char* state;  ///< of the file, as its handlers see it
  bool sorry;         ///< `on_failure` runs as well
};

const Way kWays[] = {
    {"its step loses a race", "group:\n  race:\n    env: { workflow: env.yaml }\n    fast: { exec: [fast] }\n",
     [](Scenario& s) { s.succeed("group/fast"); }, "cancelled", false},
    {"a quorum is there",
     "group:\n  parallel:\n    env: { workflow: env.yaml }\n    fast: { exec: [fast] }\n  join: { quorum: 1 }\n",
     [](Scenario& s) { s.succeed("group/fast"); }, "cancelled", false},
    {"another fails under fail_fast",
     "group:\n  parallel:\n    env: { workflow: env.yaml }\n    bad: { exec: [bad] }\n  fail_fast: true\n",
     [](Scenario& s) { s.fail("group/bad"); }, "cancelled", false},
    {"its own time is over", "group: { sequence: [ { id: env, workflow: env.yaml, timeout: 5s } ] }\n",
     [](Scenario& s) { s.advance(5s); }, "failed", true},
    {"its deadline is over", "group: { sequence: [ { id: env, workflow: env.yaml, deadline: 5s } ] }\n",
     [](Scenario& s) { s.advance(5s); }, "failed", true},
    {"the time of its group is over", "group: { parallel: { env: { workflow: env.yaml } }, timeout: 5s }\n",
     [](Scenario& s) { s.advance(5s); }, "failed", true},
    {"the run is cancelled", "group: { parallel: { env: { workflow: env.yaml } } }\n", [](Scenario& s) { s.cancel(); },
     "cancelled", false},
};

}  // namespace

TEST_CASE("a sub-workflow is tidied up however it is given up: the group settles, the run waits") {
  for (const Way& way : kWays)
    for (bool crash : {false, true}) {
      INFO(way.name << (crash ? ", and a crash" : ""));
      Scenario s(way.steps, "{}", files());
      way.happens(s);
      CHECK(is_terminal(s.state("group/env")));
      // What it was at is stopped first: it may still use what is to be cleaned.
      CHECK(s.state("group/env/finally/down") == State::Pending);
      s.fail("group/env/up", "cancelled");
      s.expect_running();
      if (way.sorry) {
        const std::string why = argv(s, "group/env/on_failure/_1").at(1);
        CHECK((why == "timeout" || why == "deadline"));
        if (crash) s.crash_and_resume();
        s.succeed("group/env/on_failure/_1");
      }
      std::vector<std::string> down = argv(s, "group/env/finally/down");
      down.pop_back();
      CHECK(down == std::vector<std::string>{"down", way.state, "1"});
      if (crash) s.crash_and_resume();
      s.succeed("group/env/finally/down");
      CHECK(s.machine().phase() == Machine::Phase::Ended);
    }
}

TEST_CASE("handlers that run already go on when their step is given up") {
  Scenario s("first:\n  race:\n    env: { workflow: env.yaml }\n    fast: { exec: [fast] }\n", "{}", files());
  s.succeed("first/env/up");
  CHECK(s.state("first/env/finally/down") == State::Running);
  s.succeed("first/fast");
  s.expect_stopped({});
  s.expect_state("first", State::Succeeded);
  s.expect_running();
  s.succeed("first/env/finally/down");
  s.expect_success();
}

TEST_CASE("files within files are tidied up from within") {
  Scenario s("first:\n  race:\n    all: { workflow: outer.yaml }\n    fast: { exec: [fast] }\n", "{}", files());
  s.succeed("first/fast");
  s.fail("first/all/inner/up", "cancelled");
  CHECK(argv(s, "first/all/inner/finally/down")[2] == "2");
  CHECK(s.state("first/all/finally/close") == State::Pending);
  s.suspend();
  s.interrupt("first/all/inner/finally/down");
  s.expect_suspended();
  s.crash_and_resume();
  s.succeed("first/all/inner/finally/down");
  CHECK(s.state("first/all/finally/close") == State::Running);
  s.succeed("first/all/finally/close");
  s.expect_success();
}

TEST_CASE("a new try waits until the one before has been tidied up, and has keys of its own") {
  Scenario s("env: { workflow: env.yaml, timeout: 5s, retry: { attempts: 2, delay: 1s, jitter: none, on: [timeout] } }",
             "{}", files());
  s.advance(5s);
  s.fail("env/up", "cancelled");
  s.succeed("env/on_failure/_1");
  s.expect_started({"env/up", "env/on_failure/_1", "env/finally/down"});
  s.advance(2s);
  s.expect_started({});
  const std::string key = s.task("env/finally/down").idempotency_key;
  s.succeed("env/finally/down");
  s.expect_started({"env/up"});
  s.succeed("env/up");
  s.expect_started({"env/finally/down"});
  CHECK(s.task("env/finally/down").idempotency_key != key);
  s.succeed("env/finally/down");
  s.expect_success();
}

TEST_CASE("a step that is given up while it waits for another try leaves the one before to be tidied up") {
  Scenario s(R"(
group:
  parallel:
    env: { workflow: env.yaml, timeout: 5s, retry: { attempts: 2, delay: 1h, jitter: none, on: [timeout] } }
    fast: { exec: [fast] }
  join: { quorum: 1 }
)",
             "{}", files());
  s.advance(5s);
  s.succeed("group/fast");
  s.fail("group/env/up", "cancelled");
  s.succeed("group/env/on_failure/_1");
  s.expect_running();
  s.succeed("group/env/finally/down");
  s.expect_success();
}

TEST_CASE("a fallback does not wait for what its step has to tidy up, undos and the handlers of the run do") {
  Scenario s(R"(flowrun: 1
steps:
  book: { exec: [book], undo: { exec: [unbook] } }
  env: { needs: [book], workflow: env.yaml, timeout: 5s, fallback: { exec: [instead] } }
finally: { exec: [bye] }
)",
             "{}", files());
  s.succeed("book");
  s.advance(5s);
  s.expect_started({"book", "env/up", "env.fallback"});
  s.fail("env.fallback");
  s.fail("env/up", "cancelled");
  s.succeed("env/on_failure/_1");
  s.expect_started({"env/on_failure/_1", "env/finally/down"});
  s.succeed("env/finally/down");
  s.expect_started({"book.undo"});
  s.succeed("book.undo");
  s.expect_started({"finally/_1"});
  s.succeed("finally/_1");
  s.expect_failure("exit.1", "env.fallback");
}

TEST_CASE("cancel --now stops what is being tidied up, and begins nothing of it") {
  Scenario s("env: { workflow: outer.yaml }", "{}", files());
  s.cancel(false, true);
  s.fail("env/inner/up", "cancelled");
  s.expect_started({"env/inner/up"});
  s.expect_cancelled();

  Scenario later("{ first: { race: { env: { workflow: env.yaml }, fast: { exec: [fast] } } } }", "{}", files());
  later.succeed("first/fast");
  later.fail("first/env/up", "cancelled");
  later.cancel(false, true);
  later.expect_stopped({"first/env/up", "first/env/finally/down"});
  later.fail("first/env/finally/down", "cancelled");
  CHECK(later.machine().phase() == Machine::Phase::Ended);
}

TEST_CASE("a retry of the run takes a sub-workflow up again that was tidied up") {
  Scenario s("group:\n  parallel:\n    env: { workflow: env.yaml }\n    bad: { exec: [bad] }\n  fail_fast: true\n",
             "{}", files());
  s.fail("group/bad");
  s.fail("group/env/up", "cancelled");
  s.succeed("group/env/finally/down");
  s.expect_failure("group", "group");
  const std::string key = s.task("group/env/finally/down").idempotency_key;
  s.retry();
  s.succeed("group/bad");
  s.succeed("group/env/up");
  CHECK(s.task("group/env/finally/down").idempotency_key != key);
  s.succeed("group/env/finally/down");
  s.expect_success();
}

}  // namespace flowrun::test::tidy_test
