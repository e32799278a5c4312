// flowrun diff: the first difference of each kind, and none where there is none.
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::diff_test {
namespace {

struct Stage {
  TempDir dir;
  std::string journal = dir.path("j.db");
  void run(const std::string& id, const std::string& steps, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {
        "run",
        dir.write(
            "w.yaml",
            "flowrun: 1\ninput: { who: { type: object, default: { name: Ada, ids: [1, 2] } } }\nsteps:\n" + steps),
        "--id",
        id,
        "-j",
        "1"};
    args.insert(args.end(), more.begin(), more.end());
    flowrun(journal, args);
  }
  Json diff(const std::string& one, const std::string& other, int code) {
    const Ran ran = flowrun(journal, {"diff", one, other, "--json"});
    CHECK(ran.code == code);
    return Json::parse(ran.out);
  }
};

}  // namespace

TEST_CASE("diff names the first difference of each kind", "[diff]") {
  Stage stage;
  const std::string steps =
      "  a: { exec: [cat, counter] }\n  b: { exec: [echo, \"${ $input.who.name }\"], needs: a }\n";
  stage.run("one", steps);
  stage.run("same", steps);
  const Json same = stage.diff("one", "same", 0);
  for (const char* kind : {"inputs", "definition", "decisions", "values", "order"}) CHECK(same[kind].is_null());
  CHECK(same["same"] == true);
  CHECK(flowrun(stage.journal, {"diff", "one", "same"}).out.find("the same") != std::string::npos);

  stage.run("other", steps, {"-i", R"(who={"name":"Bob","ids":[1,2]})"});
  const Json inputs = stage.diff("one", "other", 1);
  CHECK(inputs["inputs"] == R"(.who.name: "Ada" | "Bob")");
  CHECK(inputs["definition"].is_null());

  stage.run("ids", steps, {"-i", R"(who={"name":"Ada","ids":[1,3,4]})"});
  CHECK(stage.diff("one", "ids", 1)["inputs"] == ".who.ids[1]: 2 | 3");

  stage.run("edited", "  a: { exec: [cat, counter] }\n  b: { exec: [echo, Eve], needs: a }\n");
  const Json edited = stage.diff("one", "edited", 1);
  CHECK(edited["definition"].get<std::string>().starts_with("line 5: "));
  CHECK(edited["inputs"].is_null());
}

TEST_CASE("diff sees other values, decisions and orders", "[diff]") {
  Stage stage;
  const std::string steps =
      "  a: { shell: cat counter }\n  b: { shell: 'sleep 0.$(cat counter)' }\n  c: { exec: [\"true\"], if: '${ "
      "$steps.a == \"1\" }' }\n";
  HowToRun here;
  here.cwd = stage.dir.path();
  const std::string file = stage.dir.write("w.yaml", "flowrun: 1\nsteps:\n" + steps);
  for (const char* id : {"1", "2"}) {
    stage.dir.write("counter", id);
    CHECK(flowrun(stage.journal, {"run", file, "--id", std::string("r") + id}, here).code == 0);
  }
  const Json found = stage.diff("r1", "r2", 1);
  CHECK(found["values"] == R"(a .: "1" | "2")");
  CHECK(found["decisions"].get<std::string>().find("start c") == 0);
  CHECK(found["durations"][0].get<std::string>().starts_with("b "));
  const Ran nobody = flowrun(stage.journal, {"diff", "r1", "nobody"});
  CHECK(nobody.code == 8);
}

TEST_CASE("diff names any key as jq would, and shows what is there", "[diff]") {
  Stage stage;
  for (const char* key : {"a.b", "a[0]", "", "0", "a b", "\"", "\n", "plain_1", "ü"}) {
    const std::string word = Json(key).dump();
    const std::string in_jq = std::string(key) == "plain_1" ? "." + std::string(key) : "[" + word + "]";
    stage.run("one", "  a: { set: 1 }\n", {"-i", "who=" + Json{{key, Json{{key, {1, 2}}}}}.dump()});
    stage.run("two", "  a: { set: 1 }\n", {"-i", "who=" + Json{{key, Json{{key, {1, 3}}}}}.dump()});
    stage.run("none", "  a: { set: 1 }\n", {"-i", "who=" + Json{{key, Json::object()}}.dump()});
    CAPTURE(key);
    CHECK(stage.diff("one", "two", 1)["inputs"] == ".who" + in_jq + in_jq + "[1]: 2 | 3");
    CHECK(stage.diff("one", "none", 1)["inputs"] == ".who" + in_jq + in_jq + ": [1,2] | nothing");
    CHECK(stage.diff("none", "one", 1)["inputs"] == ".who" + in_jq + in_jq + ": nothing | [1,2]");
    flowrun(stage.journal, {"prune", "one", "two", "none"});
  }
}

TEST_CASE("diff compares the texts of sub-workflows", "[diff]") {
  Stage stage;
  const auto run = [&](const std::string& id, const char* text) {
    stage.dir.write("sub.yaml", text);
    stage.run(id, "  s: { workflow: sub.yaml }\n");
  };
  run("one", "flowrun: 1\nsteps: { a: { set: 1 } }\n");
  run("same", "flowrun: 1\nsteps: { a: { set: 1 } }\n");
  run("other", "flowrun: 1\nsteps: { a: { set: 2 } }\n");
  CHECK(stage.diff("one", "same", 0)["definition"].is_null());
  CHECK(stage.diff("one", "other", 1)["definition"] ==
        "sub.yaml line 2: steps: { a: { set: 1 } } | steps: { a: { set: 2 } }");
}

}  // namespace flowrun::test::diff_test
