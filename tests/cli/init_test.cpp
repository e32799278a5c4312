// flowrun init: what it writes is what it says, and is valid.
#include <filesystem>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::init_test {

TEST_CASE("every template can be written, is valid and names itself as it stands there", "[init]") {
  TempDir all;
  HowToRun there;
  there.cwd = all.path();
  const Ran list = flowrun(all.path("j.db"), {"init", "--list"}, there);
  CHECK(list.code == 0);
  std::istringstream lines(list.out);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::string name = line.substr(0, line.find(' '));
    CAPTURE(name);
    CHECK(line.size() > name.size() + 20);
    TempDir own;
    HowToRun here;
    here.cwd = own.path();
    const Ran made = flowrun(own.path("j.db"), {"init", name}, here);
    CHECK(made.code == 0);
    CHECK(made.out.starts_with(name + ".yaml\n"));
    CHECK(flowrun(own.path("j.db"), {"validate", "--strict", name + ".yaml"}, here).code == 0);
    CHECK(own.read(name + ".yaml").find("workflows/") == std::string::npos);
  }
  CHECK(count >= 15);
}

TEST_CASE("a newcomer gets from init to a run that has succeeded", "[init]") {
  TempDir dir;
  HowToRun here;
  here.cwd = dir.path();
  here.without = {"FLOWRUN_JOURNAL"};
  CHECK(run({FLOWRUN_BINARY, "init", "--local"}, here).code == 0);
  CHECK(run({FLOWRUN_BINARY, "init"}, here).out == "hello.yaml\n");
  CHECK(run({FLOWRUN_BINARY, "run", "hello.yaml"}, here).out == "Hello, WORLD!\n");
  CHECK(run({FLOWRUN_BINARY, "output"}, here).out == "\"Hello, WORLD!\"\n");
  CHECK(std::filesystem::exists(dir.path(".flowrun/journal.db")));
}

TEST_CASE("init writes over nothing, and knows what was meant", "[init]") {
  TempDir dir;
  HowToRun here;
  here.cwd = dir.path();
  const std::string journal = dir.path("j.db");
  dir.write("checkout.yaml", "mine");
  const Ran refused = flowrun(journal, {"init", "checkout"}, here);
  CHECK(refused.code == 2);
  CHECK(refused.err.find("checkout.yaml is there already and was left as it is; --force writes over it") !=
        std::string::npos);
  CHECK(dir.read("checkout.yaml") == "mine");
  CHECK(!std::filesystem::exists(dir.path("parts")));
  CHECK(flowrun(journal, {"init", "checkout", "--force"}, here).out == "checkout.yaml\nparts/pay.yaml\n");
  const Ran typo = flowrun(journal, {"init", "chekout"}, here);
  CHECK(typo.code == 2);
  CHECK(typo.err.find("did you mean `checkout`?") != std::string::npos);
  CHECK(flowrun(journal, {"init", "parts/pay"}, here).code == 2);
  // A link to what is not there yet is there.
  std::filesystem::create_symlink("elsewhere.yaml", dir.path("hello.yaml"));
  CHECK(flowrun(journal, {"init", "hello"}, here).code == 2);
  CHECK(flowrun(journal, {"init", "hello", "--force"}, here).code == 0);
  CHECK(std::filesystem::is_symlink(dir.path("hello.yaml")));
  CHECK(dir.read("elsewhere.yaml").find("flowrun: 1") != std::string::npos);
}

}  // namespace flowrun::test::init_test
