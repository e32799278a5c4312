// Outputs that are long: printed as short ones are, and had from the journal where the run did not keep them.
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::long_output_test {
namespace {

std::string slurp(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

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

TEST_CASE("an output of many long ones is not held in memory, nor is what looks at none of them", "[cli]") {
  TempDir dir;
  const std::string journal = dir.path("j.db"), out = dir.path("out");
  constexpr std::size_t kItems = 6'000, kLong = 8'000;  // 48 MB
  const std::string each = "flowrun: 1\nsteps:\n  each:\n    for_each: " + std::to_string(kItems) +
                           "\n    do: { set: { n: '${ $item }', text: " + std::string(kLong, 'x') + " } }\n";
  const std::string whole = dir.write("whole.yaml", each + "output: ${ $steps.each }\n");
  const std::string looks = dir.write("looks.yaml", each +
                                                        "  bad: { after: [each], set: '${ [$status.each.items[] | "
                                                        "select(.ok | not) | .key] }' }\noutput: ${ $steps.bad }\n");
  const auto bounded = [&](const std::string& file, const char* id) {
    // 70 MB of data in all: with the values in memory, and those in a row of SQLite, it was more than 110.
    return run({"/bin/sh", "-c",
                "ulimit -d 70000; exec \"$0\" run \"$1\" --id \"$2\" --journal \"$3\" --progress none >\"$4\"",
                FLOWRUN_BINARY, file, id, journal, out});
  };
  const Ran looked = bounded(looks, "looks");
  INFO(looked.err);
  CHECK(looked.code == 0);
  CHECK(slurp(out) == "[]\n");
  const Ran all = bounded(whole, "whole");
  INFO(all.err);
  REQUIRE(all.code == 0);
  std::string expected = "[";
  for (std::size_t i = 0; i < kItems; ++i)
    expected +=
        (i == 0 ? "{\"n\":" : ",{\"n\":") + std::to_string(i) + ",\"text\":\"" + std::string(kLong, 'x') + "\"}";
  expected += "]\n";
  CHECK((slurp(out) == expected));
  CHECK((flowrun(journal, {"output", "whole", "--json"}).out == expected));
  CHECK(flowrun(journal, {"journal", "verify", "whole"}).code == 0);
}

TEST_CASE("of outputs that were looked at the newest stay in memory, and the others are read again", "[cli]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  constexpr int kSteps = 16;
  const std::string text(4'000'000, 'x');
  std::string workflow = "flowrun: 1\nsteps:\n";
  for (int i = 0; i < kSteps; ++i) {
    const std::string n = std::to_string(i), file = dir.write("text" + n, n + ":" + text);
    workflow += "  - { id: s" + n + ", exec: [cat, '" + file + "'], max_output: 10MB }\n";
  }
  for (int i = 0; i < kSteps; ++i) {
    const std::string n = std::to_string(i);
    workflow += "  - { id: l" + n + ", set: '${ $steps.s" + n + " | length }' }\n";
  }
  workflow +=
      "output: { first: '${ $steps.s0 | .[0:3] }', last: '${ $steps.s15 | .[0:3] }', sum: '${ $steps.l0 + $steps.l15 "
      "}' }\n";
  // 160 MB of data in all: with every output, and what was made of it for a look, 200 were too few.
  const Ran ran =
      run({"/bin/sh", "-c", "ulimit -d 160000; exec \"$0\" run \"$1\" --id r --journal \"$2\" --progress none",
           FLOWRUN_BINARY, dir.write("w.yaml", workflow), journal});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(ran.out == R"({"first":"0:x","last":"15:","sum":8000005})"
                   "\n");
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

}  // namespace flowrun::test::long_output_test
