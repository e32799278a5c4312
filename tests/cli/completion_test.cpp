// flowrun completion: what the shells are told, and that they understand it.
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::completion_test {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kFlow =
    "flowrun: 1\ninput: { order_id: { default: 1, description: Order to process }, other: 2 }\n"
    "steps: { alpha: { shell: 'true' }, beta: { exec: ['false'] } }\n";

class Desk {
 public:
  Desk() { file_ = dir_.write("w.yaml", kFlow); }
  void run() const { CHECK(flowrun(journal(), {"run", file_, "--id", "first-run"}).code == 1); }
  /// What may stand for the last of |words|.
  Words offered(Words words) const {
    HowToRun how;
    how.env["FLOWRUN_JOURNAL"] = journal();
    words.insert(words.begin(), {FLOWRUN_BINARY, "__complete"});
    Ran ran = test::run(words, how);
    INFO(words.back());
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    Words found;
    for (std::size_t at = 0, end; (end = ran.out.find('\n', at)) != std::string::npos; at = end + 1)
      found.push_back(ran.out.substr(at, ran.out.find('\t', at) - at));
    return found;
  }
  const std::string& file() const { return file_; }
  std::string journal() const { return dir_.path("journal.db"); }

 private:
  TempDir dir_;
  std::string file_;
};

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

TEST_CASE("commands and options are completed from the command line itself") {
  Desk desk;
  CHECK(desk.offered({"val"}) == Words{"validate"});
  CHECK(has(desk.offered({""}), "run"));
  CHECK(desk.offered({"--jou"}) == Words{"--journal"});
  CHECK(has(desk.offered({"run", "--"}), "--concurrency"));
  CHECK(has(desk.offered({"run", "--"}), "--journal"));
  CHECK(desk.offered({"-q", "journal", "v"}) == Words{"verify"});
  CHECK(desk.offered({"plan", "--format", ""}) == Words{"tree", "dot", "mermaid", "json"});
  CHECK(desk.offered({"--color", "a"}) == Words{"auto", "always"});
  CHECK(desk.offered({"completion", "z"}) == Words{"zsh"});
  CHECK(has(desk.offered({"help", ""}), "eval"));
  CHECK(desk.offered({"nonsense", ""}).empty());
  CHECK(desk.offered({"run", ""}).empty());  // files are the shell's to complete
}

TEST_CASE("runs, their steps and the inputs of a file are completed") {
  Desk desk;
  CHECK(desk.offered({"show", ""}).empty());  // there is no journal yet
  desk.run();
  CHECK(desk.offered({"show", ""}) == Words{"@last", "@last-failed", "first-run"});
  CHECK(desk.offered({"show", "fir"}) == Words{"first-run"});
  for (const char* command : {"resume", "cancel", "approve", "signal"})
    CHECK(desk.offered({command, ""}).empty());  // it has ended
  for (const char* command : {"retry", "undo", "fork", "output", "logs"})
    CHECK(has(desk.offered({command, ""}), "first-run"));
  CHECK(desk.offered({"retry", "first-run", "b"}) == Words{"beta"});
  CHECK(desk.offered({"output", "first-run", "--step", ""}) == Words{"alpha", "beta"});
  CHECK(desk.offered({"eval", "1", "--run", "first-run", "--step", "a"}) == Words{"alpha"});
  CHECK(desk.offered({"show", "first-run", ""}).empty());
  CHECK(desk.offered({"run", desk.file(), "-i", ""}) == Words{"order_id=", "other="});
  CHECK(desk.offered({"run", "-i", "other=1", desk.file(), "--input", "or"}) == Words{"order_id="});
  CHECK(desk.offered({"run", "/nowhere/w.yaml", "-i", ""}).empty());
  CHECK(desk.offered({"--journal", "/nowhere/journal.db", "show", ""}).empty());
}

TEST_CASE("the script for bash completes") {
  Desk desk;
  desk.run();
  HowToRun how;
  how.env["FLOWRUN_JOURNAL"] = desk.journal();
  // |current|: what bash takes for the word that is typed at the end of |line|.
  auto completed = [&](const std::string& line, const std::string& current) {
    how.env["LINE"] = std::string(FLOWRUN_BINARY) + " " + line;
    how.env["CURRENT"] = current;
    std::string script = std::string("eval \"$('") + FLOWRUN_BINARY + "' completion bash)\"\n" + "COMP_WORDS=('" +
                         FLOWRUN_BINARY + "' \"$CURRENT\") COMP_CWORD=1 COMP_LINE=$LINE COMP_POINT=${#LINE}" +
                         "\ncompopt() { echo \"compopt $*\"; }\n_flowrun\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    Ran ran = test::run({"/bin/bash", "-euc", script}, how);
    INFO(ran.err);
    CHECK(ran.code == 0);
    return ran.out;
  };
  CHECK(completed("vali", "vali") == "validate\n");
  CHECK(completed("retry first-run be", "be") == "beta\n");
  CHECK(completed("retry first-run ", "") == "alpha\nbeta\n");
  CHECK(completed("run " + desk.file() + " -i ot", "ot") == "compopt -o nospace\nother=\n");
  CHECK(completed("show @la", "la") == "last\nlast-failed\n");
  CHECK(completed("show @", "@") == "last\nlast-failed\n");
  CHECK(completed("show \"fir", "fir") == "first-run\n");
  CHECK(completed("--journal " + desk.journal() + " show fi", "fi") == "first-run\n");
}

TEST_CASE("runs beyond the newest, and steps that a shell would take apart, are completed") {
  TempDir dir;
  HowToRun how;
  how.env["FLOWRUN_JOURNAL"] = dir.path("journal.db");
  const std::string file =
      dir.write("w.yaml",
                "flowrun: 1\nsteps:\n  mail: { for_each: [\"ann lee\", \"it's\", \"$x\"], key: \"${ "
                "$item }\", do: { exec: [\"false\"] }, join: { tolerate: 3 } }\n");
  for (int i = 0; i < 25; ++i)
    REQUIRE(flowrun(dir.path("journal.db"), {"run", file, "--id", "run-" + std::to_string(100 + i)}, how).code == 0);
  auto offered = [&](const std::vector<std::string>& words) {
    std::vector<std::string> argv{FLOWRUN_BINARY, "__complete"};
    argv.insert(argv.end(), words.begin(), words.end());
    return test::run(argv, how).out;
  };
  CHECK_THAT(offered({"show", "run-100"}), ContainsSubstring("run-100\t"));
  CHECK_THAT(offered({"logs", "run-100", "--step", "mail["}),
             ContainsSubstring("mail[ann lee]\t") && ContainsSubstring("mail[it's]\t"));
  CHECK_THAT(offered({"logs", "run-100", "--step", "'mail[an"}), ContainsSubstring("mail[ann lee]\t"));
  const std::string line = "flowrun logs run-100 --step ";
  CHECK_THAT(offered({"--line", line + "mai", "mai"}), ContainsSubstring("mail\\[ann\\ lee\\]\t") &&
                                                           ContainsSubstring("mail\\[it\\'s\\]\t") &&
                                                           ContainsSubstring("mail\\[\\$x\\]\t"));
  CHECK_THAT(offered({"--line", line + "mail\\[ann\\ l", "mail\\[ann\\ l"}),
             ContainsSubstring("mail\\[ann\\ lee\\]\t"));
  CHECK_THAT(offered({"--line", line + "'mail[an", "mail[an"}), ContainsSubstring("mail[ann lee]\t"));
}

TEST_CASE("there is a script for each shell, and for no other") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    Ran ran = flowrun("/nowhere/journal.db", {"completion", shell});
    CHECK(ran.code == 0);
    CHECK(ran.out.find("__complete") != std::string::npos);
  }
  CHECK(flowrun("", {"completion", "tcsh"}).code == 2);
  CHECK(flowrun("", {"completion"}).code == 2);
}

}  // namespace flowrun::test::completion_test
