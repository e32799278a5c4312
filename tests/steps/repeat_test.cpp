// A body again and again: what is carried, when it ends, and every way in which it is cut short.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::repeat_test {
namespace {

const std::string kRaw = R"({"value":null})";  // of a step with `output`

}  // namespace

TEST_CASE("each round has what the one before put out, until that says so") {
  Scenario s(R"(
drain:
  repeat: { carry: { next: 1 }, until: "${ $carry.next == null }" }
  do: { shell: "get ${ $carry.next } ${ $round }", output: "${ {next: .value} }" }
after: { shell: "done ${ $steps.drain }", needs: [drain] }
)");
  s.expect_started({"drain[0]"});
  s.succeed("drain[0]", R"({"value":2})");
  s.expect_started({"drain[1]"});
  s.crash_and_resume();
  s.expect_started({"drain[1]"});
  s.succeed("drain[1]", R"({"value":null})");
  CHECK(s.output("drain") == Json{{"next", nullptr}});
  s.fail("after");
}

TEST_CASE("while is asked before the first round") {
  Scenario s(R"(
none: { repeat: { carry: 3, while: "${ $carry < 3 }" }, do: { shell: x } }
two:
  repeat: { carry: 1, while: "${ $carry < 3 }" }
  do:
    - { shell: x }
    - { set: "${ $carry + 1 }" }
)");
  CHECK(s.output("none") == 3);
  s.expect_started({"two[0]/_1"});
  s.succeed("two[0]/_1");
  s.expect_started({"two[1]/_1"});
  s.succeed("two[1]/_1");
  CHECK(s.output("two") == 3);
  s.expect_success();
}

TEST_CASE("rounds that start nothing do not nest, however many they are") {
  Scenario s(R"(
sum: { repeat: { carry: 0, while: "${ $carry < 100 }" }, do: { set: "${ $carry + 1 }" } }
)");
  CHECK(s.output("sum") == 100);
  s.expect_success();
}

TEST_CASE("at_most, a failing round and a condition that fails make it fail") {
  Scenario s(R"(
many: { repeat: { until: false, at_most: 3 }, do: { set: 1 }, continue_on_error: true }
odd: { repeat: { carry: 1, until: "${ $carry }" }, do: { set: 1 }, continue_on_error: true }
round: { repeat: { until: false }, do: { shell: x }, continue_on_error: true }
saved: { repeat: { until: false, at_most: 1 }, do: { set: 1 }, fallback: { on: repeat, set: 7 } }
)");
  s.expect_started({"round[0]"});
  s.succeed("round[0]");
  s.expect_started({"round[1]"});
  s.fail("round[1]");
  s.expect_state("many", State::Failed);
  s.expect_state("odd", State::Failed);
  s.expect_state("round", State::Failed);
  CHECK(s.output("saved") == 7);
  s.expect_success();
}

TEST_CASE("a timeout, a cancel and a failure beside it stop the round that runs") {
  Scenario s(R"(
slow: { repeat: { until: false }, do: { shell: x }, timeout: 10s, continue_on_error: true }
group:
  fail_fast: true
  continue_on_error: true
  parallel:
    loop: { repeat: { until: false }, do: { shell: x } }
    bad: { shell: y }
gentle:
  continue_on_error: true
  parallel:
    loop: { repeat: { until: false }, do: { shell: x } }
    bad: { shell: y }
)");
  s.expect_started({"group/bad", "gentle/bad", "slow[0]", "group/loop[0]", "gentle/loop[0]"});
  s.fail("group/bad");
  s.expect_stopped({"group/loop[0]"});
  s.fail("gentle/bad");
  s.expect_stopped({});  // it may finish, and no round follows
  s.succeed("gentle/loop[0]");
  s.expect_started({});
  s.advance(std::chrono::seconds(10));
  s.expect_stopped({"slow[0]"});
  s.fail("slow[0]", "cancelled");
  s.fail("group/loop[0]", "cancelled");
  s.expect_state("slow", State::Failed);
  s.expect_state("gentle/loop", State::Cancelled);
  s.expect_success();
}

