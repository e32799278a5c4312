// flowrun completion: what the shells are told, and that they understand it.
#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test {
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
  CHECK(desk.offered({"show", ""}) == Words{"first-run"});
  CHECK(desk.offered({"resume", "first"}) == Words{"first-run"});
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
  auto completed = [&](const std::string& words, int word) {
    std::string script = std::string("eval \"$('") + FLOWRUN_BINARY + "' completion bash)\"\n" + "COMP_WORDS=('" +
                         FLOWRUN_BINARY + "' " + words + ") COMP_CWORD=" + std::to_string(word) +
                         "\ncompopt() { echo \"compopt $*\"; }\n_flowrun\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    Ran ran = test::run({"/bin/bash", "-euc", script}, how);
    INFO(ran.err);
    CHECK(ran.code == 0);
    return ran.out;
  };
  CHECK(completed("vali", 1) == "validate\n");
  CHECK(completed("retry first-run be", 3) == "beta\n");
  CHECK(completed("retry first-run ''", 3) == "alpha\nbeta\n");
  CHECK(completed("run " + desk.file() + " -i ot", 4) == "compopt -o nospace\nother=\n");
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

}  // namespace flowrun::test
