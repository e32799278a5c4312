// Groups: join policies, fail_fast, races, timeouts, observers, for_each, switch, retry of a run.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::group_test {

TEST_CASE("a race is won by the first success and its losers are stopped") {
  Scenario s(R"(
r:
  race:
    a: { shell: one }
    b: { shell: two }
after: { set: "${ $status.r.winner }" }
)");
  s.fail("r/a");
  s.expect_running();
  s.succeed("r/b", "\"B\"");
  s.expect_success();
  CHECK(s.output("r") == Json("B"));
  CHECK(s.output("after") == Json("b"));
}

TEST_CASE("the loser of a race is stopped and its late answer changes nothing") {
  Scenario s(R"(
r:
  race:
    a: { shell: one }
    b: { shell: two }
)");
  s.succeed("r/a", "1");
  s.expect_stopped({"r/b"});
  s.expect_state("r", State::Succeeded);
  s.expect_running();
  s.succeed("r/b", "2");
  s.expect_success();
  CHECK(s.entries().back().kind == EntryKind::RunEnded);
  CHECK(s.output("r") == Json(1));
}

TEST_CASE("two results of a race in one turn: the first one counts") {
  Scenario s(R"(
r: { race: { a: { set: 1 }, b: { set: 2 } } }
)");
  s.expect_success();
  CHECK(s.output("r") == Json(1));
}

TEST_CASE("a race that nobody wins fails with all causes") {
  Scenario s("r: { race: { a: { shell: one }, b: { shell: two } } }");
  s.fail("r/a", "exit.1");
  s.fail("r/b", "exit.2");
  s.expect_failure("group", "r");
  CHECK(s.machine().outcome().failure->detail.json()["causes"].size() == 2);
}

TEST_CASE("an early result for a group that ends in the same turn settles it once") {
  Scenario s(R"(
outer:
  race:
    fast: { set: won }
    group: { parallel: { x: { set: 1 }, y: { shell: slow } } }
)");
  s.expect_state("outer", State::Succeeded);
  s.expect_started({});
  s.expect_success();
}

TEST_CASE("a quorum ends when enough children agree, and stops the others") {
  Scenario s(R"(
q:
  parallel: { a: { shell: one }, b: { shell: two }, c: { shell: three } }
  join: { quorum: 2 }
)");
  s.expect_started({"q/a", "q/b", "q/c"});
  s.succeed("q/b", "2");
  s.succeed("q/c", "3");
  s.expect_stopped({"q/a"});
  s.succeed("q/a", "1");
  s.expect_success();
  CHECK(s.output("q") == Json{{"a", nullptr}, {"b", 2}, {"c", 3}});
}

TEST_CASE("first_completed takes the first end for better or worse") {
  Scenario s(R"(
g:
  parallel: { a: { shell: one }, b: { shell: two } }
  join: first_completed
)");
  s.fail("g/b");
  s.expect_stopped({"g/a"});
  s.fail("g/a", "cancelled");
  s.expect_failure("group", "g");
}

TEST_CASE("best effort takes what arrives before the group's timeout") {
  Scenario s(R"(
g:
  parallel: { a: { shell: one }, b: { shell: two } }
  join: best_effort
  timeout: 4s
)");
  s.succeed("g/a", "1");
  s.advance(4s);
  s.expect_stopped({"g/b"});
  s.expect_state("g", State::Succeeded);
  s.succeed("g/b", "2");
  s.expect_success();
  CHECK(s.output("g") == Json{{"a", 1}, {"b", nullptr}});
}

TEST_CASE("a result after the timeout of its group changes nothing") {
  Scenario s("g: { parallel: { a: { shell: one } }, timeout: 1s, fallback: { set: late } }");
  s.advance(1s);
  s.succeed("g/a", "1");
  s.expect_success();
  CHECK(s.output("g") == Json("late"));
}

TEST_CASE("at_least and tolerate count what succeeded and what failed") {
  Scenario s(R"(
g:
  parallel: { a: { shell: one }, b: { shell: two }, c: { shell: three } }
  join: { at_least: 2 }
  fail_fast: false
h:
  parallel: { a: { shell: one }, b: { shell: two }, c: { shell: three } }
  join: { tolerate: 34% }
)");
  s.succeed("g/a");
  s.fail("g/b");
  s.succeed("g/c");
  s.fail("h/a");
  s.succeed("h/b");
  s.succeed("h/c");
  s.expect_success();
}

