// What a retry reopens: just what is asked for and what depends on it, in groups that succeeded as well. Plain retries
// of what failed are told with the groups.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::retry_test {
namespace {

constexpr const char* kMail = R"(
mail: { for_each: [5, 6, 7], join: { tolerate: 1 }, do: { make: { shell: m }, send: { shell: s, needs: [make] } } }
after: { shell: a, env: { N: "${ $steps.mail | length }" } }
apart: { shell: b }
)";

/// Lets everything in |paths| succeed.
void succeed(Scenario& s, const std::vector<std::string>& paths) {
  s.expect_started(paths);
  for (const std::string& path : paths) s.succeed(path);
}

RunReopened marked(std::vector<Mark> marks, const std::string& path = "") {
  RunReopened asked;
  asked.path = path;
  asked.marks = std::move(marks);
  return asked;
}

}  // namespace

TEST_CASE("an item of a group that tolerated its failure runs alone, and then what depends on the group") {
  Scenario s(kMail);
  s.expect_started({"apart", "mail[5]/make", "mail[6]/make", "mail[7]/make"});
  s.succeed("mail[5]/make");
  s.succeed("mail[6]/make");
  s.fail("mail[7]/make");
  s.succeed("apart");
  succeed(s, {"mail[5]/send", "mail[6]/send"});
  succeed(s, {"after"});
  s.expect_success();
  s.retry("mail[7]");
  succeed(s, {"mail[7]/make"});
  succeed(s, {"mail[7]/send"});
  succeed(s, {"after"});
  s.expect_success();
  s.retry("mail[5]/send");
  succeed(s, {"mail[5]/send"});
  succeed(s, {"after"});
  s.expect_success();
  s.retry("mail[6]/make");
  succeed(s, {"mail[6]/make"});
  succeed(s, {"mail[6]/send"});
  succeed(s, {"after"});
  s.expect_success();
}

TEST_CASE("all that failed and was tolerated runs again, and what won without it is left alone") {
  Scenario s(R"(
list: { for_each: [x, y], join: best_effort, do: { shell: s } }
fast: { race: { a: { shell: a }, b: { shell: b } } }
soft: { shell: c, continue_on_error: true }
stood: { shell: d, fallback: { shell: e } }
)");
  s.expect_started({"soft", "stood", "fast/a", "fast/b", "list[x]", "list[y]"});
  s.fail("list[x]");
  s.succeed("list[y]");
  s.fail("fast/a");
  s.succeed("fast/b");
  s.fail("soft");
  s.fail("stood");
  succeed(s, {"stood.fallback"});
  s.expect_success();
  RunReopened failed;
  failed.failed = true;
  s.retry(failed);
  succeed(s, {"list[x]", "soft"});
  s.expect_success();
}

TEST_CASE("what had failed beside it stops nothing that a retry runs") {
  Scenario s(R"(
both: { parallel: { a: { shell: a }, b: { shell: b }, c: { shell: c, needs: [b] } }, fail_fast: true }
)");
  s.expect_started({"both/a", "both/b"});
  s.fail("both/a");
  s.fail("both/b");
  s.expect_failure("group");
  s.retry("both/b");
  succeed(s, {"both/b"});
  succeed(s, {"both/c"});
  s.expect_failure("group");
}

TEST_CASE("a step in a way of a switch, a branch, a list and a file runs alone") {
  Scenario s(R"(
sw: { switch: [ { if: true, do: { x: { shell: x }, y: { shell: y } } } ] }
list: { sequence: [ { id: one, shell: o }, { id: two, shell: t } ] }
file: { workflow: f.yaml }
)",
             "{}", {{"f.yaml", "flowrun: 1\nsteps:\n  in: { parallel: { p: { shell: p }, q: { shell: q } } }\n"}});
  s.expect_started({"list/one", "sw/x", "sw/y", "file/in/p", "file/in/q"});
  for (const char* path : {"sw/x", "sw/y", "list/one", "file/in/p", "file/in/q"}) s.succeed(path);
  succeed(s, {"list/two"});
  s.expect_success();
  for (const char* path : {"sw/x", "list/two", "file/in/q"}) {
    s.retry(path);
    succeed(s, {path});
    s.expect_success();
  }
  s.retry("list/one");
  succeed(s, {"list/one"});
  succeed(s, {"list/two"});
  s.expect_success();
}

