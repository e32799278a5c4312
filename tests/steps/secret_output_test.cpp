// Steps whose output is secret: the machine knows where it goes and never what it is.
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/scenario.h"

namespace flowrun::test::secret_output_test {
namespace {

Json input_of(const Scenario& s, const std::string& path) { return Json::parse(to_json_text(s.task(path))); }

void check_silent(const Scenario& s) {
  for (const Entry& entry : s.entries()) {
    INFO(entry.seq);
    CHECK_FALSE(has(entry.data + entry.value.text(), "tok-abcdef"));
  }
}

const std::string kAnswer = R"({"access":[{"token":"tok-abcdef"}]})";

}  // namespace

TEST_CASE("a request names the part of a secret output, through a crash, a retry and a replay", "[secrets]") {
  Scenario s(R"(
  login: { http: POST http://h/login, secret: true }
  use:
    http: POST http://h/${ $steps.login.access[0].token }
    headers: { X: 'Token ${ $steps.login.access[0]["token"] }.' }
    json: { deep: [{ t: "${ $steps.login.access[0].token }" }], n: 1 }
)");
  s.expect_started({"login"});
  s.succeed("login", kAnswer);
  CHECK(s.output("login") == "***");
  s.expect_started({"use"});
  const auto check = [&] {
    const Json input = input_of(s, "use");
    Json secret{{"$secret", "$steps.login"}, {"at", "/access/0/token"}};
    CHECK(input["headers"]["X"]["$text"] == Json::array({"Token ", secret, "."}));
    secret["as"] = "percent";
    CHECK(input["url"]["$text"] == Json::array({"http://h/", secret}));
    secret["as"] = "json";
    CHECK(input["body"]["$text"] == Json::array({R"({"deep":[{"t":")", secret, R"("}],"n":1})"}));
  };
  check();
  s.crash_and_resume();
  s.expect_started({"use"});
  check();
  s.fail("use", "http.500");
  s.expect_failure("http.500", "use");
  s.retry();
  s.expect_started({"use"});
  check();
  s.succeed("use", "1");
  s.expect_success();
  check_silent(s);
}

TEST_CASE("a path into what came back is taken where that stays", "[secrets]") {
  Scenario s(R"(
  - { id: login, http: POST http://h/login, secret: true, output: '${ .headers["x-auth"] }' }
  - { id: use, http: http://h, auth: { bearer: "${ $steps.login }" } }
)");
  s.expect_started({"login"});
  CHECK_FALSE(s.task("login").keep_raw);
  REQUIRE(s.task("login").secret_output);
  CHECK(s.task("login").secret_output->of_raw);
  CHECK(s.task("login").secret_output->within == "/headers/x-auth");
  s.succeed("login", R"("tok-abcdef")");
  s.expect_started({"use"});
  CHECK(input_of(s, "use")["headers"]["Authorization"]["$text"] ==
        Json::array({"Bearer ", Json{{"$secret", "$steps.login"}}}));
  s.succeed("use");
  s.expect_success();
  check_silent(s);
}

TEST_CASE("without an output nothing is sent of it, as of an optional secret that is not there", "[secrets]") {
  Scenario s(R"(
  - { id: login, shell: l, secret: true, retry: none, continue_on_error: true }
  - { id: skipped, if: false, shell: l, secret: true }
  - { id: use, shell: u, env: { A: "${ $steps.login }", B: "${ $steps.skipped.token }", C: "c" } }
)");
  s.expect_started({"login"});
  s.fail("login");
  s.expect_started({"use"});
  CHECK(input_of(s, "use")["env"] == Json{{"A", nullptr}, {"B", nullptr}, {"C", "c"}});
  s.succeed("use");
  s.expect_success();
}

TEST_CASE("an undo may use the secret output of its own step and of others, also long after them", "[secrets]") {
  Scenario s(R"(
  - id: each
    for_each: [a, b]
    key: ${ $item }
    do:
      login:
        shell: l
        secret: true
        undo: { shell: out, env: { T: "${ $steps.login.token }" } }
      use:
        shell: u
        env: { T: "${ $steps.login.token }" }
        undo: { shell: back, env: { T: "${ $steps.login.token }" } }
        undo_on: succeeded
  - { id: bad, shell: bad, retry: none }
)");
  s.expect_started({"each[a]/login", "each[b]/login"});
  s.succeed("each[a]/login", kAnswer);
  s.succeed("each[b]/login", kAnswer);
  s.expect_started({"each[a]/use", "each[b]/use"});
  CHECK(input_of(s, "each[b]/use")["env"]["T"] == Json{{"$secret", "$steps.each[b]/login"}, {"at", "/token"}});
  s.succeed("each[a]/use");
  s.succeed("each[b]/use");
  s.expect_started({"bad"});
  s.fail("bad");
  // The process dies in the midst of it.
  s.crash_and_resume();
  s.expect_started({"each[b]/use.undo", "each[b]/use.undo"});
  CHECK(input_of(s, "each[b]/use.undo")["env"]["T"] == Json{{"$secret", "$steps.each[b]/login"}, {"at", "/token"}});
  s.succeed("each[b]/use.undo");
  s.expect_started({"each[a]/use.undo"});
  s.succeed("each[a]/use.undo");
  s.expect_started({"each[b]/login.undo"});
  CHECK(input_of(s, "each[b]/login.undo")["env"]["T"] == Json{{"$secret", "$steps.each[b]/login"}, {"at", "/token"}});
  s.succeed("each[b]/login.undo");
  s.expect_started({"each[a]/login.undo"});
  s.succeed("each[a]/login.undo");
  check_silent(s);
}

TEST_CASE("a secret output reaches a sub-workflow as one of its secrets", "[secrets]") {
  Scenario s(R"(flowrun: 1
steps:
  login: { shell: l, secret: true }
  pay: { workflow: pay.yaml, with: { key: "${ $steps.login.token }" } }
)",
             "{}", {{"pay.yaml", R"(flowrun: 1
input: { key: {} }
secrets: { key: { input: key } }
steps: { call: { shell: c, env: { K: "${ $secrets.key }" } } }
)"}});
  s.expect_started({"login"});
  s.succeed("login", kAnswer);
  s.expect_started({"pay/call"});
  CHECK(input_of(s, "pay/call")["env"]["K"] == Json{{"$secret", "$steps.login"}, {"at", "/token"}});
  s.succeed("pay/call");
  s.expect_success();
  check_silent(s);
}

TEST_CASE("that an output was read again changes nothing", "[secrets]") {
  Scenario s(R"(
  - { id: login, shell: l, secret: true }
  - { id: use, shell: u, env: { T: "${ $steps.login }" } }
)");
  s.expect_started({"login"});
  s.succeed("login", kAnswer);
  s.expect_started({"use"});
  s.crash_and_resume();
  s.expect_started({"use"});
  s.read_again("login");
  s.read_again("login", Failure{"exit.1", "broken"});
  s.expect_started({});
  s.expect_state("login", State::Succeeded);
  s.succeed("use");
  s.expect_success();
}

}  // namespace flowrun::test::secret_output_test
