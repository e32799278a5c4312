// The machine knows where secrets go and never what they are.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::secret_test {
namespace {

std::string with_secrets(const std::string& steps) {
  return "flowrun: 1\nsecrets: { token: { env: T }, pin: { file: p, optional: true } }\nsteps:\n" + steps;
}

Json input_of(const Scenario& s, const std::string& path) { return Json::parse(to_json_text(s.task(path))); }

RunResumed without(const std::string& name) {
  RunResumed resumed;
  resumed.secrets = {{"token", "00ff", false}, {"pin", "", false}};
  for (SecretMark& mark : resumed.secrets)
    if (mark.name == name) mark = {name, "", true};
  return resumed;
}

}  // namespace

TEST_CASE("a request names its secrets, through a crash, a retry and a replay") {
  Scenario s(with_secrets(R"(
  call:
    http: POST https://${ $secrets.pin }.example/hooks/${ $secrets.token }?a=1
    query: { key: "${ $secrets.token }" }
    headers: { X-Token: "Token ${ $secrets.token }, ${ $secrets.pin }" }
    auth: { basic: { user: me, password: "${ $secrets.token }" } }
    json: { deep: [{ secret: "${ $secrets.token }" }], text: "a \"${ $secrets.token }\"", n: "${ 1 + 1 }" }
    idempotency_key: none
    on_crash: rerun
)"));
  s.expect_started({"call"});
  auto check = [&] {
    Json input = input_of(s, "call");
    Json token{{"$secret", "token"}};
    Json percent{{"$secret", "token"}, {"as", "percent"}}, json{{"$secret", "token"}, {"as", "json"}};
    CHECK(input["url"]["$text"] ==
          Json::array(
              {"https://", {{"$secret", "pin"}, {"as", "host"}}, ".example/hooks/", percent, "?a=1&key=", percent}));
    CHECK(input["headers"]["X-Token"]["$text"] == Json::array({"Token ", token, ", ", Json{{"$secret", "pin"}}}));
    CHECK(input["headers"]["Authorization"]["$basic"] == Json::array({"me:", token}));
    CHECK(input["body"]["$text"] ==
          Json::array({R"({"deep":[{"secret":")", json, R"("}],"n":2,"text":"a \")", json, R"(\""})"}));
  };
  check();
  s.crash_and_resume();
  s.expect_started({"call"});
  check();
  s.fail("call", "http.500");
  s.expect_failure("http.500", "call");
  s.retry();
  s.expect_started({"call"});
  check();
  s.succeed("call", "1");
  s.expect_success();
}

TEST_CASE("a process names its secrets in its variables and its input") {
  Scenario s(with_secrets(R"(
  one:
    exec: [tool]
    env: { T: "${ $secrets.token }", CONF: { key: "${ $secrets.token }" }, N: 1 }
    stdin: "k=${ $secrets.token }"
)"));
  Json input = input_of(s, "one");
  CHECK(input["env"]["T"] == Json{{"$secret", "token"}});
  CHECK(input["env"]["N"] == "1");
  CHECK(input["env"]["CONF"]["$text"] ==
        Json::array({R"({"key":")", Json{{"$secret", "token"}, {"as", "json"}}, R"("})"}));
  CHECK(input["stdin"]["$text"] == Json::array({"k=", Json{{"$secret", "token"}}}));
  s.succeed("one");
  s.expect_success();
}

TEST_CASE("data that looks like a secret goes out as it is") {
  Scenario s(R"(flowrun: 1
input: { data: {} }
secrets: { token: { env: T } }
steps:
  one:
    http: POST https://x.example
    headers: { A: "${ $secrets.token }" }
    json: { mine: "${ $secrets.token }", theirs: "${ $input.data }" }
)",
             R"({"data":{"$secret":"token","t":"${ $secrets.token }"}})");
  const auto& request = std::get<HttpRequest>(*s.task("one").work);
  CHECK(request.body == R"({"mine":"","theirs":{"$secret":"token","t":"${ $secrets.token }"}})");
  CHECK(request.placeholders.size() == 2);
  s.succeed("one");
}

TEST_CASE("an optional secret that is not there is null, from the drive on that misses it") {
  Scenario s(with_secrets(R"(
  - { exec: [a], env: { PIN: "${ $secrets.pin }" } }
  - id: b
    http: POST https://x.example
    auth: { bearer: "${ $secrets.pin }" }
    headers: { X-Pin: "${ $secrets.pin }" }
    json: { pin: "${ $secrets.pin }" }
    idempotency_key: none
    on_crash: rerun
)"));
  CHECK(input_of(s, "_1")["env"]["PIN"] == Json{{"$secret", "pin"}});
  s.crash_and_resume(without("pin"));
  CHECK(input_of(s, "_1")["env"]["PIN"].is_null());
  s.succeed("_1");
  CHECK(input_of(s, "b") == Json::parse(R"({"method":"POST","url":"https://x.example","body":"{\"pin\":null}",
                                             "headers":{"Content-Type":"application/json"}})"));
  s.crash_and_resume(without(""));
  CHECK(input_of(s, "b")["headers"].contains("Authorization"));
  s.succeed("b");
  s.expect_success();
}

TEST_CASE("a secret that a file is given by an input is that of who runs it") {
  const Texts files = {{"call.yaml", R"(
flowrun: 1
input: { login: { type: string }, n: 1 }
secrets: { key: { input: login } }
steps:
  call:
    exec: [call, "${ $input | tojson }"]
    env: { KEY: "${ $secrets.key }", TEXT: "key ${ $secrets.key }", N: "${ $input.n }" }
)"},
                       {"between.yaml", R"(
flowrun: 1
input: { word: { type: string } }
secrets: { word: { input: word } }
steps: { inner: { workflow: call.yaml, with: { login: "${ $secrets.word }", n: 2 } } }
)"}};
  Scenario s(with_secrets(R"(
  one: { workflow: call.yaml, with: { login: "${ $secrets.token }" } }
  two: { workflow: between.yaml, with: { word: "${ $secrets.pin }" } }
)"),
             "{}", files);
  s.expect_started({"one/call", "two/inner/call"});
  CHECK(input_of(s, "one/call")["env"]["KEY"] == Json{{"$secret", "token"}});
  CHECK(input_of(s, "one/call")["env"]["TEXT"] == Json::parse(R"({"$text": ["key ", {"$secret": "token"}]})"));
  CHECK(input_of(s, "two/inner/call")["env"]["KEY"] == Json{{"$secret", "pin"}});
  // It is no input like the others.
  CHECK(input_of(s, "one/call")["argv"][1] == R"({"n":1})");
  for (const Entry& entry : s.entries()) CHECK(entry.data.find("bytes") == std::string::npos);
  s.crash_and_resume(without(""));
  s.succeed("one/call");
  s.succeed("two/inner/call");
  s.expect_success();
}

TEST_CASE("an undo in a sub-workflow has the secrets that its file was given, whatever others are called") {
  const Texts files = {{"pay.yaml", R"(
flowrun: 1
input: { one: { type: string }, two: { type: string } }
secrets: { pin: { input: one }, other: { input: two } }
steps:
  charge:
    exec: [charge]
    undo: { exec: [back], env: { A: "${ $secrets.pin }", B: "${ $secrets.other }" } }
)"}};
  Scenario s(with_secrets(R"(
  pay: { workflow: pay.yaml, with: { one: "${ $secrets.token }", two: "${ $secrets.pin }" } }
  end: { needs: [pay], exec: [end] }
)"),
             "{}", files);
  s.succeed("pay/charge");
  s.fail("end");
  CHECK(input_of(s, "pay/charge.undo")["env"]["A"] == Json{{"$secret", "token"}});
  CHECK(input_of(s, "pay/charge.undo")["env"]["B"] == Json{{"$secret", "pin"}});
  s.succeed("pay/charge.undo");
  s.expect_failure("exit.1", "end");
}

TEST_CASE("within text, a secret that is not there is an error like any null") {
  Scenario s(with_secrets(R"(
  - { exec: [a], env: { PIN: "pin ${ $secrets.pin }" } }
)"));
  s.crash_and_resume(without("pin"));
  s.expect_failure("expression", "_1");
}

}  // namespace flowrun::test::secret_test
