// flowrun diff: the first difference of each kind, and none where there is none.
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
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

}  // namespace flowrun::test
