// Files that are run as steps of another.
#include <fmt/format.h>

#include <set>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::sub_workflow_test {
namespace {

constexpr const char* kPay = R"(flowrun: 1
input:
  amount: { type: number, minimum: 1 }
  region: { type: string, env: REGION, default: eu }
  label: { default: "at ${ $now }" }
vars: { text: "${ $input.amount } in ${ $input.region }" }
steps:
  check: { exec: [check, "${ $vars.text }"] }
  charge: { exec: [charge, "${ $steps.check }"] }
output: { id: "${ $steps.charge }", region: "${ $input.region }" }
)";

constexpr const char* kCareful = R"(flowrun: 1
steps:
  work: { exec: [work] }
on_failure: { exec: [sorry, "${ $error.type }"] }
finally: { tell: { exec: [bye, "${ $run.state }", "${ $run.id }"] } }
output: ${ $steps.work }
)";

Texts pay() { return {{"pay.yaml", kPay}, {"careful.yaml", kCareful}}; }

std::vector<std::string> argv(const Scenario& s, const std::string& path) {
  return std::get<Process>(*s.task(path).work).argv;
}

}  // namespace

TEST_CASE("a sub-workflow runs below its step, with its own inputs and vars, and gives its output") {
  Scenario s(R"(
first: { exec: [first] }
sub: { workflow: pay.yaml, with: { amount: "${ $steps.first }" } }
last: { exec: [last, "${ $steps.sub.id }", "${ $steps.sub.region }"] }
)",
             "{}", pay());
  s.expect_started({"first"});
  s.succeed("first", "7");
  s.expect_started({"sub/check"});
  CHECK(argv(s, "sub/check") == std::vector<std::string>{"check", "7 in eu"});
  s.crash_and_resume();
  s.expect_started({"sub/check"});
  s.expect_state("sub", State::Running);
  s.succeed("sub/check", "\"ok\"");
  s.expect_started({"sub/charge"});
  s.succeed("sub/charge", "\"P-1\"");
  CHECK(s.output("sub") == Json({{"id", "P-1"}, {"region", "eu"}}));
  s.expect_started({"last"});
  CHECK(argv(s, "last") == std::vector<std::string>{"last", "P-1", "eu"});
  s.succeed("last");
  s.expect_success();
}

TEST_CASE("what the environment gives to a sub-workflow is a fact of the start") {
  Scenario s("sub: { workflow: pay.yaml, with: { amount: 7 } }", "{}", pay(), R"({"pay.yaml":{"region":"us"}})");
  CHECK(argv(s, "sub/check") == std::vector<std::string>{"check", "7 in us"});
  s.succeed("sub/check", "1");
  s.succeed("sub/charge", "1");
  s.expect_success();
}

TEST_CASE("an input that is not what the file declares fails the step, and is not tried again") {
  Scenario s(R"(
first: { exec: [first] }
sub: { workflow: pay.yaml, with: { amount: "${ $steps.first }" }, retry: { attempts: 3, on: [any] } }
)",
             "{}", pay());
  s.succeed("first", "0");
  s.expect_failure("expression", "sub");
  CHECK(s.machine().outcome().failure->message.find("input amount of pay.yaml: ") == 0);
}

TEST_CASE("the failure of a sub-workflow names the step in it and its place, and has it as its cause") {
  Scenario s(R"(
sub:
  workflow: pay.yaml
  with: { amount: 7 }
  fallback: { set: { why: "${ $error.causes[0].step } ${ $error.message }" } }
)",
             "{}", pay());
  s.fail("sub/check", "exit.3", "no money");
  CHECK(s.output("sub")["why"] == "sub/check sub/check has failed (pay.yaml:8): exit.3: no money");
  s.expect_success();
}

TEST_CASE("a failure two files down is told once") {
  Texts files = pay();
  files["outer.yaml"] = "flowrun: 1\nsteps: { pay: { workflow: pay.yaml, with: { amount: 2 } } }\n";
  Scenario s("sub: { workflow: outer.yaml }", "{}", files);
  s.expect_started({"sub/pay/check"});
  s.fail("sub/pay/check", "exit.3", "no money");
  s.expect_failure("child", "sub");
  CHECK(s.machine().outcome().failure->message == "sub/pay/check has failed (pay.yaml:8): exit.3: no money");
}

