// Inputs: where they come from, how text becomes what was declared, and every mistake at once.
#include <map>

#include "engine/model/error.h"
#include "engine/run/load.h"
#include "tests/support/catch.h"

namespace flowrun::test::inputs_test {
namespace {

struct NoJq : Evaluator {
  Answer evaluate(const Question&) override { return {}; }
};

struct Given {
  std::vector<std::pair<std::string, std::string>> texts;
  Json values = Json::object();
  std::map<std::string, std::string> environment;
};

ResolvedInputs resolve(const std::string& head, const Given& given) {
  const std::string text = "flowrun: 1\n" + head + "\nsteps: { a: { set: 1 } }\n";
  Diagnostics diagnostics({"in.yaml", text});
  auto loaded = load("/tmp/in.yaml", diagnostics);
  INFO(diagnostics.text());
  REQUIRE(loaded);
  NoJq jq;
  auto lookup = [&](const std::string& name) -> std::optional<std::string> {
    auto found = given.environment.find(name);
    if (found == given.environment.end()) return std::nullopt;
    return found->second;
  };
  return resolve_inputs(*loaded, {given.texts, given.values}, lookup, jq, Instant{});
}

std::string refusal(const std::string& head, const Given& given) {
  try {
    resolve(head, given);
  } catch (const Error& error) {
    CHECK(error.problem() == Problem::Invalid);
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Json one(const std::string& schema, const std::string& text) {
  return resolve("input: { x: " + schema + " }", {{{"x", text}}, Json::object(), {}}).inputs.json()["x"];
}

std::string refused(const std::string& schema, const std::string& text) {
  return refusal("input: { x: " + schema + " }", {{{"x", text}}, Json::object(), {}});
}

}  // namespace

TEST_CASE("text becomes what the input declares, by exact literals only", "[inputs]") {
  CHECK(one("{ type: string }", "007") == "007");
  CHECK(one("{}", "7") == "7");
  CHECK(one("{ type: integer }", "-7") == -7);
  CHECK(one("{ type: integer }", "9223372036854775807") == 9223372036854775807);
  CHECK(one("{ type: number }", "1.5") == 1.5);
  CHECK(one("{ type: boolean }", "true") == true);
  CHECK(one("{ type: array }", " [1, \"a\"] ") == Json::parse("[1,\"a\"]"));
  CHECK(one("{ type: object }", "{\"a\": 1}") == Json::parse("{\"a\":1}"));
  CHECK(one("{ type: [integer, \"null\"] }", "null") == nullptr);
  for (const char* wrong : {"1.0", "1e3", " 7", "7 ", "+7", "07", "0x7", "", "seven"}) {
    INFO(wrong);
    CHECK(has(refused("{ type: integer }", wrong), "input x: "));
  }
  CHECK(has(refused("{ type: boolean }", "yes"), "is not true or false"));
  CHECK(has(refused("{ type: array }", "a,b"), "is no JSON list"));
  CHECK(has(refused("{ type: object }", "[1]"), "is no JSON object"));
}

TEST_CASE("the command line goes before the file of inputs, the environment and the default", "[inputs]") {
  const std::string head = "input: { x: { type: string, env: X, default: d } }";
  CHECK(resolve(head, {}).inputs.json()["x"] == "d");
  Given given;
  given.environment["X"] = "e";
  CHECK(resolve(head, given).inputs.json()["x"] == "e");
  given.values["x"] = "f";
  CHECK(resolve(head, given).inputs.json()["x"] == "f");
  given.texts = {{"x", "first"}, {"x", "last"}};
  CHECK(resolve(head, given).inputs.json()["x"] == "last");
}

TEST_CASE("a file of inputs is not converted", "[inputs]") {
  Given given;
  given.values["x"] = "7";
  CHECK(has(refusal("input: { x: { type: integer } }", given), "it must be of type integer, not text"));
}

TEST_CASE("a scalar or a list declares a default, and the type follows", "[inputs]") {
  const std::string head = "input: { n: 10, s: eu, b: false, l: [a], f: 1.5 }";
  CHECK(resolve(head, {}).inputs.json() == Json::parse(R"({"n":10,"s":"eu","b":false,"l":["a"],"f":1.5})"));
  CHECK(has(refusal(head, {{{"n", "ten"}}, Json::object(), {}}), "input n: "));
}

TEST_CASE("every mistake in the inputs is told at once", "[inputs]") {
  Given given;
  given.texts = {{"cuont", "3"}, {"flag", "yes"}, {"id", "x-1"}};
  std::string said = refusal(
      "input: { count: { type: integer, description: How many }, flag: { type: boolean },\n"
      "  id: { type: string, pattern: \"^O-[0-9]+$\" } }",
      given);
  INFO(said);
  CHECK(has(said, "input cuont: the workflow has no such input; did you mean `count`?"));
  CHECK(has(said, "input count is missing (How many); give it by -i count=VALUE"));
  CHECK(has(said, "input flag: `yes` is not true or false"));
  CHECK(has(said, "input id: "));
  CHECK(has(said, "nothing was started"));
}

TEST_CASE("a pattern meets at most 64 KiB of text; other texts may be longer", "[inputs]") {
  const std::string text(70000, 'a');
  CHECK(has(refused("{ type: string, pattern: \"a+\" }", text), "64 KiB"));
  const std::string schema = "{ type: object, properties: { id: { pattern: \"^[0-9]+$\" }, body: { type: string } } }";
  CHECK(one(schema, Json{{"id", "7"}, {"body", text}}.dump())["id"] == "7");
  CHECK(has(refused(schema, Json{{"id", text}}.dump()), "64 KiB"));
  CHECK(has(refused("{ type: array, items: { type: string, pattern: a } }", Json::array({text}).dump()), "64 KiB"));
}

TEST_CASE("vars are evaluated in order and see inputs and earlier vars", "[inputs]") {
  Json vars = resolve(
                  "input: { host: shop }\n"
                  "vars: { base: \"https://${ $input.host }.example\", all: \"${ $vars.base }/v1\", n: 3, w: \"${ "
                  "$run.name }\" }",
                  {})
                  .vars.json();
  CHECK(vars == Json::parse(R"({"base":"https://shop.example","all":"https://shop.example/v1","n":3,"w":"in"})"));
}

}  // namespace flowrun::test::inputs_test
