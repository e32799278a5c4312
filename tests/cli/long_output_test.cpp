// Outputs that are long: printed as short ones are, and had from the journal where the run did not keep them.
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::long_output_test {
namespace {

struct Desk {
  TempDir dir;
  std::string journal = dir.path("j.db");
  std::string text = R"({"z":1.10,"a":["\u00e9","é"],"a":-0,"text":")" + std::string(500'000, 'x') + "\"}";
  std::string file = dir.write("one.json", text);

  Ran run(const std::string& rest) const {
    const std::string workflow = dir.write("w.yaml", "flowrun: 1\nsteps: { each: { for_each: 3, do: { exec: [cat, '" +
                                                         file + "'], capture: json } } }\n" + rest);
    return flowrun(journal, {"run", workflow, "--id", "r", "--progress", "none"});
  }
  std::string expected() const {
    const nlohmann::json one = nlohmann::json::parse(text);
    return nlohmann::json{one, one, one}.dump() + "\n";
  }
};

}  // namespace

TEST_CASE("a long list is printed as a short one is", "[cli]") {
  Desk desk;
  const Ran ran = desk.run("output: ${ $steps.each }\n");
  CHECK(ran.code == 0);
  CHECK((ran.out == desk.expected()));
  const std::string text = flowrun(desk.journal, {"output", "r"}).out;
  CHECK((nlohmann::json::parse(text).dump() + "\n" == desk.expected()));
  CHECK((nlohmann::json::parse(text).dump(2) + "\n" == text));
  CHECK((flowrun(desk.journal, {"output", "r", "--json"}).out == desk.expected()));
  const Ran told = flowrun(desk.journal, {"run", desk.dir.path("w.yaml"), "--json", "--progress", "none"});
  const nlohmann::json whole = nlohmann::json::parse(told.out);
  CHECK((whole.dump() + "\n" == told.out));
  CHECK((whole.at("output").dump() + "\n" == desk.expected()));
}

TEST_CASE("what no expression of a run looked at is had from its journal", "[cli]") {
  Desk desk;
  const Ran ran = desk.run("");
  CHECK(ran.code == 0);
  CHECK(ran.out.empty());
  const std::string out = flowrun(desk.journal, {"output", "r", "--step", "each"}).out;
  CHECK((nlohmann::json::parse(out).dump() + "\n" == desk.expected()));
  CHECK(flowrun(desk.journal, {"eval", "$steps.each | length", "--run", "r"}).out == "3\n");
}

}  // namespace flowrun::test::long_output_test