TEST_CASE("a second try runs the file anew under the same paths, with other idempotency keys") {
  Scenario s("sub: { workflow: pay.yaml, with: { amount: 7 }, retry: { attempts: 2, delay: 1s, jitter: none } }", "{}",
             pay());
  std::string key = s.task("sub/check").idempotency_key;
  s.succeed("sub/check", "1");
  s.fail("sub/charge");
  s.expect_state("sub", State::Retrying);
  s.crash_and_resume();
  s.advance(1s);
  s.expect_started({"sub/check", "sub/charge", "sub/check"});
  CHECK(s.task("sub/check").idempotency_key != key);
  s.succeed("sub/check", "1");
  s.succeed("sub/charge", "1");
  s.expect_success();
}

TEST_CASE("keys of a try within a try are never those of another") {
  Texts files = pay();
  files["outer.yaml"] =
      "flowrun: 1\nsteps:\n  pay: { workflow: pay.yaml, with: { amount: 2 }, retry: { attempts: 2, delay: 1s } }\n";
  Scenario s("sub: { workflow: outer.yaml, retry: { attempts: 2, delay: 1s } }", "{}", files);
  std::set<std::string> keys;
  for (int i = 0; i < 4; ++i) {
    keys.insert(s.task("sub/pay/check").idempotency_key);
    s.fail("sub/pay/check");
    s.advance(2s);
  }
  CHECK(keys.size() == 4);
  s.expect_failure("child", "sub");
}

TEST_CASE("a new try waits until all of the one before has ended") {
  Texts files{{"two.yaml", "flowrun: 1\nfail_fast: true\nsteps: { a: { exec: [a] }, b: { exec: [b] } }\n"}};
  Scenario s("sub: { workflow: two.yaml, retry: { attempts: 2, delay: 1s } }", "{}", files);
  s.expect_started({"sub/a", "sub/b"});
  s.fail("sub/a");
  s.expect_stopped({"sub/b"});
  s.advance(5s);
  s.expect_started({});
  s.fail("sub/b", "cancelled");  // late
  s.expect_started({"sub/a", "sub/b"});
  s.succeed("sub/a");
  s.succeed("sub/b");
  s.expect_success();
}

TEST_CASE("handlers of a sub-workflow run within it, and see how it stands") {
  Scenario s("sub: { workflow: careful.yaml }", "{}", pay());
  s.fail("sub/work", "exit.2");
  s.expect_started({"sub/work", "sub/on_failure/_1"});
  CHECK(argv(s, "sub/on_failure/_1") == std::vector<std::string>{"sorry", "exit.2"});
  s.crash_and_resume();
  s.succeed("sub/on_failure/_1");
  s.expect_started({"sub/on_failure/_1", "sub/finally/tell"});
  CHECK(argv(s, "sub/finally/tell") == std::vector<std::string>{"bye", "failed", "scenario-1"});
  s.expect_running();
  s.succeed("sub/finally/tell");
  s.expect_failure("child", "sub");
  s.retry();
  s.expect_started({"sub/work"});
  s.succeed("sub/work", "5");
  s.succeed("sub/finally/tell");
  CHECK(s.output("sub") == 5);
  s.expect_success();
}

TEST_CASE("a retry of the run goes on inside the sub-workflow, where it stood") {
  Scenario s("sub: { workflow: pay.yaml, with: { amount: 7 }, retry: { attempts: 2, delay: 1s, jitter: none } }", "{}",
             pay());
  for (int i = 0; i < 2; ++i) {
    s.succeed("sub/check", "1");
    s.fail("sub/charge");
    s.advance(1s);
  }
  s.expect_failure("child", "sub");
  std::string key = s.task("sub/charge").idempotency_key;
  s.expect_started({"sub/check", "sub/charge", "sub/check", "sub/charge"});
  s.retry("sub/charge");
  s.expect_started({"sub/charge"});
  CHECK(s.task("sub/charge").idempotency_key == key);
  s.fail("sub/charge");
  s.advance(1s);
  s.expect_started({"sub/check"});  // it has its tries anew
  s.succeed("sub/check", "1");
  s.succeed("sub/charge", "1");
  s.expect_success();
}

TEST_CASE("a sub-workflow that has lost a race is stopped as a whole, and tidied up") {
  Scenario s(R"(
first:
  race:
    slow: { workflow: careful.yaml }
    fast: { exec: [fast] }
)",
             "{}", pay());
  s.expect_started({"first/fast", "first/slow/work"});
  s.succeed("first/fast", "1");
  s.expect_stopped({"first/slow/work"});
  s.fail("first/slow/work", "cancelled");
  s.expect_started({"first/slow/finally/tell"});
  s.succeed("first/slow/finally/tell");
  s.expect_success();
}

