// The help of the real binary: whole usage lines, for commands below commands too, and words for what is misspelled.
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"

namespace flowrun::test::help_test {
namespace {

Ran ask(const std::vector<std::string>& words) {
  std::vector<std::string> argv{FLOWRUN_BINARY};
  argv.insert(argv.end(), words.begin(), words.end());
  return run(argv);
}

/// The commands that the help of |words| lists.
std::vector<std::string> listed(const std::vector<std::string>& words) {
  std::string help = ask(words).out;
  std::vector<std::string> names;
  std::size_t at = help.find("\nSubcommands:\n");
  if (at == std::string::npos) return names;
  for (at = help.find('\n', at + 1) + 1; help.compare(at, 2, "  ") == 0; at = help.find('\n', at) + 1) {
    std::string line = help.substr(at, help.find('\n', at) - at);
    if (line[2] != ' ') names.push_back(line.substr(2, line.find_first_of(" ,", 2) - 2));
  }
  return names;
}

void expect_whole_usage(const std::vector<std::string>& command) {
  std::string words = "flowrun";
  for (const std::string& word : command) words += " " + word;
  std::vector<std::string> help{"help"}, option = command;
  help.insert(help.end(), command.begin(), command.end());
  option.push_back("--help");
  INFO(words);
  Ran by_word = ask(help), by_option = ask(option);
  CHECK(by_word.code == 0);
  CHECK(by_word.err.empty());
  CHECK_THAT(by_word.out, ContainsSubstring("\nUsage: " + words + " ["));
  CHECK(by_word.out == by_option.out);
}

}  // namespace

TEST_CASE("help of every command, by word and by option, has the whole usage line", "[cli]") {
  std::vector<std::string> names = listed({"help"});
  REQUIRE(names.size() > 15);
  for (const std::string& name : names) {
    expect_whole_usage({name});
    for (const std::string& inner : listed({"help", name})) expect_whole_usage({name, inner});
  }
}

TEST_CASE("a command that is not there, or not whole, is named with what there is", "[cli]") {
  struct Case {
    std::vector<std::string> words;
    const char* message;
  };
  for (const Case& one : {
           Case{{"jurnal"}, "unknown command `jurnal`; did you mean `journal`?"},
           Case{{"journal"}, "`journal` is not complete; there are `journal show`, `journal verify`"},
           Case{{"journal", "shw"}, "unknown command `journal shw`; did you mean `show`?"},
           Case{{"help", "journal", "shw"}, "no command `shw`; did you mean `show`?"},
           Case{{"run", "--jbos", "3", "x.yaml"}, "unknown option `--jbos`; did you mean `--jobs`?"},
           Case{{"run", "-j", "0", "x.yaml"}, "no number from 1 to 100000"},
       }) {
    Ran ran = ask(one.words);
    INFO(one.message);
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    CHECK_THAT(ran.err, ContainsSubstring(one.message));
  }
}

}  // namespace flowrun::test::help_test
