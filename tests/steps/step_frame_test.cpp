// How a single step lives: if, delay, timeout, retry, deadline, fallback, continue_on_error, output.
#include <algorithm>

#include "engine/model/entry_reading.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::step_frame_test {

TEST_CASE("steps of a map start together, and one that uses another waits for it") {
  Scenario s(R"(
a: { shell: one }
b: { shell: two }
c: { shell: three, env: { A: "${ $steps.a }" } }
)");
  s.expect_started({"a", "b"});
  s.succeed("a", "\"x\"");
  s.expect_started({"c"});
  s.succeed("b");
  s.succeed("c");
  s.expect_success();
}

TEST_CASE("a step whose condition is false is skipped, and skipping does not spread") {
  Scenario s(R"(
a: { if: "${ $input.yes }", shell: one }
b: { needs: [a], shell: two }
)",
             R"({"yes": false})");
  s.expect_state("a", State::Skipped);
  s.expect_started({"b"});
  s.succeed("b");
  s.expect_success();
}

TEST_CASE("a condition that is not true or false fails the step") {
  Scenario s("a: { if: \"${ $input.word }\", shell: one }", R"({"word": "yes"})");
  s.expect_failure("expression", "a");
}

TEST_CASE("what needs a failed step is blocked, what only looks at it runs") {
  Scenario s(R"(
a: { shell: one }
b: { needs: [a], shell: two }
c: { needs: [b], shell: three }
d: { shell: look, env: { STATE: "${ $status.a.state }" } }
)");
  s.fail("a");
  s.expect_state("b", State::Blocked);
  s.expect_state("c", State::Blocked);
  CHECK(s.reason("b") == "needs a");
  s.expect_started({"a", "d"});
  s.succeed("d");
  s.expect_failure("exit.1", "a");
}

