// What `$status` says of groups and their items: one definition for every body.
#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::status_test {
namespace {

/// `$status` of `g` when the step `tell` looks at it.
Json told(const Scenario& s) { return s.output("tell"); }

}  // namespace

TEST_CASE("an item of one step comes out as that step does") {
  Scenario s(R"(
g:
  for_each: [a, b, c]
  do: { if: "${ $item != \"b\" }", exec: [work], continue_on_error: true, retry: { attempts: 2, delay: 1s, jitter: none, on: [exit] } }
tell: { after: [g], set: "${ $status.g }" }
)");
  s.succeed("g[a]", "1");
  s.fail("g[c]");
  s.advance(1s);
  s.fail("g[c]");
  const Json status = told(s);
  CHECK(status["counts"] ==
        Json::parse(R"({"total":3,"succeeded":1,"failed":1,"skipped":1,"cancelled":0,"blocked":0})"));
  CHECK(status["items"][0]["ok"] == true);
  CHECK(status["items"][0]["attempts"] == 1);
  CHECK(status["items"][1]["state"] == "skipped");
  CHECK(status["items"][1]["ok"] == false);
  CHECK(status["items"][1]["attempts"] == 0);
  CHECK(status["items"][2]["state"] == "failed");
  CHECK(status["items"][2]["error"]["type"] == "exit.1");
  CHECK(status["items"][2]["attempts"] == 2);
  CHECK(status["order"] == Json({"a", "c"}));
  REQUIRE(status["failed"].size() == 1);
  CHECK(status["failed"][0]["key"] == "c");
  CHECK(status["failed"][0]["index"] == 2);
  CHECK(status["failed"][0]["item"] == "c");
  CHECK(status["failed"][0]["error"]["type"] == "exit.1");
  CHECK(status["output"] == Json({1, nullptr, nullptr}));
  s.expect_success();
}

TEST_CASE("what is skipped or tolerated is no success for a join, in items as in branches") {
  for (const char* step : {"if: false, exec: [work]", "fail: no, continue_on_error: true"})
    for (const char* group :
         {"for_each: 3\n  do: {{ {} }}", "parallel: {{ a: {{ {0} }}, b: {{ {0} }}, c: {{ {0} }} }}"}) {
      const std::string text = fmt::format("g:\n  {}\n  join: {{{{ at_least: 3 }}}}\n", group);
      INFO(text << step);
      Scenario s(fmt::format(fmt::runtime(text), step));
      s.expect_failure("group", "g");
    }
}

TEST_CASE("an item of several steps has the attempts of all of them") {
  Scenario s(R"(
g:
  for_each: [a, b]
  do:
    - { exec: [one], retry: { attempts: 2, delay: 1s, jitter: none, on: [exit] } }
    - parallel: { x: { exec: [x] }, y: { exec: [y] } }
tell: { after: [g], set: "${ $status.g }" }
)");
  s.fail("g[b]/_1");
  s.advance(1s);
  for (const char* key : {"b", "a"}) {
    s.succeed(fmt::format("g[{}]/_1", key));
    s.succeed(fmt::format("g[{}]/_2/x", key));
    s.succeed(fmt::format("g[{}]/_2/y", key));
  }
  const Json status = told(s);
  CHECK(status["items"][0]["attempts"] == 3);
  CHECK(status["items"][1]["attempts"] == 4);
  CHECK(status["attempts"] == 0);
  CHECK(status["order"] == Json({"b", "a"}));
  CHECK(status["failed"] == Json::array());
}

TEST_CASE("branches are told in the order in which they completed, and which of them failed") {
  Scenario s(R"(
g:
  parallel: { a: { exec: [a] }, b: { exec: [b] }, c: { exec: [c] }, d: { if: false, exec: [d] } }
  join: best_effort
tell: { after: [g], set: { order: "${ $status.g.order }", failed: "${ $status.g.failed[].key }" } }
)");
  s.succeed("g/c");
  s.fail("g/a");
  s.succeed("g/b");
  CHECK(told(s) == Json({{"order", {"c", "a", "b"}}, {"failed", "a"}}));
}