TEST_CASE("drain lets running leaves finish and starts no other") {
  Scenario s(R"(
flow:
  parallel:
    bad: { shell: bad }
    chain: { sequence: [{ id: one, shell: one }, { id: two, shell: two }] }
)");
  s.expect_started({"flow/bad", "flow/chain/one"});
  s.fail("flow/bad");
  s.expect_stopped({});
  s.expect_running();
  s.succeed("flow/chain/one");
  s.expect_started({});
  s.expect_state("flow/chain", State::Cancelled);
  s.expect_failure("group", "flow");
}

TEST_CASE("a group that drains does not begin what waits for a place of the executor") {
  Scenario s(R"(
e: { for_each: [a, b, c], do: { shell: work } }
)");
  s.expect_started({"e[a]", "e[b]", "e[c]"});
  s.fail("e[a]");
  s.expect_withdrawn({"e"});
  s.expect_stopped({});
  s.withdraw("e[c]");
  s.expect_state("e[c]", State::Cancelled);
  CHECK(s.reason("e[c]") == "drain");
  // It had a place and ends as it would.
  s.succeed("e[b]");
  s.expect_started({});
  s.expect_failure("group", "e");
  // A retry begins what failed and what never began, with the first attempt of each that has had none.
  s.retry();
  s.expect_started({"e[a]", "e[c]"});
  CHECK(s.task("e[c]").attempt == 1);
  s.succeed("e[a]");
  s.succeed("e[c]");
  s.expect_success();
}

TEST_CASE("who has been tried keeps its tries in a drain, and waits for its place again") {
  Scenario s(R"(
e: { for_each: [a, b, c], do: { shell: work, retry: { attempts: 2, on: [any], delay: 0s } } }
)");
  s.expect_started({"e[a]", "e[b]", "e[c]"});
  s.fail("e[b]");
  s.advance(1s);
  s.expect_started({"e[b]"});
  s.fail("e[a]");
  s.advance(1s);
  s.expect_started({"e[a]"});
  s.fail("e[a]");
  s.expect_withdrawn({"e"});
  s.withdraw("e[b]");
  s.withdraw("e[c]");
  s.expect_started({"e[b]"});
  CHECK(s.task("e[b]").attempt == 2);
  CHECK(s.task("e[b]").rerun == 0);
  s.expect_state("e[c]", State::Cancelled);
  s.succeed("e[b]");
  s.expect_failure("group", "e");
}