TEST_CASE("a drain lets what runs in a sub-workflow finish, and its handlers run") {
  Scenario s(R"(
group:
  parallel:
    bad: { exec: [bad] }
    pay: { workflow: pay.yaml, with: { amount: 2 }, retry: { attempts: 5 } }
    careful: { workflow: careful.yaml }
)",
             "{}", pay());
  s.fail("group/bad");
  s.succeed("group/pay/check", "1");
  s.expect_state("group/pay", State::Cancelled);
  s.succeed("group/careful/work", "1");
  s.expect_running();
  s.succeed("group/careful/finally/tell");
  s.expect_state("group/careful", State::Succeeded);
  s.expect_failure("group", "group");
}

TEST_CASE("fail_fast stops a sub-workflow, and a retry takes it up again") {
  Scenario s(R"(
group:
  parallel:
    bad: { exec: [bad] }
    pay: { workflow: pay.yaml, with: { amount: 2 } }
  fail_fast: true
)",
             "{}", pay());
  s.succeed("group/pay/check", "1");
  s.fail("group/bad");
  s.expect_stopped({"group/pay/charge"});
  s.fail("group/pay/charge", "cancelled");
  s.expect_failure("group", "group");
  s.expect_started({"group/bad", "group/pay/check", "group/pay/charge"});
  s.retry();
  s.expect_started({"group/bad", "group/pay/charge"});
  s.succeed("group/bad");
  s.succeed("group/pay/charge", "1");
  s.expect_success();
}

TEST_CASE("a timeout ends one try of a sub-workflow, a deadline all of them") {
  Scenario s(R"(
sub: { workflow: pay.yaml, with: { amount: 2 }, timeout: 2s, deadline: 5s, retry: { attempts: 9, delay: 1s, jitter: none, on: [timeout] } }
)",
             "{}", pay());
  s.advance(2s);
  s.expect_stopped({"sub/check"});
  s.fail("sub/check", "cancelled");
  s.advance(1s);
  s.expect_started({"sub/check", "sub/check"});
  s.suspend();
  s.interrupt("sub/check");
  s.expect_suspended();
  s.crash_and_resume({}, 60s);
  s.advance(2s);
  s.expect_stopped({"sub/check"});
  s.fail("sub/check", "cancelled");
  s.expect_failure("deadline", "sub");
}

TEST_CASE("the timeout of the file is that of its steps: its handlers run") {
  Texts files{{"slow.yaml", "flowrun: 1\ntimeout: 3s\nsteps: { exec: [slow] }\nfinally: { exec: [bye] }\n"}};
  Scenario s("sub: { workflow: slow.yaml, timeout: 1h }", "{}", files);
  s.expect_started({"sub/_1"});
  s.advance(3s);
  s.expect_stopped({"sub/_1"});
  s.fail("sub/_1", "cancelled");
  s.expect_started({"sub/finally/_1"});
  s.succeed("sub/finally/_1");
  s.expect_failure("child", "sub");
  CHECK(s.machine().outcome().failure->message ==
        "it has failed (slow.yaml): timeout: the sub-workflow timed out after 3s");
}

TEST_CASE("a poll repeats a sub-workflow until its output is what is waited for") {
  Texts files{{"ask.yaml", "flowrun: 1\nsteps: { ask: { exec: [ask] } }\noutput: { state: \"${ $steps.ask }\" }\n"}};
  Scenario s(R"(
sub: { workflow: ask.yaml, poll: { until: "${ .state == \"done\" and .polls > 1 }", every: 5s }, deadline: 1h }
)",
             "{}", files);
  s.succeed("sub/ask", "\"busy\"");
  s.advance(5s);
  s.fail("sub/ask");  // not yet, either
  s.advance(5s);
  s.expect_started({"sub/ask", "sub/ask", "sub/ask"});
  s.succeed("sub/ask", "\"done\"");
  CHECK(s.output("sub") == Json({{"state", "done"}}));
  s.expect_success();
}

TEST_CASE("items that are sub-workflows of one step keep the names of their steps") {
  Texts files{{"one.yaml", "flowrun: 1\ninput: { n: {} }\nsteps: { exec: [one, \"${ $input.n }\"] }\noutput: 1\n"}};
  Scenario s(R"(
each:
  for_each: [a, b]
  do: { workflow: one.yaml, with: { n: "${ $item }" }, timeout: 5s, output: "${ . + 1 }" }
)",
             "{}", files);
  s.expect_started({"each[a]/_1", "each[b]/_1"});
  CHECK(std::get<Process>(*s.task("each[a]/_1").work).env.empty());  // sees nothing of the item
  s.succeed("each[b]/_1");
  s.crash_and_resume();
  s.succeed("each[a]/_1");
  CHECK(s.output("each") == Json::array({2, 2}));
  s.expect_success();
}