TEST_CASE("a group tells who failed from who was cancelled and who never started") {
  Scenario many("g:\n  for_each: 200\n  concurrency: 3\n  do: { exec: [work] }\n");
  many.fail("g[1]");
  many.succeed("g[0]");
  many.succeed("g[2]");
  many.expect_failure("group", "g");
  CHECK(many.machine().outcome().failure->message ==
        "1 of 200 failed, 197 not started (-k keeps going); first g[1]: broken");

  Scenario stopped("g:\n  parallel: { a: { exec: [a] }, b: { exec: [b] }, c: { exec: [c] } }\n  fail_fast: true\n");
  stopped.fail("g/a");
  stopped.fail("g/b", "cancelled");
  stopped.fail("g/c", "cancelled");
  CHECK(stopped.machine().outcome().failure->message == "1 of 3 failed, 2 cancelled; first g/a: broken");

  Scenario blocked("g:\n  parallel: { a: { exec: [a] }, b: { needs: [a], exec: [b] } }\n  fail_fast: false\n");
  blocked.fail("g/a");
  CHECK(blocked.machine().outcome().failure->message == "1 of 2 failed, 1 blocked; first g/a: broken");
}

TEST_CASE("a group that was cancelled has counts, too") {
  Scenario s(R"(
r:
  race:
    g: { for_each: [a, b], concurrency: 1, do: { exec: [work] } }
    fast: { exec: [fast] }
tell: { after: [r], set: "${ $status.r.branches.g.counts }" }
)");
  s.succeed("r/fast");
  CHECK(told(s) == Json::parse(R"({"total":2,"succeeded":0,"failed":0,"skipped":0,"cancelled":2,"blocked":0})"));
  s.fail("r/g[a]", "cancelled");
}

TEST_CASE("an empty key is a key, and no two items share a path") {
  for (const char* items : {R"({"": "x", "0": "y"})", R"(["", "0"])"}) {
    Scenario s("g: { for_each: \"${ $input.items }\", do: { exec: [work, \"${ $key }\"] } }",
               fmt::format(R"({{"items": {}}})", items));
    s.expect_started({"g[]", "g[0]"});
    s.succeed("g[0]", "1");
    s.crash_and_resume();
    s.succeed("g[]", "2");
    CHECK(s.output("g") == Json({2, 1}));
    s.expect_success();
  }
}

TEST_CASE("what stands inside the one step of an item has a path of its own") {
  Scenario s(R"(
g:
  for_each: [a]
  do:
    switch:
      - else: { exec: [work], fallback: { exec: [inner] } }
    timeout: 20s
    fallback: { exec: [outer] }
)");
  s.expect_started({"g[a]/_1"});
  s.fail("g[a]/_1");
  s.fail("g[a]/_1.fallback");
  s.expect_started({"g[a]/_1.fallback", "g[a].fallback"});
  s.succeed("g[a].fallback");
  s.expect_success();
}

TEST_CASE("a switch that is given up in the turn in which its way ended settles once") {
  Scenario s(R"(
r:
  race:
    a: { switch: [ { else: { set: 1 } } ] }
    b: { set: 2 }
)");
  int settled = 0;
  for (const Entry& entry : s.entries()) settled += entry.kind == EntryKind::StepSettled && entry.path == "r/a";
  CHECK(settled == 1);
  s.expect_success();
}

TEST_CASE("the processes of a file share the CPUs when the step that runs it does") {
  const Texts files{{"work.yaml", R"(flowrun: 1
steps:
  plain: { exec: [work] }
  own: { exec: [work], limit: 9 }
  strict: { exec: [work], on_crash: ask }
  sized: { for_each: 1, concurrency: 9, do: { exec: [work] } }
  deeper: { workflow: deeper.yaml }
)"},
                    {"deeper.yaml", "flowrun: 1\nsteps: { exec: [work] }\n"}};
  Scenario s(R"(
g: { for_each: 1, do: { workflow: work.yaml } }
sized: { for_each: 1, concurrency: 4, do: { workflow: work.yaml } }
alone: { workflow: work.yaml }
)",
             "{}", files);
  auto shares = [&](const std::string& path) { return std::get<Process>(*s.task(path).work).shares_cpus; };
  s.reserved("g[0]/strict");
  CHECK(shares("g[0]/plain"));
  CHECK(shares("g[0]/strict"));
  CHECK(shares("g[0]/deeper/_1"));
  CHECK_FALSE(shares("g[0]/own"));
  CHECK_FALSE(shares("g[0]/sized[0]"));
  for (const char* around : {"sized[0]", "alone"})
    for (const char* step : {"plain", "own", "deeper/_1"}) CHECK_FALSE(shares(fmt::format("{}/{}", around, step)));
}

}  // namespace flowrun::test::status_test