TEST_CASE("a drain of nothing but calls has nothing to withdraw") {
  Scenario s(R"(
g: { parallel: { a: { shell: one }, b: { http: http://b.example }, c: { http: http://c.example } } }
)");
  s.fail("g/a");
  s.expect_withdrawn({});
  s.succeed("g/b");
  s.succeed("g/c");
  s.expect_failure("group", "g");
}

TEST_CASE("an observer that had no place yet still runs in a drain") {
  Scenario s(R"(
g:
  parallel:
    a: { shell: one }
    b: { shell: two }
    log: { shell: log, after: [a] }
    later: { sequence: [{ shell: three }, { shell: four }], after: [a] }
)");
  s.succeed("g/a");
  s.expect_started({"g/a", "g/b", "g/log", "g/later/_1"});
  s.fail("g/b");
  s.expect_withdrawn({"g"});
  s.withdraw("g/log");
  s.expect_started({"g/log"});
  s.succeed("g/log");
  s.succeed("g/later/_1");
  s.expect_started({"g/later/_2"});
  s.succeed("g/later/_2");
  s.expect_failure("group", "g");
}

TEST_CASE("a strict step that still waits for its place does not begin in a group that drains") {
  Scenario s(R"(
g: { parallel: { a: { shell: one }, b: { shell: two, on_crash: ask } } }
)");
  s.expect_started({"g/a"});
  s.fail("g/a");
  s.expect_stopped({"g/b"});
  s.expect_state("g/b", State::Cancelled);
  s.expect_failure("group", "g");
}

TEST_CASE("fail_fast true cancels what runs") {
  Scenario s(R"(
g: { parallel: { a: { shell: one }, b: { shell: two } }, fail_fast: true }
)");
  s.fail("g/a");
  s.expect_stopped({"g/b"});
  s.expect_state("g", State::Failed);
  s.fail("g/b", "cancelled");
  s.expect_failure("group", "g");
}

TEST_CASE("fail_fast false runs everything that is not blocked") {
  Scenario s(R"(flowrun: 1
fail_fast: false
concurrency: 1
steps:
  a: { shell: one }
  b: { shell: two }
  c: { needs: [a], shell: three }
)");
  s.fail("a");
  s.expect_started({"a", "b"});
  s.expect_state("c", State::Blocked);
  s.succeed("b");
  s.expect_failure("exit.1", "a");
}

TEST_CASE("an observer looks at a failure although the group drains") {
  Scenario s(R"(
test: { shell: test }
other: { needs: [test], shell: other }
report: { after: [test], shell: report }
)");
  s.fail("test");
  s.expect_started({"test", "report"});
  s.expect_state("other", State::Blocked);
  s.succeed("report");
  s.expect_failure("exit.1", "test");
}

TEST_CASE("a list goes step by step, and a failure blocks the rest but not what looks") {
  Scenario s(R"(
- { id: a, shell: one }
- { id: b, shell: two }
- { id: c, shell: clean, env: { STATE: "${ $status.a.state }" } }
)");
  s.expect_started({"a"});
  s.fail("a");
  s.expect_state("b", State::Blocked);
  s.expect_started({"c"});
  s.succeed("c");
  s.expect_failure("exit.1", "a");
}

TEST_CASE("for_each runs some items at a time and aligns its output with them") {
  Scenario s(R"(
e: { for_each: [x, y, z], concurrency: 2, do: { shell: work, env: { I: "${ $item }" } } }
)");
  s.expect_started({"e[x]", "e[y]"});
  s.succeed("e[y]", "2");
  s.expect_started({"e[z]"});
  s.succeed("e[z]", "3");
  s.succeed("e[x]", "1");
  s.expect_success();
  CHECK(s.output("e") == Json::parse("[1,2,3]"));
}

TEST_CASE("items of a pipeline walk its stages by themselves") {
  Scenario s(R"(
e:
  for_each: [x, y]
  do:
    - { id: one, shell: one }
    - { id: two, shell: two, env: { IN: "${ $steps.one }" } }
)");
  s.expect_started({"e[x]/one", "e[y]/one"});
  s.succeed("e[x]/one", "1");
  s.expect_started({"e[x]/two"});
  s.succeed("e[x]/two", "11");
  s.succeed("e[y]/one", "2");
  s.succeed("e[y]/two", "22");
  s.expect_success();
  CHECK(s.output("e") == Json::parse("[11,22]"));
}

TEST_CASE("an empty list succeeds with nothing") {
  Scenario s("e: { for_each: [], do: { shell: work } }");
  s.expect_success();
  CHECK(s.output("e") == Json::array());
}

TEST_CASE("items with a key keep it in their path, and equal keys are refused") {
  Scenario good("e: { for_each: [{id: a/1}, {id: b}], key: \"${ $item.id }\", do: { set: \"${ $key }\" } }");
  good.expect_success();
  CHECK(good.output("e") == Json::parse(R"(["a/1","b"])"));
  good.expect_state("e[a%2F1]", State::Succeeded);
  Scenario bad("e: { for_each: [{id: a}, {id: a}], key: \"${ $item.id }\", do: { set: 1 } }");
  bad.expect_failure("expression", "e");
}

TEST_CASE("equal scalar items go by their index and none is lost") {
  Scenario s("e: { for_each: [x, x], do: { set: \"${ $index }\" } }");
  s.expect_success();
  CHECK(s.output("e") == Json::parse("[0,1]"));
}

TEST_CASE("a map is iterated by its keys, a number by counting, a batch by slices") {
  Scenario map("e: { for_each: { a: 1, b: 2 }, do: { set: \"${ $item.value }\" } }");
  map.expect_state("e[b]", State::Succeeded);
  CHECK(map.output("e") == Json::parse("[1,2]"));
  Scenario count("e: { for_each: 3, do: { set: \"${ $item }\" } }");
  CHECK(count.output("e") == Json::parse("[0,1,2]"));
  Scenario batch("e: { for_each: [1,2,3], batch: 2, do: { set: \"${ $item | length }\" } }");
  CHECK(batch.output("e") == Json::parse("[2,1]"));
}

TEST_CASE("a failed item drains the others, tolerated ones do not") {
  Scenario s("e: { for_each: [x, y, z], concurrency: 2, do: { shell: work } }");
  s.fail("e[x]");
  s.succeed("e[y]", "2");
  s.expect_started({"e[x]", "e[y]"});
  s.expect_failure("group", "e");
  Scenario t("e: { for_each: [x, y, z], concurrency: 2, join: { tolerate: 1 }, do: { shell: work } }");
  t.fail("e[x]");
  t.succeed("e[y]", "2");
  t.succeed("e[z]", "3");
  t.expect_success();
  CHECK(t.output("e") == Json::parse("[null,2,3]"));
}

TEST_CASE("collect makes an item's output from its inner steps") {
  Scenario s(R"(
e:
  for_each: [1, 2]
  do: { a: { set: "${ $item }" }, b: { set: x } }
  collect: { got: "${ $steps.a }" }
)");
  s.expect_success();
  CHECK(s.output("e") == Json::parse(R"([{"got":1},{"got":2}])"));
}

TEST_CASE("pure items settle in one turn without recursion") {
  Scenario s("e: { for_each: 300, do: { set: \"${ $item }\" } }");
  s.expect_success();
  CHECK(s.output("e").size() == 300);
}

TEST_CASE("a switch takes the first way that holds, and null when none does") {
  Scenario s(R"(
a:
  switch:
    - { if: "${ $input.size == \"large\" }", do: { set: big } }
    - else: { set: small }
b:
  switch:
    - { if: "${ $input.size == \"huge\" }", do: { set: big } }
)",
             R"({"size": "large"})");
  s.expect_success();
  CHECK(s.output("a") == Json("big"));
  CHECK(s.output("b") == Json());
}

TEST_CASE("retry reopens what failed and keeps what succeeded") {
  Scenario s(R"(
a: { shell: one }
b: { shell: two }
c: { needs: [a, b], shell: three }
)");
  s.succeed("a");
  s.fail("b");
  s.expect_failure("exit.1", "b");
  s.expect_started({"a", "b"});
  s.retry();
  s.expect_started({"b"});
  CHECK(s.task("b").attempt == 2);
  s.succeed("b");
  s.expect_started({"c"});
  s.succeed("c");
  s.expect_success();
}

TEST_CASE("retry goes into groups and items") {
  Scenario s(R"(
e: { for_each: [x, y], fail_fast: false, do: { shell: work } }
after: { needs: [e], shell: done }
)");
  s.succeed("e[x]", "1");
  s.fail("e[y]");
  s.expect_failure("group", "e");
  s.expect_started({"e[x]", "e[y]"});
  s.retry();
  s.expect_started({"e[y]"});
  s.succeed("e[y]", "2");
  s.expect_started({"after"});
  s.succeed("after");
  s.expect_success();
  CHECK(s.output("e") == Json::parse("[1,2]"));
}

TEST_CASE("what no expression looks at is let go when it is in the journal") {
  const std::string steps = "e: { for_each: [x, y], do: { http: http://h/ } }\na: { http: http://h/ }\n";
  const auto kept = [](const Scenario& s, const std::string& path) {
    return s.view().look(path).value().output.text();
  };
  Scenario unread(steps);
  unread.succeed("e[x]", "[1.10]");
  unread.succeed("e[y]", "2");
  unread.succeed("a", "3");
  unread.expect_success();
  for (const char* path : {"e", "a"}) CHECK(kept(unread, path) == "null");
  // People may ask for it all the same.
  CHECK(unread.output("e") == Json::parse("[[1.1],2]"));
  CHECK(unread.output("a") == Json(3));

  Scenario read("flowrun: 1\nsteps: { " + std::string("e: { for_each: [x, y], do: { http: http://h/ } }") +
                " }\noutput: ${ $steps.e }\n");
  read.succeed("e[x]", "[1.10]");
  read.succeed("e[y]", "2");
  read.expect_success("[[1.1],2]");
  CHECK(kept(read, "e") == "[[1.10],2]");
}

TEST_CASE("the output of a for_each has those of its items in their order, also of a retry") {
  Scenario s(R"(flowrun: 1
steps:
  e: { for_each: [w, x, y, z], fail_fast: false, do: { shell: work } }
output: ${ $steps.e }
)");
  s.succeed("e[x]", "1");
  s.fail("e[y]");
  s.crash_and_resume();
  s.succeed("e[z]", "[3.10]");
  s.succeed("e[w]");
  s.expect_failure("group", "e");
  s.retry();
  s.succeed("e[y]", "\"two\"");
  s.expect_success(R"([null,1,"two",[3.1]])");
  s.retry("e[x]");
  s.succeed("e[x]", "{}");
  s.expect_success(R"([null,{},"two",[3.1]])");
  s.retry("e");
  for (const char* path : {"e[z]", "e[y]", "e[x]", "e[w]"}) s.succeed(path, "0");
  s.expect_success("[0,0,0,0]");

  Scenario none("flowrun: 1\nsteps: { e: { for_each: [], do: { shell: work } } }\noutput: ${ $steps.e }\n");
  none.expect_success("[]");
}

TEST_CASE("long and short outputs of items stand in one list, also of a retry") {
  Scenario s(R"(flowrun: 1
steps:
  e: { for_each: [v, w, x, y, z], fail_fast: false, do: { shell: work } }
output: ${ $steps.e }
)");
  const std::string one = '"' + std::string(3000, 'a') + '"', two = '"' + std::string(2000, 'b') + '"';
  s.succeed("e[x]", one);
  s.succeed("e[z]", two);
  s.fail("e[y]");
  s.succeed("e[v]", "1");
  s.succeed("e[w]");
  s.expect_failure("group", "e");
  s.retry();
  s.succeed("e[y]", "2");
  s.expect_success("[1,null," + one + ",2," + two + "]");
  s.retry("e[x]");
  s.succeed("e[x]", "3");
  s.expect_success("[1,null,3,2," + two + "]");
  s.retry("e[v]");
  s.succeed("e[v]", one);
  s.expect_success("[" + one + ",null,3,2," + two + "]");
}

TEST_CASE("a fallback that nobody looks at comes out in the entry of its step") {
  Scenario s("a: { set: '${ error(\"no\") }', fallback: { switch: [{ if: true, do: { set: 7 } }] } }");
  s.expect_success();
  for (const Entry& entry : s.entries())
    if (entry.path == "a") CHECK(entry.value.text() == "7");
}

TEST_CASE("a crash in the middle of a race goes on with all that were in flight") {
  Scenario s("r: { race: { a: { shell: one }, b: { shell: two } } }");
  s.crash_and_resume();
  s.expect_started({"r/a", "r/b", "r/a", "r/b"});
  s.succeed("r/b", "2");
  s.expect_stopped({"r/a"});
  s.crash_and_resume();
  s.expect_success();
  CHECK(s.output("r") == Json(2));
}

TEST_CASE("a jq expression is answered from the journal at replay") {
  Scenario s(R"(
a: { shell: one }
b: { set: "${ [$steps.a[].sku] | join(\",\") }" }
)");
  s.succeed("a", R"([{"sku":"x"},{"sku":"y"}])");
  s.expect_success();
  CHECK(s.output("b") == Json("x,y"));
}

TEST_CASE("a value that is told in a message is cut between characters") {
  for (std::string lead : {"", "x"}) {
    for (int i = 0; i < 79; ++i) lead += "\u00e9";
    Scenario s("a: { shell: one }\nb: { for_each: [1], concurrency: '${ $steps.a }', do: { shell: two } }");
    s.succeed("a", Json(lead).dump());
    s.expect_failure("expression", "b");
    CHECK(is_utf8(s.machine().outcome().failure->message));
  }
}

}  // namespace flowrun::test::group_test
