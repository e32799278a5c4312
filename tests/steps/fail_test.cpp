// Errors with a type of their own: a step raises them, `on` of a fallback or of a retry catches them.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::fail_test {

TEST_CASE("an error of its own type has a message and data, and its type is the run's") {
  Scenario s(
      R"(a: { fail: { type: out_of_stock, message: "no ${ $input.sku } left", data: { sku: "${ $input.sku }" } } })",
      R"({"sku": "A-1"})");
  s.expect_failure("out_of_stock", "a");
  const Entry& end = s.entries().back();
  CHECK(end.data.find("no A-1 left") != std::string::npos);
  CHECK(end.data.find(R"("data":{"sku":"A-1"})") != std::string::npos);
}

TEST_CASE("without a message the type is one, without a type it is fail") {
  Scenario typed("a: { fail: { type: stock.empty } }");
  typed.expect_failure("stock.empty", "a");
  Scenario plain("a: { fail: { message: no, data: 7 } }");
  plain.expect_failure("fail", "a");
}

TEST_CASE("data that can not be computed fails as an expression") {
  Scenario s("a: { fail: { type: odd, data: \"${ 1 / 0 }\" } }");
  s.expect_failure("expression", "a");
}

constexpr const char* kChain = R"(flowrun: 1
steps:
  a:
    sequence:
      - { id: look, exec: [look], capture: json }
      - { if: "${ $steps.look.left == 0 }", fail: { type: stock.empty, data: "${ $steps.look }" } }
      - { if: "${ $steps.look.left < 0 }", fail: { type: broken_count, message: impossible } }
    fallback:
      on: [stock]
      set: { backordered: "${ $error.data.left }" }
      fallback:
        on: [broken_count, exit.75]
        exec: [count-by-hand]
output: ${ $steps.a }
)";

TEST_CASE("a fallback is for the errors that it lists, and gives the others to the one within it") {
  Scenario first(kChain);
  first.succeed("a/look", R"({"left": 0})");
  first.expect_success(R"({"backordered": 0})");
  CHECK(first.reason("a") == "fallback");
  CHECK(first.state("a.fallback") == State::Succeeded);

  Scenario second(kChain);
  second.succeed("a/look", R"({"left": -1})");
  second.expect_started({"a/look", "a.fallback.fallback"});
  second.succeed("a.fallback.fallback", "3");
  second.expect_success("3");

  Scenario numbered(kChain);
  numbered.fail("a/look", "exit.75");
  numbered.expect_started({"a/look", "a.fallback.fallback"});
  numbered.succeed("a.fallback.fallback", "4");
  numbered.expect_success("4");

  Scenario neither(kChain);
  neither.fail("a/look", "exit.1");
  neither.expect_started({"a/look"});
  neither.expect_failure("exit.1", "a/look");
}

TEST_CASE("a fallback of the chain that fails itself has the one within it, whatever that is for") {
  Scenario s(R"(
a:
  exec: [a]
  fallback: { on: [exit.1], exec: [b], fallback: { on: [exit.2], exec: [c] } }
)");
  s.fail("a", "exit.1");
  s.fail("a.fallback", "exit.2");
  s.succeed("a.fallback.fallback");
  s.expect_started({"a", "a.fallback", "a.fallback.fallback"});
  s.expect_success();
}

TEST_CASE("a group is of a type when all that failed in it are") {
  const std::string text = R"(
g:
  parallel:
    a: { sequence: [{ exec: [a] }, { fail: { type: busy } }] }
    b: { exec: [b] }
  fail_fast: false
  fallback: { on: [busy, exit], set: later }
)";
  Scenario all(text);
  all.succeed("g/a/_1");
  all.fail("g/b", "exit.9");
  all.expect_success();
  Scenario some(text);
  some.succeed("g/a/_1");
  some.fail("g/b", "killed");
  some.expect_failure("group", "g");
}

const Texts kShip{{"ship.yaml", R"(flowrun: 1
steps:
  ask: { exec: [ask] }
  busy: { if: "${ $steps.ask == \"busy\" }", fail: { type: carrier_busy, data: { again: 5 } } }
output: ${ $steps.ask }
)"}};

TEST_CASE("a sub-workflow is tried again for what failed in it, and caught by it") {
  const std::string text = R"(
ship:
  workflow: ship.yaml
  retry: { attempts: 2, on: [carrier_busy], delay: 1s, jitter: none }
  fallback: { on: [carrier_busy], set: "${ $error.causes[0].data.again }" }
)";
  Scenario s(text, "{}", kShip);
  s.succeed("ship/ask", "\"busy\"");
  CHECK(s.state("ship") == State::Retrying);
  s.advance(1s);
  s.succeed("ship/ask", "\"busy\"");
  s.expect_success();
  CHECK(s.output("ship") == 5);
  Scenario other(text, "{}", kShip);
  other.fail("ship/ask", "exit.1");
  other.expect_failure("child", "ship");
}

TEST_CASE("before number 4 retry.on saw nothing of a sub-workflow but child") {
  const std::string text = R"(flowrun: 1
steps: { ship: { workflow: ship.yaml, retry: { on: [exit.1], delay: 1s, jitter: none } } }
)";
  Scenario s(text, "{}", kShip);
  s.fail("ship/ask", "exit.1");
  CHECK(s.state("ship") == State::Retrying);
  std::vector<Entry> entries = s.entries();
  Json data = Json::parse(entries.front().data);
  data["semantics"] = 3;
  entries.front().data = data.dump();
  const auto loaded = load_text(text, kShip);
  const std::unique_ptr<Evaluator> jq = make_jq(loaded->programs);
  // What number 4 has decided, number 3 would not have.
  CHECK_THROWS_WITH(replay_prefix(*loaded, entries, entries.size(), *jq), ContainsSubstring("timer"));
  s.advance(1s);
  s.succeed("ship/ask");
  s.expect_success();
}

TEST_CASE("a crash in a caught error goes on with the same fallback") {
  Scenario s(kChain);
  s.succeed("a/look", R"({"left": -1})");
  s.crash_and_resume();
  s.succeed("a.fallback.fallback", "3");
  s.expect_success("3");
}

}  // namespace flowrun::test::fail_test