TEST_CASE("a retry goes on with the round that failed, and with what it was given") {
  Scenario s(R"(
loop: { repeat: { carry: 0, until: "${ $carry == 3 }" }, do: { shell: "x ${ $carry }", output: "${ $carry + 1 }" } }
)");
  s.succeed("loop[0]", kRaw);
  s.fail("loop[1]");
  s.expect_failure("exit.1", "loop[1]");
  s.expect_started({"loop[0]", "loop[1]"});
  s.retry();
  s.expect_started({"loop[1]"});
  s.succeed("loop[1]", kRaw);
  s.succeed("loop[2]", kRaw);
  CHECK(s.output("loop") == 3);
  s.expect_success();
}

TEST_CASE("what rounds have done is undone from the last to the first, each with its own names") {
  Scenario s(R"(
saga:
  atomic: true
  repeat: { carry: 1, until: "${ $carry == 9 }" }
  do:
    shell: "do ${ $carry }"
    output: ${ $carry + 1 }
    undo: { shell: "undo ${ $carry } ${ $round }" }
)");
  s.succeed("saga[0]", kRaw);
  s.succeed("saga[1]", kRaw);
  s.fail("saga[2]");
  s.expect_started({"saga[0]", "saga[1]", "saga[2]", "saga[1].undo"});
  s.succeed("saga[1].undo");
  s.expect_started({"saga[0].undo"});
  s.succeed("saga[0].undo");
  s.expect_failure("exit.1", "saga[2]");
  s.retry();
  s.expect_started({"saga[0]"});
  s.succeed("saga[0]", kRaw);
  s.succeed("saga[1]", kRaw);
  s.expect_started({"saga[1]", "saga[2]"});
}

TEST_CASE("a retry goes on behind the last round when none has failed") {
  Scenario drained(R"(
gentle:
  parallel:
    loop: { repeat: { carry: 0, until: "${ $carry == 2 }" }, do: { shell: x, output: "${ $carry + 1 }" } }
    bad: { shell: y }
)");
  drained.fail("gentle/bad");
  drained.succeed("gentle/loop[0]", kRaw);
  drained.expect_failure("group", "gentle");
  drained.expect_started({"gentle/bad", "gentle/loop[0]"});
  drained.retry();
  drained.expect_started({"gentle/bad", "gentle/loop[1]"});
  drained.succeed("gentle/loop[1]", kRaw);
  drained.succeed("gentle/bad");
  CHECK(drained.output("gentle") == Json{{"loop", 2}, {"bad", nullptr}});

  Scenario short_of(R"(
loop: { repeat: { carry: 0, until: "${ $carry == 3 }", at_most: 2 }, do: { shell: x, output: "${ $carry + 1 }" } }
)");
  short_of.succeed("loop[0]", kRaw);
  short_of.succeed("loop[1]", kRaw);
  short_of.expect_failure("repeat", "loop");
  short_of.expect_started({"loop[0]", "loop[1]"});
  short_of.retry();
  short_of.expect_started({"loop[2]"});
  short_of.succeed("loop[2]", kRaw);
  short_of.expect_success();
}

TEST_CASE("a failure that the step of a round tolerates carries null on") {
  Scenario s(R"(
loop: { repeat: { carry: 0, until: "${ $round == 1 }" }, do: { shell: "x ${ $carry }", continue_on_error: true } }
)");
  s.fail("loop[0]");
  s.expect_started({"loop[0]", "loop[1]"});
  s.succeed("loop[1]", "5");
  CHECK(s.output("loop") == 5);
  s.expect_success();
}

TEST_CASE("rounds within items and within rounds have names of their own") {
  Scenario s(R"(
each:
  for_each: [a]
  do:
    outer:
      repeat: { carry: 0, while: "${ $carry < 2 }" }
      do:
        - repeat: { carry: "${ $carry }", until: true }
          do: { shell: "${ $item } ${ $index } ${ $round }", output: "${ $carry + 1 }" }
)");
  s.expect_started({"each[a]/outer[0]/_1[0]"});
  s.succeed("each[a]/outer[0]/_1[0]", kRaw);
  s.expect_started({"each[a]/outer[1]/_1[0]"});
  s.crash_and_resume();
  s.expect_started({"each[a]/outer[1]/_1[0]"});
  s.succeed("each[a]/outer[1]/_1[0]", kRaw);
  s.expect_success();
}

}  // namespace flowrun::test::repeat_test