TEST_CASE("a delay is a timer, and the step starts when it is over") {
  Scenario s("a: { shell: one, delay: 150ms }");
  s.expect_started({});
  CHECK(s.timer("a", TimerKind::Delay) == 150ms);
  s.advance(150ms);
  s.expect_started({"a"});
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("a sleep wakes at its date, downtime counts") {
  Scenario s("a: { sleep: 1h }");
  s.crash_and_resume({}, 59min);
  CHECK(s.timer("a", TimerKind::Sleep) == 1min);
  s.advance(1min);
  s.expect_success();
}

TEST_CASE("a failed attempt is retried after a wait within the jitter, as often as attempts say") {
  Scenario s("a: { shell: flaky, retry: { attempts: 3, delay: 1s, on: [exit] } }");
  s.fail("a");
  s.expect_state("a", State::Retrying);
  Duration first = s.timer("a", TimerKind::Retry);
  CHECK(first >= 0ms);
  CHECK(first <= 1s);
  s.advance(1s);
  s.expect_started({"a", "a"});
  CHECK(s.task("a").attempt == 2);
  s.fail("a");
  CHECK(s.timer("a", TimerKind::Retry) <= 2s);
  s.advance(2s);
  s.fail("a", "exit.7");
  s.expect_failure("exit.7", "a");
}

TEST_CASE("a delay is not cut where no longest wait is written, and further waits are no longer than it") {
  Scenario s("a: { shell: flaky, retry: { attempts: 4, delay: 1m, jitter: none, on: [exit] } }");
  for (int i = 0; i < 2; ++i) {
    s.fail("a");
    CHECK(s.timer("a", TimerKind::Retry) == 1min);
    s.advance(1min);
  }
  Scenario written("a: { shell: flaky, retry: { attempts: 4, delay: 20s, max_delay: 25s, jitter: none, on: [exit] } }");
  written.fail("a");
  CHECK(written.timer("a", TimerKind::Retry) == 20s);
  written.advance(20s);
  written.fail("a");
  CHECK(written.timer("a", TimerKind::Retry) == 25s);
}

TEST_CASE("every try carries the same idempotency key") {
  Scenario s("a: { shell: flaky, retry: { attempts: 2, on: [exit], jitter: none } }");
  std::string key = s.task("a").idempotency_key;
  s.fail("a");
  s.advance(500ms);
  CHECK(s.task("a").idempotency_key == key);
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("an error that is not listed is not retried") {
  Scenario s("a: { shell: flaky, retry: { attempts: 3, on: [exit.75] } }");
  s.fail("a", "exit.1");
  s.expect_failure("exit.1", "a");
}

TEST_CASE("a server that asks to wait is waited for") {
  Scenario s("a: { http: https://x.example, retry: { attempts: 2, jitter: none } }");
  Result result;
  result.failure = Failure{"http.503", "busy"};
  result.code = 503;
  result.retry_after = 7s;
  s.end("a", result);
  CHECK(s.timer("a", TimerKind::Retry) == 7s);
  s.advance(7s);
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("a server that asks to wait longer than the deadline leaves fails the step now") {
  Scenario s("a: { http: https://x.example, retry: { attempts: 2 }, deadline: 5s }");
  Result result;
  result.failure = Failure{"http.429", "slow down"};
  result.code = 429;
  result.retry_after = 60s;
  s.end("a", result);
  s.expect_failure("http.429", "a");
  // The end of the attempt does not say why there is no other one: the step has an entry of its own for that.
  const auto settled = std::find_if(s.entries().begin(), s.entries().end(), [](const Entry& entry) {
    return entry.kind == EntryKind::StepSettled && entry.path == "a";
  });
  REQUIRE(settled != s.entries().end());
  CHECK(as<StepSettled>(*settled).outcome.failure->message.find("longer than the deadline leaves") !=
        std::string::npos);
}

TEST_CASE("a POST is retried only when nothing was sent") {
  Scenario s(R"(
a: { http: POST https://x.example }
)");
  Result unsent;
  unsent.failure = Failure{"connect", "refused"};
  unsent.sent = false;
  s.end("a", unsent);
  s.expect_state("a", State::Retrying);
  s.advance(1s);
  Result sent = unsent;
  sent.sent = true;
  s.end("a", sent);
  s.expect_failure("connect", "a");
}

TEST_CASE("a deadline stops the attempt and its late answer changes nothing") {
  Scenario s("a: { shell: slow, deadline: 3s, fallback: { set: 0.5 } }\nb: { set: \"${ $steps.a }\" }");
  s.reserved("a");
  s.advance(3s);
  s.expect_stopped({"a"});
  s.expect_state("a", State::Succeeded);
  s.expect_running();
  s.succeed("a", "\"late\"");
  s.expect_success();
  CHECK(s.output("a") == Json(0.5));
  CHECK(s.output("b") == Json(0.5));
}

TEST_CASE("a deadline counts only time in which somebody drives the run") {
  Scenario s("a: { shell: slow, deadline: 3s }");
  s.reserved("a");
  s.advance(1s);
  s.crash_and_resume({}, 10h);
  CHECK(s.timer("a", TimerKind::Deadline) == 2s);
  s.reserved("a");
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("a deadline does not count the wait for a place to run in") {
  Scenario s("a: { shell: slow, deadline: 3s }\nb: { http: http://b.example, deadline: 3s }");
  s.expect_started({"b"});
  CHECK(s.timer("b", TimerKind::Deadline) == 3s);
  s.succeed("b");
  s.advance(10s);
  s.reserved("a");
  s.expect_started({"a"});
  CHECK(s.timer("a", TimerKind::Deadline) == 3s);
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("a fallback stands in for a failed step and sees its error") {
  Scenario s("a: { shell: broken, fallback: { set: { why: \"${ $error.type }\" } } }");
  s.fail("a", "exit.3");
  s.expect_success();
  CHECK(s.output("a") == Json{{"why", "exit.3"}});
}

TEST_CASE("with its condition false a fallback leaves the error as it is") {
  Scenario s("a: { shell: broken, fallback: { if: \"${ $error.type == \\\"timeout\\\" }\", set: 1 } }");
  s.fail("a", "exit.3");
  s.expect_failure("exit.3", "a");
}

TEST_CASE("a fallback may fail and have its own fallback") {
  Scenario s("a: { shell: one, fallback: { shell: two, fallback: { set: three } } }");
  s.fail("a");
  s.expect_started({"a", "a.fallback"});
  s.fail("a.fallback");
  s.expect_success();
  CHECK(s.output("a") == Json("three"));
}

TEST_CASE("a tolerated failure is recorded, reads as null, and fails nothing") {
  Scenario s(R"(
a: { shell: one, continue_on_error: true }
b: { set: { a: "${ $steps.a }", ok: "${ $status.a.ok }", why: "${ $status.a.error.type }" } }
)");
  s.fail("a", "exit.9");
  s.expect_success();
  CHECK(s.output("b") == Json{{"a", nullptr}, {"ok", false}, {"why", "exit.9"}});
}

TEST_CASE("output maps the raw result, and a mapping that fails fails the step") {
  Scenario s(R"(
a: { shell: one, output: "${ .value.x }" }
b: { shell: two, output: "${ .value.x }" }
)");
  s.succeed("a", R"({"value": {"x": 5}, "exit_code": 0})");
  CHECK(s.output("a") == Json(5));
  s.succeed("b", R"({"value": "text", "exit_code": 0})");
  s.expect_failure("expression", "b");
}

TEST_CASE("expect.if refuses an answer") {
  Scenario s("a: { http: https://x.example, expect: { status: any, if: \"${ .body.ok }\" } }");
  s.succeed("a", R"({"status": 200, "body": {"ok": false}, "headers": {}})");
  s.expect_failure("expect", "a");
}

TEST_CASE("what an answer said is the output of its status, whoever refused it") {
  Scenario s(R"(
a: { http: "https://x.example", expect: { status: any, if: "${ .body.ok }" }, continue_on_error: true }
b: { set: "${ $status.a.output }" }
)");
  s.succeed("a", R"({"status": 200, "body": {"ok": false}, "headers": {}})");
  CHECK(s.output("b") == Json::parse(R"({"ok": false})"));
}

TEST_CASE("data can not climb in the path of a URL, however it is put in") {
  auto url = [](const std::string& text, const std::string& x) {
    Scenario s("a: { http: \"https://x.example" + text + "\" }", R"({"x": )" + x + "}");
    if (s.machine().in_flight().empty()) {
      s.expect_failure("expression", "a");
      return s.machine().outcome().failure->message;
    }
    std::string made = std::get<HttpRequest>(*s.task("a").work).url;
    s.succeed("a");
    return made;
  };
  const std::string climbs = "`$input.x` gives `..`, which would change the path of the URL";
  CHECK(url("/r/${ $input.x }/i", R"("..")") == climbs);
  CHECK(url("/r/${ $input.x }", R"(["a", "..", "b"])") == climbs);
  CHECK(url("/r/.${ $input.x }/i", R"(".")") == climbs);
  CHECK(url("/r/${ $input.x }?a=1", R"("..")") == climbs);
  CHECK(url("/r/${ $input.x }/i", R"("a/../b")") == "https://x.example/r/a%2F..%2Fb/i");
  CHECK(url("/r/../${ $input.x }/i", R"("a")") == "https://x.example/r/../a/i");
  CHECK(url("/v1${ $input.x }2", R"(".")") == "https://x.example/v1.2");
  CHECK(url("/r?dir=${ $input.x }", R"("..")") == "https://x.example/r?dir=..");
  CHECK(url("/r?l=${ $input.x }", R"(["a"])").find("`query:` repeats the name") != std::string::npos);
  CHECK(url("/r?a=${ $input.x }#part", "1") == "https://x.example/r?a=1");
}

TEST_CASE("a parameter is not lost behind the fragment of a URL") {
  Scenario s("a: { http: \"https://x.example/r?a=1#part\", query: { b: 2 } }");
  CHECK(std::get<HttpRequest>(*s.task("a").work).url == "https://x.example/r?a=1&b=2");
  s.succeed("a");
}

TEST_CASE("a header or a user that a value makes unsendable fails the step before anything is sent") {
  auto refusal = [](const std::string& option, const std::string& x) {
    Scenario s("a:\n  http: GET https://x.example/\n  " + option + "\n", R"({"x": )" + x + "}");
    if (s.machine().in_flight().empty()) {
      s.expect_failure("expression", "a");
      return s.machine().outcome().failure->message;
    }
    s.succeed("a");
    return std::string();
  };
  const std::string header = "headers: { X-One: \"${ $input.x }\" }",
                    user = "auth: { basic: { user: \"${ $input.x }\", password: p } }";
  for (const char* bad :
       {R"(" a")", R"("a ")", R"("\ta")", R"(" ")", R"("a\nX-Two: b")", R"("a\u0000b")", R"("a\u001bb")"}) {
    INFO(bad);
    CHECK(refusal(header, bad).starts_with("header `X-One` has a "));
  }
  for (const char* good : {R"("")", R"("a b")", R"("é")", "7", "true"}) CHECK(refusal(header, good).empty());
  CHECK(refusal(user, R"("a:b")").starts_with("`auth.basic.user` has a `:`"));
  CHECK(refusal(user, R"("a b")").empty());
  CHECK(refusal("auth: { bearer: \"${ $input.x }\" }", R"("token ")").starts_with("header `Authorization`"));
}

TEST_CASE("a header of one's own goes before those of auth and of the defaults, in any case") {
  Scenario s(R"(flowrun: 1
defaults: { http: { headers: { X-D: default }, auth: { bearer: theirs } } }
steps: { a: { http: "https://x.example", headers: { x-d: own, authorization: mine } } }
)");
  using Headers = std::vector<std::pair<std::string, std::string>>;
  CHECK(std::get<HttpRequest>(*s.task("a").work).headers == Headers{{"authorization", "mine"}, {"x-d", "own"}});
  s.succeed("a");
}

TEST_CASE("an integer that jq would round is refused, wherever it comes from") {
  Scenario s("v: { set: 9007199254740993 }\na: { set: \"${ [$steps.v, 1] | add }\" }\n");
  s.expect_failure("expression", "a");
}

TEST_CASE("a width or a count that an expression gives is checked like one that is written") {
  Scenario none("a: { for_each: [1], concurrency: \"${ $input.n }\", do: { set: 1 } }", R"({"n": 0})");
  none.expect_failure("expression", "a");
  Scenario half("a: { for_each: \"${ $input.n }\", do: { set: 1 } }", R"({"n": 1.5})");
  half.expect_failure("expression", "a");
}

TEST_CASE("fail fails with its text") {
  Scenario s("a: { fail: \"no rows for ${ $input.table }\" }", R"({"table": "orders"})");
  s.expect_failure("fail", "a");
  CHECK(s.machine().outcome().failure->message == "no rows for orders");
}

TEST_CASE("null inside text is an error") {
  Scenario s("a: { shell: echo, stdin: \"x ${ $input.none } y\" }", R"({"none": null})");
  s.expect_failure("expression", "a");
}

TEST_CASE("a single step may stand by itself") {
  Scenario s("shell: echo hi");
  s.expect_started({"_1"});
  s.succeed("_1", "\"hi\"");
  s.expect_success();
}

TEST_CASE("the places of a run are given in order and given back") {
  Scenario s(R"(flowrun: 1
concurrency: 2
steps:
  a: { shell: one }
  b: { shell: two }
  c: { shell: three }
)");
  s.expect_started({"a", "b"});
  s.succeed("b");
  s.expect_started({"c"});
  s.succeed("a");
  s.succeed("c");
  s.expect_success();
}

TEST_CASE("a step in flight at a crash runs again as the same attempt with the same key") {
  Scenario s("a: { shell: one }");
  std::string key = s.task("a").idempotency_key;
  s.crash_and_resume();
  s.expect_started({"a", "a"});
  CHECK(s.task("a").attempt == 1);
  CHECK(s.task("a").rerun == 1);
  CHECK(s.task("a").idempotency_key == key);
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("a strict step is started when a place is reserved, and asks after a crash") {
  Scenario s("a: { shell: deploy, on_crash: ask }");
  s.expect_started({});
  s.reserved("a");
  s.expect_started({"a"});
  CHECK(s.task("a").strict);
  RunResumed done;
  done.marks.push_back({"a", true, false, Value::from_text("\"was done\"")});
  s.crash_and_resume(done);
  s.expect_success();
  CHECK(s.output("a") == Json("was done"));
}

TEST_CASE("a strict step that nobody vouches for fails with crash") {
  Scenario s("a: { shell: deploy, on_crash: fail, fallback: { set: rolled back } }");
  s.reserved("a");
  s.crash_and_resume();
  s.expect_success();
  CHECK(s.output("a") == Json("rolled back"));
}

TEST_CASE("suspending starts nothing new and rests when all has ended") {
  Scenario s(R"(
- { id: a, shell: one }
- { id: b, shell: two }
)");
  s.suspend();
  s.expect_running();
  s.succeed("a");
  s.expect_suspended();
  s.expect_started({"a"});
  s.crash_and_resume();
  s.expect_started({"b"});
  s.succeed("b");
  s.expect_success();
}

TEST_CASE("an attempt that is interrupted while suspending has used nothing up") {
  Scenario s("a: { shell: one }");
  s.suspend();
  s.interrupt("a");
  s.expect_suspended();
  s.crash_and_resume();
  CHECK(s.task("a").attempt == 1);
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("while suspending nothing begins that waits for a place of the executor") {
  Scenario s(R"(
e: { for_each: [a, b, c], do: { shell: work } }
)");
  s.expect_started({"e[a]", "e[b]", "e[c]"});
  s.suspend();
  s.expect_withdrawn({""});
  s.withdraw("e[b]");
  s.withdraw("e[c]");
  s.expect_started({});
  s.succeed("e[a]");
  s.expect_suspended();
  s.crash_and_resume();
  s.expect_started({"e[b]", "e[c]"});
  CHECK(s.task("e[b]").attempt == 1);
  CHECK(s.task("e[b]").rerun == 0);
  s.succeed("e[b]");
  s.succeed("e[c]");
  s.expect_success();
}

TEST_CASE("a reservation does not outlive the suspension, and is asked for again") {
  Scenario s("a: { shell: one, on_crash: ask }");
  s.suspend();
  s.expect_stopped({"a"});
  s.expect_suspended();
  CHECK_FALSE(s.machine().expects({from_millis(0), TaskReserved{"a"}}));
  s.crash_and_resume();
  s.expect_started({});
  s.reserved("a");
  s.expect_started({"a"});
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("the run's timeout cancels what runs and waits for its end") {
  Scenario s(R"(flowrun: 1
timeout: 2m
steps:
  a: { shell: slow }
)");
  s.advance(2min);
  s.expect_stopped({"a"});
  s.expect_running();
  s.fail("a", "cancelled");
  s.expect_failure("timeout");
}

TEST_CASE("output of a failed run reads steps without success as null") {
  Scenario s(R"(flowrun: 1
fail_fast: false
steps:
  a: { shell: one }
  b: { shell: two }
output: { a: "${ $steps.a }", b: "${ $steps.b }" }
)");
  s.fail("a");
  s.succeed("b", "7");
  s.expect_failure("exit.1", "a");
  CHECK(s.machine().outcome().output.json() == Json{{"a", nullptr}, {"b", 7}});
}

TEST_CASE("a step that is retried has not been running since its first failure") {
  Scenario s(R"(flowrun: 1
steps: { a: { exec: [a] } }
output: ${ $status.a.duration_ms }
)");
  s.fail("a");
  s.advance(3600s);
  s.retry();
  s.advance(1s);
  s.succeed("a");
  s.expect_success("1000");
}

}  // namespace flowrun::test::step_frame_test
