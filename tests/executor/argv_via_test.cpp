// `via`: with which words a program is started by another one.
#include "engine/executor/via.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "tests/support/catch.h"

namespace flowrun::test::argv_via_test {
namespace {

using Words = std::vector<std::string>;

Process via(Words door) {
  Process process;
  process.via = std::move(door);
  return process;
}

const Words kProgram = {"echo", "a b", "it's"};
const Words kTold = {"A=1 2", "FLOWRUN_STEP=s"};

}  // namespace

TEST_CASE("a door that hands on its environment has the words of the program behind its own", "[via]") {
  CHECK(argv_via(via({"srun", "-n1"}), kProgram, kTold) == Words{"srun", "-n1", "echo", "a b", "it's"});
  CHECK(argv_via(via({"/usr/bin/nice"}), kProgram, kTold) == Words{"/usr/bin/nice", "echo", "a b", "it's"});
}

TEST_CASE("a door that hands on none is told the variables, but for those that it names", "[via]") {
  Process process = via({"docker", "exec", "c1"});
  process.env = {{"A", "1 2"}, {"GONE", std::nullopt}};
  CHECK(argv_via(process, kProgram, kTold) ==
        Words{"docker", "exec", "c1", "env", "-u", "GONE", "A=1 2", "FLOWRUN_STEP=s", "echo", "a b", "it's"});
  process.via = {"/opt/bin/podman", "exec", "-e", "A", "c1"};
  CHECK(argv_via(process, kProgram, kTold) == Words{"/opt/bin/podman", "exec", "-e", "A", "c1", "env", "-u", "GONE",
                                                    "FLOWRUN_STEP=s", "echo", "a b", "it's"});
}

TEST_CASE("behind ssh each word is quoted for the shell of the other side", "[via]") {
  CHECK(argv_via(via({"ssh", "-q", "build 7"}), kProgram, {"A=it's"}) ==
        Words{"ssh", "-q", "build 7", "'env'", R"('A=it'\''s')", "'echo'", "'a b'", R"('it'\''s')"});
}

TEST_CASE("a door is known wherever it stands among the words", "[via]") {
  CHECK(argv_via(via({"nice", "-n1", "ssh", "h"}), {"echo", "x; id"}, {}) ==
        Words{"nice", "-n1", "ssh", "h", "'env'", "'echo'", "'x; id'"});
  CHECK(is_forgetful({"timeout", "60", "/usr/bin/docker", "exec", "c"}));
  CHECK_FALSE(is_forgetful({"srun", "-n1"}));
}

TEST_CASE("the manual names the doors that hand on nothing", "[via][house]") {
  std::ifstream in(FLOWRUN_SOURCE_DIR "/man/flowrun-workflow.5");
  const std::string manual(std::istreambuf_iterator<char>(in), {});
  const std::size_t begin = manual.find(".Ql ssh , rsh , "), end = manual.find(" .\n", begin);
  REQUIRE(begin != std::string::npos);
  std::istringstream names(manual.substr(begin + 4, end - begin - 4));
  std::size_t count = 0;
  for (std::string name; names >> name;) {
    if (name == ",") continue;
    INFO(name);
    CHECK(is_forgetful({name}));
    ++count;
  }
  CHECK(count == 12);
}

TEST_CASE("a variable is left to a door whose options name it, and only then", "[via]") {
  for (const Words& words : {Words{"docker", "exec", "-e", "TOKEN", "c"},
                             {"docker", "exec", "-eTOKEN", "c"},
                             {"docker", "run", "--env=TOKEN", "i"},
                             {"sudo", "--preserve-env=A,TOKEN"},
                             {"ssh", "-o", "SendEnv=TOKEN", "h"},
                             {"systemd-run", "--setenv=TOKEN"}})
    CHECK(hands_on(words, "TOKEN"));
  for (const Words& words : {Words{"docker", "exec", "TOKEN"},
                             {"docker", "exec", "-i", "TOKEN"},
                             {"docker", "run", "--env-file=TOKEN"},
                             {"TOKEN", "-e", "TOKENS"},
                             {"docker", "-e", "XTOKEN"}})
    CHECK_FALSE(hands_on(words, "TOKEN"));
}

TEST_CASE("what can not go through a door is refused", "[via]") {
  CHECK_THROWS_AS(argv_via(via({"docker", "exec", "c"}), {"a=b", "x"}, {}), std::runtime_error);
  CHECK_THROWS_AS(argv_via(via({"ssh", "h"}), {"echo", std::string(70'000, '\'')}, {}), std::runtime_error);
  // No step has to want its item.
  const std::string item = "FLOWRUN_ITEM=" + std::string(60'000, 'x');
  CHECK(argv_via(via({"ssh", "h"}), {"id"}, {item}) == Words{"ssh", "h", "'env'", "'id'"});
  CHECK(argv_via(via({"srun"}), {"a=b"}, {}) == Words{"srun", "a=b"});
}

TEST_CASE("no secret stands in the command line of a door", "[via]") {
  Process process = via({"kubectl", "exec", "pod", "--"});
  process.env = {{"A", "1"}, {"TOKEN", "hidden"}};
  TaskPlaceholder secret;
  secret.in = TaskPlaceholder::In::Variable;
  secret.index = 1;
  process.placeholders = {secret};
  CHECK_THROWS_AS(argv_via(process, kProgram, {"A=1", "TOKEN=hidden"}), std::runtime_error);
  // The door has it in its environment, and here it is not told by a word.
  process.via = {"docker", "run", "-e", "TOKEN", "image"};
  CHECK(argv_via(process, kProgram, {"A=1", "TOKEN=hidden"}) ==
        Words{"docker", "run", "-e", "TOKEN", "image", "env", "A=1", "echo", "a b", "it's"});
  process.via = {"srun"};
  CHECK(argv_via(process, kProgram, {"A=1", "TOKEN=hidden"}) == Words{"srun", "echo", "a b", "it's"});
}

}  // namespace flowrun::test::argv_via_test
