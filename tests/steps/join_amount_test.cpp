// Amounts of a join that an expression gives when the group begins.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::join_amount_test {

constexpr const char* kQuorum = R"(flowrun: 1
input: { need: {} }
steps:
  g:
    for_each: [a, b, c, d]
    do: { exec: [write, "${ $item }"] }
    join: { quorum: "${ $input.need }" }
output: ${ $status.g.winner }
)";

TEST_CASE("a quorum may be computed, as a count or in percent") {
  Scenario count(kQuorum, R"({"need": 2})");
  count.succeed("g[b]");
  count.expect_running();
  count.crash_and_resume();
  count.succeed("g[d]");
  count.expect_stopped({"g[a]", "g[c]"});
  Result stopped;
  stopped.failure = Failure{"cancelled", "stopped"};
  count.end("g[a]", stopped);
  count.end("g[c]", stopped);
  count.expect_success(R"(["b","d"])");

  Scenario percent(kQuorum, R"({"need": "75%"})");
  for (const char* item : {"g[a]", "g[b]", "g[c]"}) percent.succeed(item);
  percent.expect_stopped({"g[d]"});
}

TEST_CASE("a computed quorum of one has one winner") {
  Scenario s(kQuorum, R"({"need": 1})");
  s.succeed("g[c]");
  for (const char* item : {"g[a]", "g[b]", "g[d]"}) s.succeed(item);
  s.expect_success("\"c\"");
}

TEST_CASE("an amount that is none fails the group before anything in it starts") {
  for (const char* need : {"0", "-1", "1.5", "\"many\"", "\"101%\"", "null", "[2]"}) {
    INFO(need);
    Scenario s(kQuorum, std::string(R"({"need": )") + need + "}");
    s.expect_started({});
    s.expect_failure("expression", "g");
  }
}

TEST_CASE("tolerate and at_least may be computed from what ran before, also of branches") {
  const std::string text = R"(
plan: { exec: [plan], capture: json }
g:
  parallel: { a: { exec: [a] }, b: { exec: [b] }, c: { exec: [c] } }
  join: { tolerate: "${ $steps.plan.spare }" }
)";
  Scenario good(text);
  good.succeed("plan", R"({"spare": 1})");
  good.fail("g/a");
  good.succeed("g/b");
  good.succeed("g/c");
  good.expect_success();
  Scenario bad(text);
  bad.succeed("plan", R"({"spare": "0%"})");
  bad.fail("g/a");
  bad.succeed("g/b");
  bad.succeed("g/c");
  bad.expect_failure("group", "g");
}

TEST_CASE("a group whose amount was none has its chance again") {
  Scenario s(R"(
plan: { exec: [plan], capture: json }
g:
  parallel: { a: { exec: [a] }, b: { exec: [b] } }
  join: { at_least: "${ $steps.plan }" }
)");
  s.succeed("plan", "\"some\"");
  s.expect_failure("expression", "g");
  s.retry("plan");
  s.succeed("plan", "1");
  s.succeed("g/a");
  s.fail("g/b");
  s.expect_success();
}

}  // namespace flowrun::test::join_amount_test
