// The pager and the manual pages: what of the real binary's text goes through other programs, and when.
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::pager_test {
namespace {

/// A run with what a terminal would obey in its log.
class Talk {
 public:
  Talk() {
    const std::string file = dir_.write(
        "w.yaml", "flowrun: 1\nsteps: { a: { shell: 'printf \"\\\\033[31mred\\\\n\"; seq 200' } }\noutput: done\n");
    REQUIRE(run({FLOWRUN_BINARY, "run", file, "--journal", journal(), "--id", "r"}).code == 0);
  }
  std::string journal() const { return dir_.path("journal.db"); }
  const TempDir& dir() const { return dir_; }
  /// `flowrun WORDS` with a terminal as its standard output.
  Ran at_terminal(const std::string& words, const std::string& variable, const std::string& value) const {
    HowToRun how;
    how.env["FLOWRUN_JOURNAL"] = journal();
    how.env["TERM"] = "xterm";
    how.env[variable] = value;
    return run({"/usr/bin/script", "-qec", std::string(FLOWRUN_BINARY) + " " + words, "/dev/null"}, how);
  }

 private:
  TempDir dir_;
};

}  // namespace

TEST_CASE("at a terminal, journal show and logs go through a pager, and nothing that a terminal would obey with them") {
  const Talk talk;
  const std::string words = GENERATE("journal show r", "logs r");
  const std::string variable = GENERATE("PAGER", "FLOWRUN_PAGER");
  const Ran ran = talk.at_terminal(words, variable, "cat > " + talk.dir().path("paged"));
  INFO(ran.out);
  CHECK(ran.code == 0);
  const std::string paged = talk.dir().read("paged");
  CHECK(ran.out.find(words == "logs r" ? "[a] 200" : "succeeded") == std::string::npos);
  CHECK(paged.find(words == "logs r" ? "[a] 200\n" : "succeeded") != std::string::npos);
  CHECK(paged.find('\033') == std::string::npos);
}

TEST_CASE("whoever ends the pager has seen enough") {
  const Talk talk;
  const Ran ran = talk.at_terminal("logs r", "PAGER", "head -1");
  CHECK(ran.code == 0);
  CHECK(ran.out.find("red") != std::string::npos);
  CHECK(ran.out.find("[a] 2\r") == std::string::npos);
}

TEST_CASE("a pager that can not be started is an error, since nobody has seen anything") {
  const Talk talk;
  const Ran ran = talk.at_terminal("logs r", "PAGER", "surely-no-such-pager");
  INFO(ran.out);
  CHECK(ran.code == 74);
  CHECK(ran.out.find("FLOWRUN_PAGER=cat") != std::string::npos);
}

TEST_CASE("no pager stands between flowrun and a pipe, JSON, a terminal without a cursor, or who wants none") {
  const Talk talk;
  const auto [words, variable, value] = GENERATE(table<std::string, std::string, std::string>({
      {"logs r | sed s/^/piped/", "PAGER", "touch paged"},
      {"logs r --json", "PAGER", "touch paged"},
      {"journal show r --json", "PAGER", "touch paged"},
      {"logs r -f", "PAGER", "touch paged"},
      {"output r", "PAGER", "touch paged"},
      {"logs r", "PAGER", ""},
      {"logs r", "PAGER", "cat"},
      {"logs r", "FLOWRUN_PAGER", "cat"},
  }));
  CAPTURE(words, variable, value);
  const std::string command = value == "touch paged" ? "touch " + talk.dir().path("paged") : value;
  const Ran ran = talk.at_terminal(words, variable, command);
  CHECK(ran.code == 0);
  CHECK(ran.out.find(words == "output r"            ? "done"
                     : words.starts_with("journal") ? "\"seq\":"
                                                    : "200") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(talk.dir().path("paged")));
}

TEST_CASE("help opens the manual page of a topic, and says so where there is no man") {
  TempDir dir;
  dir.write("man", "#!/bin/sh\necho \"page $*\"\n");
  std::filesystem::permissions(dir.path("man"), std::filesystem::perms::owner_all);
  HowToRun how;
  how.env["PATH"] = dir.path() + ":/usr/bin:/bin";
  const auto [topic, page] = GENERATE(table<std::string, std::string>({{"workflow", "flowrun-workflow"},
                                                                       {"flowrun-workflow", "flowrun-workflow"},
                                                                       {"flowrun-journal", "flowrun-journal"},
                                                                       {"flowrun", "flowrun"}}));
  CHECK(run({FLOWRUN_BINARY, "help", topic}, how).out == "page " + page + "\n");
  how.env["PATH"] = dir.path("nothing");
  const Ran none = run({FLOWRUN_BINARY, "help", topic}, how);
  CHECK(none.code == 8);
  CHECK(none.err.find(page) != std::string::npos);
}

}  // namespace flowrun::test::pager_test