TEST_CASE("what can not run by itself says what would") {
  Scenario s(R"(
a: { shell: a }
b: { shell: b, needs: [a] }
g: { if: false, parallel: { c: { shell: c } } }
)");
  s.expect_started({"a"});
  s.fail("a");
  s.expect_failure("exit.1");
  auto way = s.view().way_to("b");
  REQUIRE(std::holds_alternative<Hindrance>(way));
  CHECK(std::get<Hindrance>(way).why == "b needs a, which has failed");
  CHECK(std::get<Hindrance>(way).instead == "a");
  auto inside = s.view().way_to("g/c");
  REQUIRE(std::holds_alternative<Hindrance>(inside));
  CHECK(std::get<Hindrance>(inside).instead == "g");
  CHECK(std::get<bool>(s.view().way_to("a")));
  CHECK_FALSE(std::get<bool>(s.view().way_to("nobody")));
}

TEST_CASE("what was undone below a step has to run before it") {
  Scenario s(R"(
pay: { shell: p, undo: { shell: back } }
ship: { shell: s, env: { ID: "${ $steps.pay }" } }
)");
  s.succeed("pay", "1");
  s.fail("ship");
  s.succeed("pay.undo");
  s.expect_failure("exit.1");
  auto way = s.view().way_to("ship");
  REQUIRE(std::holds_alternative<Hindrance>(way));
  CHECK(std::get<Hindrance>(way).why == "ship builds on pay, which has been undone");
}

TEST_CASE("a mark says what became of a step, and the rest goes on from there") {
  Scenario s(R"(
a: { shell: a }
b: { shell: b, env: { A: "${ $steps.a }" } }
c: { shell: c }
)");
  s.fail("a");
  s.succeed("c");
  s.expect_failure("exit.1");
  s.expect_started({"a", "c"});
  s.retry(marked({{.path = "a", .done = true, .output = Value::from_text("\"x\"")}}));
  s.expect_started({"b"});
  CHECK(std::get<Process>(*s.task("b").work).env.front().second == "x");
  s.succeed("b");
  s.expect_success();
  s.retry(marked({{.path = "b", .output = {}}}, "b"));
  s.expect_started({});
  s.expect_failure("crash", "b");
  s.retry(marked({{.path = "c", .rerun = true, .output = {}}}));
  s.expect_started({"b", "c"});
  s.succeed("b");
  s.succeed("c");
  s.expect_success();
}

TEST_CASE("another request has another idempotency key, the same one the one it was sent with") {
  Scenario s(R"(
pay: { http: POST http://x/pay, undo: { shell: back } }
ship: { http: POST http://x/ship, json: { pay: "${ $steps.pay.id }" } }
tell: { http: POST http://x/tell, needs: [ship] }
)");
  s.succeed("pay", R"({"id": 1})");
  const std::string pay = s.task("pay").idempotency_key;
  const std::string ship = s.task("ship").idempotency_key;
  s.succeed("ship");
  const std::string tell = s.task("tell").idempotency_key;
  s.fail("tell", "timeout");
  s.succeed("pay.undo");
  s.expect_failure("timeout");
  s.retry();
  CHECK(s.task("pay").idempotency_key != pay);
  s.succeed("pay", R"({"id": 2})");
  CHECK(s.task("ship").idempotency_key != ship);
  for (const auto& [name, value] : std::get<HttpRequest>(*s.task("ship").work).headers)
    if (name == "Idempotency-Key") CHECK(value == s.task("ship").idempotency_key);
  s.succeed("ship");
  CHECK(s.task("tell").idempotency_key == tell);
  s.succeed("tell");
  s.expect_success();
  s.retry("ship");
  const std::string second = s.task("ship").idempotency_key;
  s.crash_and_resume();
  CHECK(s.task("ship").idempotency_key == second);
  s.succeed("ship");
  s.succeed("tell");
  s.expect_success();
}

TEST_CASE("an old journal's retry of an item runs the whole of a group that had succeeded, also when it is read now") {
  Scenario s(kMail);
  for (const char* path : {"mail[5]/make", "mail[6]/make", "mail[7]/make", "apart"}) s.succeed(path);
  for (const char* path : {"mail[5]/send", "mail[6]/send", "mail[7]/send", "after"}) s.succeed(path);
  s.expect_success();
  s.expect_started({"apart", "mail[5]/make", "mail[6]/make", "mail[7]/make", "mail[5]/send", "mail[6]/send",
                    "mail[7]/send", "after"});
  s.retry_inexactly("mail[7]");
  succeed(s, {"mail[5]/make", "mail[6]/make", "mail[7]/make"});
  succeed(s, {"mail[5]/send", "mail[6]/send", "mail[7]/send"});
  succeed(s, {"after"});
  s.retry("mail[7]/send");
  succeed(s, {"mail[7]/send"});
  succeed(s, {"after"});
  s.expect_success();
}

}  // namespace flowrun::test::retry_test