TEST_CASE("a wait in a sub-workflow is answered by its name") {
  Texts files{{"ask.yaml", "flowrun: 1\nsteps: { ok: { wait: approval } }\noutput: \"${ $steps.ok.by }\"\n"}};
  Scenario s("sub: { workflow: ask.yaml }", "{}", files);
  s.expect_state("sub/ok", State::Waiting);
  s.signal("approval", R"({"by":"ann"})");
  CHECK(s.output("sub") == "ann");
  s.expect_success();
}

TEST_CASE("processes of a sub-workflow run in its folder, also when that of the run has moved") {
  Texts files{{"parts/deep.yaml", "flowrun: 1\nsteps: { a: { exec: [a] }, b: { needs: [a], exec: [b], cwd: x } }\n"},
              {"../aside/far.yaml", "flowrun: 1\nsteps: { a: { exec: [a] } }\n"}};
  Scenario s("{ deep: { workflow: parts/deep.yaml }, far: { workflow: ../aside/far.yaml } }", "{}", files);
  auto cwd = [&](const char* path) { return std::get<Process>(*s.task(path).work).cwd; };
  CHECK(cwd("deep/a") == "/nowhere/parts");
  CHECK(cwd("far/a") == "/aside");
  RunResumed moved;
  moved.folder = "/moved";
  s.crash_and_resume(moved);
  s.succeed("deep/a");
  CHECK(cwd("deep/b") == "/moved/parts/x");
  s.succeed("deep/b");
  s.succeed("far/a");
  s.expect_success();
}

TEST_CASE("what a sub-workflow has done is undone with the run, seen from its file, and done again by a retry") {
  Texts files{{"shop/buy.yaml", R"(flowrun: 1
input: { what: {} }
vars: { tag: "v-${ $input.what }" }
steps:
  buy: { exec: [buy], undo: { exec: [back, "${ $input.what }", "${ $vars.tag }", "${ $steps.buy }"] } }
  wrap: { exec: [wrap] }
output: ${ $steps.buy }
)"}};
  Scenario s("[{ id: sub, workflow: shop/buy.yaml, with: { what: ham } }, { id: bad, exec: [bad] }]",
             R"({"what":"not this"})", files);
  s.succeed("sub/buy", "7");
  s.succeed("sub/wrap");
  s.fail("bad");
  s.expect_started({"sub/buy", "sub/wrap", "bad", "sub/buy.undo"});
  CHECK(argv(s, "sub/buy.undo") == std::vector<std::string>{"back", "ham", "v-ham", "7"});
  CHECK(std::get<Process>(*s.task("sub/buy.undo").work).cwd == "/nowhere/shop");
  s.succeed("sub/buy.undo");
  s.expect_failure("exit.1", "bad");
  s.retry();
  s.expect_started({"sub/buy"});
  s.crash_and_resume();
  s.succeed("sub/buy", "8");
  CHECK(s.output("sub") == 8);
  s.succeed("bad");
  s.expect_success();
}

TEST_CASE("each try of a sub-workflow is undone: what one has done is not what another did") {
  Texts files{{"buy.yaml",
               "flowrun: 1\nsteps: [{ id: buy, exec: [buy], undo: { exec: [back, \"${ $steps.buy }\"] } }, "
               "{ id: wrap, exec: [wrap] }]\n"}};
  Scenario s("sub: { workflow: buy.yaml, retry: { attempts: 2, delay: 1s, jitter: none } }", "{}", files);
  for (const char* payment : {"1", "2"}) {
    s.succeed("sub/buy", payment);
    s.fail("sub/wrap");
    s.advance(1s);
  }
  CHECK(argv(s, "sub/buy.undo") == std::vector<std::string>{"back", "2"});
  std::string key = s.task("sub/buy.undo").idempotency_key;
  s.succeed("sub/buy.undo");
  CHECK(argv(s, "sub/buy.undo") == std::vector<std::string>{"back", "1"});
  CHECK(s.task("sub/buy.undo").idempotency_key != key);
  s.succeed("sub/buy.undo");
  s.expect_failure("child", "sub");
}

}  // namespace flowrun::test::sub_workflow_test
