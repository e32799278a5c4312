// What every command does when its standard output can not be written or nobody reads it: it ends with 74 and says so,
// or has been quick enough; it is never ended by a signal, and its run keeps its state.
#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::pipes_test {
namespace {

using Words = std::vector<std::string>;

std::string test_of(const std::string& file) { return file.substr(0, file.rfind('.')) + ".test.yaml"; }

/// Calls of every command that prints to standard output; of those with JSON, that too.
std::vector<Words> calls(const std::string& file) {
  return {{"list"},
          {"list", "--json"},
          {"show", "r"},
          {"show", "r", "--json"},
          {"why", "r", "b"},
          {"why", "r", "b", "--json"},
          {"diff", "r", "s"},
          {"diff", "r", "s", "--json"},
          {"output", "r"},
          {"output", "r", "--step", "b", "--json"},
          {"logs", "r"},
          {"logs", "r", "--json"},
          {"journal", "show", "r"},
          {"journal", "show", "r", "--json"},
          {"journal", "verify", "r"},
          {"journal", "verify", "--all", "--json"},
          {"plan", file},
          {"plan", file, "--json"},
          {"validate", file},
          {"validate", file, "--json"},
          {"schema"},
          {"eval", "[range(5)]"},
          {"record", "r"},
          {"memo", "list"},
          {"memo", "list", "--json"},
          {"explore", file, "--depth", "1"},
          {"explore", file, "--depth", "1", "--json"},
          {"test", "--schedule", "a", file},
          {"test", "--schedule", "a", file, "--json"},
          {"test", test_of(file)},
          {"test", test_of(file), "--json"},
          {"version"},
          {"version", "--json"},
          {"help"},
          {"help", "run"},
          {"run", "--help"},
          {"completion", "bash"},
          {"init", "--list"},
          {"report", "r", "--format", "junit"},
          {"report", "r", "--format", "markdown"},
          {"report", "r", "--format", "mermaid"},
          {"report", "r", "--format", "perfetto"},
          {"report", "r", "--format", "html"},
          {"report", "r", "--what-if", "same"},
          {"report", "r", "--what-if", "same", "--json"},
          {"export", "r", "-o", "-"},
          {"prune", "--dry-run", "--keep", "0"},
          {"prune", "--dry-run", "--keep", "0", "--json"},
          {"run", file},
          {"run", file, "--json"},
          {"run", file, "--dry-run"},
          {"each", "--print", "--", "true"},
          {"fork", "r", "--dry-run"},
          {"fork", "r"},
          {"resume", "r"},
          {"retry", "bad", "--json"}};
}

/// These print to standard error only, or nothing.
const std::set<std::string> kSilent = {"signal", "approve", "reject", "cancel", "undo", "watch", "import", "worker"};

}  // namespace

TEST_CASE("every command says so when its output can not be written, and when nobody reads it", "[cli][doors]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps: { a: { exec: [echo, hi], memo: 1d }, b: { for_each: [1, 2, 3], do: { set: "${ $item }" } } }
output: ${ $steps.b }
)");
  dir.write("w.test.yaml",
            "flowrun_test: 1\nscenarios: { s: { answers: { a: { exit: 0 } }, expect: { time: 0s } } }\n");
  const std::string bad = dir.write("bad.yaml", "flowrun: 1\nsteps: { a: { shell: exit 3 } }\n");
  for (const char* id : {"r", "s"}) REQUIRE(flowrun(journal, {"run", file, "--id", id}).code == 0);
  REQUIRE(flowrun(journal, {"run", bad, "--id", "bad"}).code == 1);
  std::set<std::string> called = kSilent;
  for (const Words& words : calls(file)) {
    called.insert(words[0]);
    std::string line;
    for (const std::string& word : words) line += word + " ";
    INFO(line);
    HowToRun full;
    full.close_stdout = true;  // it is /dev/full
    const Ran disk = flowrun(journal, words, full);
    INFO(disk.err);
    CHECK(disk.code == 74);
    CHECK(disk.err.find("standard output can not be written: No space left on device") != std::string::npos);
    std::vector<std::string> shell = {
        "/bin/bash", "-c", "\"$@\" | true; exit ${PIPESTATUS[0]}", "bash", FLOWRUN_BINARY, "--journal", journal};
    shell.insert(shell.end(), words.begin(), words.end());
    const Ran pipe = run(shell);
    INFO(pipe.err);
    const bool ended_well = pipe.code == 74 || pipe.code == 0 || (words[0] == "retry" && pipe.code == 1);
    CHECK(ended_well);
  }
  CHECK(flowrun(journal, {"journal", "verify", "--all"}).code == 0);
  // No command is missing above.
  std::istringstream help(flowrun(journal, {"help"}).out);
  std::set<std::string> known;
  bool commands = false;
  for (std::string row; std::getline(help, row);) {
    if (row.rfind("Subcommands:", 0) == 0) {
      commands = true;
    } else if (row.empty()) {
      commands = false;
    } else if (commands && row.size() > 2 && row[2] != ' ') {
      known.insert(row.substr(2, row.find_first_of(" ,", 2) - 2));
    }
  }
  REQUIRE(known.size() > 20);
  std::vector<std::string> missing;
  std::set_difference(known.begin(), known.end(), called.begin(), called.end(), std::back_inserter(missing));
  CHECK(missing == std::vector<std::string>{});
}

}  // namespace flowrun::test::pipes_test
