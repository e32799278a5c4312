// What --events writes while a run goes on.
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::events_test {

TEST_CASE("--events has each entry as a line, and the result in the last", "[cli]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { shell: echo hi } }\noutput: ${ $steps.a }\n");
  Ran ran = flowrun(dir.path("journal.db"), {"run", file, "--events", "-"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  std::vector<nlohmann::json> entries;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) entries.push_back(nlohmann::json::parse(line));
  REQUIRE(entries.size() == 4);
  for (std::size_t i = 0; i < entries.size(); ++i) CHECK(entries[i]["seq"] == i + 1);
  CHECK(entries.back()["kind"] == "run_ended");
  CHECK(entries.back()["value"] == "hi");
  CHECK(flowrun(dir.path("journal.db"), {"run", file, "--events", "-", "--json"}).code == 2);
  CHECK(flowrun(dir.path("journal.db"), {"run", file, "--events", dir.path("no/such/file")}).code == 2);
}

}  // namespace flowrun::test::events_test
