// Commands that messages tell people to type work as they are printed: from another folder, with a journal and a file
// whose paths have blanks.
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "engine/journal/typed_command.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::printed_commands_test {
namespace {

/// A folder `it's here`, the journal in it not where flowrun looks for one.
class Desk {
 public:
  Desk() { std::filesystem::create_directory(folder()); }
  std::string folder() const { return dir_.path("my own folder"); }
  std::string journal() const { return folder() + "/journal of mine.db"; }
  std::string workflow(const std::string& steps) {
    const std::string name = "my own folder/w " + std::to_string(++count_) + ".yaml";
    return dir_.write(name, "flowrun: 1\nname: w\n" + steps);
  }
  Ran flowrun(std::vector<std::string> args) const { return test::flowrun(journal(), std::move(args)); }

 private:
  TempDir dir_;
  int count_ = 0;
};

/// What |text| tells to type, but for what has a word to be filled in.
std::vector<std::string> commands_in(const std::string& text) {
  static const std::regex command("flowrun [a-z]+ [^\n]*?--journal '[^']*'");
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), command), end; at != end; ++at)
    if (at->str().find("NAME") == std::string::npos && at->str().find("FILE") == std::string::npos)
      found.push_back(at->str());
  return found;
}

Ran type(const std::string& command) {
  HowToRun how;
  how.cwd = "/";
  return run({"/bin/sh", "-c", std::string(FLOWRUN_BINARY) + command.substr(sizeof "flowrun" - 1)}, how);
}

/// Types what |text| says, |count| commands; none of them is misunderstood.
void type_all(const std::string& text, std::size_t count) {
  INFO(text);
  const std::vector<std::string> commands = commands_in(text);
  CHECK(commands.size() == count);
  for (const std::string& command : commands) {
    Ran typed = type(command);
    INFO(command << "\n" << typed.err);
    CHECK(typed.code != 2);
    CHECK(typed.code != 8);
    CHECK(typed.code < 64);
  }
}

}  // namespace

TEST_CASE("words are quoted for a shell where they need it", "[cli]") {
  CHECK(typed_command({"run", "a.yaml"}) == "flowrun run a.yaml");
  CHECK(typed_command({"retry", "r", "mail[it's]"}) == R"(flowrun retry r 'mail[it'\''s]')");
  for (const char* word : {"", "a b", "~", "$HOME", "a;b", "*", "`x`", "(", "#", "\n", "\\", "é", "'", "\"", "a[1]"}) {
    Ran said = run({"/bin/sh", "-c", "printf %s " + shell_word(word)});
    CHECK(said.out == word);
  }
}

TEST_CASE("commands that are printed work as they are printed", "[cli]") {
  Desk desk;
  SECTION("of a run that has failed") {
    Ran ran = desk.flowrun({"run", desk.workflow("steps: { a: { shell: exit 3 } }\n"), "--id", "r"});
    CHECK(ran.code == 1);
    type_all(ran.err, 2);
    type_all(desk.flowrun({"show", "r"}).out, 1);
    type_all(desk.flowrun({"resume", "r"}).err, 1);
  }
  SECTION("of a run that has succeeded, without an output") {
    Ran ran = desk.flowrun({"run", desk.workflow("steps: { a: { exec: [true] } }\n"), "--id", "r"});
    CHECK(ran.code == 0);
    CHECK_THAT(ran.err, ContainsSubstring("--step NAME --journal '" + desk.journal() + "'"));
    type_all(desk.flowrun({"show", "r"}).out, 1);
  }
  SECTION("of a wait that wants an object, a choice, or nothing") {
    Ran ran = desk.flowrun(
        {"run",
         desk.workflow(
             "steps:\n"
             "  a: { wait: one, timeout: 1h, accept: { type: object, required: [who, n], properties: { who: { "
             "enum: [ann] }, n: { type: integer, minimum: 7 } } } }\n"
             "  b: { wait: two, timeout: 1h, accept: { type: string, format: date } }\n"
             "  c: { wait: three, timeout: 1h }\n"
             "  d: { for_each: [\"it's\", y], key: \"${ $item }\", do: { wait: four, timeout: 1h } }\n"),
         "--id", "r", "--no-wait"});
    CHECK(ran.code == 4);
    // The waits and the line that goes on: that one comes last, and by then all have been answered.
    type_all(ran.err, 6);
    CHECK(type(commands_in(desk.flowrun({"show", "r"}).out).at(0)).code == 0);
  }
  SECTION("of a run that was cut off and asks") {
    const std::string file = desk.workflow("steps: { a: { shell: kill -9 $PPID; exit 1, on_crash: ask } }\n");
    CHECK(desk.flowrun({"run", file, "--id", "r"}).code == 128 + 9);
    Ran asked = desk.flowrun({"resume", "r", "--no-input"});
    CHECK(asked.code == 5);
    const std::vector<std::string> commands = commands_in(asked.err);
    REQUIRE(commands.size() == 4);
    std::string done = commands[2];
    Ran marked = type(done.replace(done.find("JSON"), 4, "1"));
    INFO(done << marked.err);
    CHECK(marked.code == 0);
  }
  SECTION("of a journal without a run, and of names that no run has") {
    CHECK(desk.flowrun({"run", desk.workflow("steps: { a: { exec: [true] } }\n"), "--id", "r"}).code == 0);
    type_all(desk.flowrun({"show", "nobody"}).err, 1);
    type_all(desk.flowrun({"resume", "@last-failed"}).err, 1);
  }
}

TEST_CASE("the last line of a run that was resumed or retried counts the run", "[cli]") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), flag = dir.path("flag");
  const std::string file = dir.write(
      "w.yaml",
      "flowrun: 1\nsteps:\n  - for_each: [1, 2, 3]\n    do: { exec: [true] }\n  - shell: test -e '" + flag + "'\n");
  CHECK_THAT(flowrun(journal, {"run", file, "--id", "r"}).err, ContainsSubstring("4 ok, 1 failed"));
  dir.write("flag", "");
  CHECK_THAT(flowrun(journal, {"retry", "r"}).err, ContainsSubstring("5 ok, 0 failed"));
  // What has run twice is one step all the same.
  CHECK_THAT(flowrun(journal, {"retry", "r", "_1[2]"}).err, ContainsSubstring("5 ok, 0 failed"));
}

}  // namespace flowrun::test::printed_commands_test
