// The output of a group, wherever it stands: the journal has it only as the outputs of what is within.
#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::group_output_test {

using Json = nlohmann::json;

TEST_CASE("the output of every group is told, wherever it stands, or said not to be known", "[cli]") {
  TempDir dir;
  dir.write("sub.yaml", R"(flowrun: 1
steps:
  g: { parallel: { a: { set: 1 }, b: { set: 2 } } }
output: ${ $steps.g.b }
)");
  const std::string file = dir.write("groups.yaml", R"(flowrun: 1
steps:
  child: { workflow: sub.yaml }
  way:
    switch:
      - if: ${ $run.id == "r" }
        do: { parallel: { p: { parallel: { a: { set: 1 }, b: { set: 2 } } } } }
  round:
    repeat: { at_most: 2, carry: 0, until: "${ true }" }
    do: { p: { parallel: { a: { set: 1 }, b: { set: 2 } } } }
  each:
    for_each: [x, y]
    do: { p: { parallel: { a: { set: 1 }, b: { set: 2 } } } }
  bad:
    exec: ["false"]
    fallback: { parallel: { a: { set: 1 }, b: { set: 2 } } }
  worse:
    exec: ["false"]
    fallback:
      exec: ["false"]
      fallback: { parallel: { p: { parallel: { a: { set: 1 }, b: { set: 2 } } } } }
  done:
    exec: ["true"]
    undo: { parallel: { a: { exec: ["true"] } } }
finally:
  last: { parallel: { a: { set: 1 }, b: { set: 2 } } }
)");
  const std::string journal = dir.path("j.db");
  const Ran ran = flowrun(journal, {"run", file, "--id", "r", "--progress", "none"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  flowrun(journal, {"undo", "r"});
  const Json both{{"a", 1}, {"b", 2}};
  const std::map<std::string, Json> expected{{"child", 2},
                                             {"child/g", both},
                                             {"way", {{"p", both}}},
                                             {"way/_1/p", both},
                                             {"round", {{"p", both}}},
                                             {"round[0]/p", both},
                                             {"each", {{{"p", both}}, {{"p", both}}}},
                                             {"each[x]/p", both},
                                             {"bad", both},
                                             {"bad.fallback", both},
                                             {"worse", {{"p", both}}},
                                             {"worse.fallback", {{"p", both}}},
                                             {"worse.fallback.fallback", {{"p", both}}},
                                             {"worse.fallback.fallback/p", both},
                                             {"finally/last", both}};
  for (const auto& [step, output] : expected) {
    const Ran told = flowrun(journal, {"output", "r", "--step", step});
    INFO(step << "\n" << told.err);
    CHECK(told.code == 0);
    CHECK(told.out == output.dump(2) + "\n");
  }
  // Of an undo nothing is kept by the machine.
  const Ran undo = flowrun(journal, {"output", "r", "--step", "done.undo"});
  CHECK(undo.code != 0);
  CHECK(undo.err.find("the journal has no output of step done.undo, which is a group; it has that of done.undo/a") !=
        std::string::npos);
}

}  // namespace flowrun::test::group_output_test
