// flowrun explore and flowrun test --schedule as they are typed: the real binary, and the lines that it says to type.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::explore_command_test {
namespace {

using nlohmann::json;

constexpr const char* kOrder = R"(flowrun: 1
steps:
  charge: { http: POST http://pay/charges }
  ship: { needs: [charge], http: POST http://post/parcels }
)";

}  // namespace

TEST_CASE("what explore finds is played again by the line that it says", "[explore][cli]") {
  const TempDir dir;
  const std::string file = dir.write("an order.yaml", kOrder), journal = dir.path("none.db");
  const Ran found = flowrun(journal, {"explore", file, "--json"});
  INFO(found.out << found.err);
  REQUIRE(found.code == 1);
  const json all = json::parse(found.out);
  REQUIRE(all["findings"].size() == 1);
  CHECK(all["findings"][0]["kind"] == "stays");
  CHECK(all["findings"][0]["step"] == "charge");
  CHECK(all["levels"][1]["complete"] == true);
  CHECK(all["levels"][2]["complete"] == true);
  const std::string line = all["findings"][0]["replay"];
  REQUIRE(line.starts_with("flowrun test --schedule "));
  const Ran again = run({"/bin/sh", "-c", std::string(FLOWRUN_BINARY) + line.substr(std::string("flowrun").size())});
  INFO(again.out << again.err);
  CHECK(again.code == 1);
  CHECK(again.out.find("stays: `charge` stays done when `ship` fails") != std::string::npos);
  CHECK(again.out.find("start   charge") != std::string::npos);
}

TEST_CASE("threads that explore find the same", "[explore][cli]") {
  const TempDir dir;
  const std::string file = dir.write("w.yaml", kOrder), journal = dir.path("none.db");
  const auto findings = [&](const char* jobs) {
    const Ran found = flowrun(journal, {"explore", file, "--json", "-j", jobs, "--budget", "5m"});
    INFO(found.err);
    const json all = json::parse(found.out);
    return std::pair(all["findings"].dump(), all["levels"].dump());
  };
  CHECK(findings("1") == findings("4"));
}

TEST_CASE("every sample workflow is explored, and each schedule of what is found can happen", "[explore][cli]") {
  const TempDir dir;
  const std::string folder = std::string(FLOWRUN_SOURCE_DIR) + "/workflows/", journal = dir.path("none.db");
  std::size_t explored = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml" || entry.path().stem().extension() == ".test") continue;
    const std::string name = entry.path().stem().string();
    ++explored;
    INFO(name);
    const Ran found = flowrun(journal, {"explore", folder + name + ".yaml", "--json", "--depth", "1"});
    INFO(found.out << found.err);
    REQUIRE(found.code <= 1);
    const json all = json::parse(found.out);
    CHECK(all["levels"][1]["complete"] == true);
    for (const json& one : all["findings"]) {
      CHECK(one["kind"] != "stuck");
      if (one["schedule"].is_null()) continue;
      const Ran again = flowrun(journal, {"test", "--schedule", one["schedule"], folder + name + ".yaml", "--json"});
      INFO(again.out << again.err);
      CHECK(again.code == 1);
    }
    if (name == "order") CHECK(all["findings"].size() == 1);
    if (name == "refund" || name == "hello" || name == "approval") CHECK(all["findings"].empty());
  }
  CHECK(explored > 25);
}

}  // namespace flowrun::test::explore_command_test
