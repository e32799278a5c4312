// --jq: of the JSON that a command prints, what the expression gives.
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::jq_option_test {
namespace {

struct Desk {
  TempDir dir;
  std::string journal = dir.path("j.db");
  std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  a: { exec: [echo, hi] }
  b: { shell: "exit 3", continue_on_error: true }
output: { n: [1, "two"], word: yes it is }
)");

  Ran call(const std::vector<std::string>& words) const { return flowrun(journal, words); }
};

}  // namespace

TEST_CASE("--jq prints texts as they are, all else as JSON, and each value that the expression gives", "[cli][jq]") {
  Desk desk;
  CHECK(desk.call({"run", desk.file, "--id", "r", "--jq", ".output.n[], .output.word"}).out == "1\ntwo\nyes it is\n");
  CHECK(desk.call({"list", "--jq", ".run"}).out == "r\n");
  CHECK(desk.call({"list", "--json", "--jq", "[.run, .state]"}).out == "[\"r\",\"succeeded\"]\n");
  CHECK(desk.call({"show", "--jq", ".steps[] | select(.state == \"failed\") | .path # a comment"}).out == "b\n");
  CHECK(desk.call({"show", "--jq", "empty"}).out.empty());
  CHECK(desk.call({"output", "--jq", ".n | length"}).out == "2\n");
  CHECK(desk.call({"why", "b", "--jq", ".state"}).out == "failed\n");
  CHECK(desk.call({"journal", "show", "--jq", "select(.kind == \"run_started\").seq"}).out == "1\n");
  CHECK(desk.call({"plan", desk.file, "--jq", "type"}).out == "object\n");
  CHECK(desk.call({"validate", desk.file, "--jq", "type"}).code == 0);
  CHECK(desk.call({"eval", "[1, 2]", "--jq", ".[]"}).out == "1\n2\n");
}

TEST_CASE("what --jq can not do is told before anything starts", "[cli][jq]") {
  Desk desk;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"run", desk.file, "--jq", ".a["},
                                                {"run", desk.file, "--jq", ".a] + [.b"},
                                                {"run", desk.file, "--jq", " "},
                                                {"run", desk.file, "--jq", ""},
                                                {"run", desk.file, "--events", "-", "--jq", ".seq"},
                                                {"each", "--jq", ".item", "--", "true"},
                                                {"watch", "--jq", ".id"}}) {
    const Ran ran = desk.call(words);
    INFO(ran.err);
    CHECK(ran.code == 2);
    CHECK(ran.err.find("--jq") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(desk.journal));
}

TEST_CASE("a run whose result --jq can not take keeps its state, and says so", "[cli][jq]") {
  Desk desk;
  const Ran ran = desk.call({"run", desk.file, "--id", "r", "--jq", ".output.n.word"});
  INFO(ran.err);
  CHECK(ran.code == 74);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("--jq: ") != std::string::npos);
  CHECK(desk.call({"show", "r", "--jq", ".state"}).out == "succeeded\n");
  // A format that is no JSON.
  const Ran junit = desk.call({"report", "r", "--format", "junit", "--jq", ".id"});
  INFO(junit.err);
  CHECK(junit.code == 2);
}

TEST_CASE("why as JSON has the cause, what would change it, and the entries", "[cli][why]") {
  Desk desk;
  CHECK(desk.call({"run", desk.file, "--id", "r"}).code == 0);
  CHECK(desk.call({"why", "r", "b", "--jq", "keys | join(\" \")"}).out ==
        "because changes entries in_line place run run_state state step\n");
  CHECK(desk.call({"why", "r", "b", "--jq", ".place"}).out == desk.file + ":4\n");
  CHECK(desk.call({"why", "r", "b", "--jq", ".because[].text"}).out.find("exited with 3") != std::string::npos);
  CHECK(desk.call({"why", "r", "b", "--jq", "[.entries[].kind]"}).out.find("\"ended\"") != std::string::npos);
}

}  // namespace flowrun::test::jq_option_test
