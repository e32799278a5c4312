// Files that are run as steps, by the real binary: killed in the middle, changed and deleted.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::sub_workflow_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// `main.yaml` runs `parts/child.yaml`, whose second step waits for the file `go`.
struct Sample {
  TempDir dir;
  std::string main, child, journal = dir.path("journal.db");

  Sample() {
    std::filesystem::create_directory(dir.path("parts"));
    main = dir.write("main.yaml", R"(flowrun: 1
steps:
  - id: sub
    workflow: parts/child.yaml
    with: { word: two }
output: ${ $steps.sub.said }
)");
    child = dir.write("parts/child.yaml", R"(flowrun: 1
input: { word: { type: string } }
steps:
  - shell: echo one >> log
  - id: slow
    shell: 'touch begun; while [ ! -e go ]; do sleep 0.02; done; echo "$WORD" >> log; echo "$WORD"'
    env: { WORD: "${ [$input.word] | join(\"\") }" }
output: { said: "${ $steps.slow }" }
)");
  }
  void kill_in_the_middle(const std::string& id) const {
    Background first({FLOWRUN_BINARY, "run", main, "--id", id, "--journal", journal});
    for (int i = 0; i < 2000 && !std::filesystem::exists(dir.path("parts/begun")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(std::filesystem::exists(dir.path("parts/begun")));
    first.signal(SIGKILL);
    first.wait();
    dir.write("parts/go", "");
  }
};

}  // namespace

TEST_CASE("a run that is killed inside a sub-workflow goes on with the text it was started with", "[crash]") {
  Sample sample;
  sample.kill_in_the_middle("cut");
  sample.dir.write("parts/child.yaml", "flowrun: 1\nsteps: { nonsense: 1 }\n");
  Ran resumed = flowrun(sample.journal, {"resume", "cut"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "two\n");
  CHECK(has(resumed.err, "parts/child.yaml has changed since"));
  CHECK(sample.dir.read("parts/log") == "one\ntwo\n");

  std::filesystem::remove(sample.child);
  Ran verified = flowrun(sample.journal, {"journal", "verify", "cut"});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(nlohmann::json::parse(flowrun(sample.journal, {"output", "cut", "--step", "sub"}).out)["said"] == "two");
  CHECK(flowrun(sample.journal, {"eval", "$input.word", "--run", "cut", "--step", "sub/slow"}).out == "\"two\"\n");
}

TEST_CASE("a run whose sub-workflow is deleted goes on all the same", "[crash]") {
  Sample sample;
  sample.kill_in_the_middle("gone");
  std::filesystem::remove(sample.child);
  Ran resumed = flowrun(sample.journal, {"resume", "gone"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "two\n");
}

TEST_CASE("the same id with another text of a sub-workflow is refused") {
  Sample sample;
  sample.dir.write("parts/go", "");
  REQUIRE(flowrun(sample.journal, {"run", sample.main, "--id", "same"}).code == 0);
  Ran again = flowrun(sample.journal, {"run", sample.main, "--id", "same"});
  CHECK(again.code == 0);
  CHECK(again.out == "two\n");
  sample.dir.write("parts/child.yaml", sample.dir.read("parts/child.yaml") + "# changed\n");
  Ran other = flowrun(sample.journal, {"run", sample.main, "--id", "same"});
  CHECK(other.code == 8);
  CHECK(has(other.err, "another text"));
}

TEST_CASE("a failure in a sub-workflow is shown with both files, and with what the process said") {
  TempDir dir;
  std::string main = dir.write("main.yaml", "flowrun: 1\nsteps:\n  sub: { workflow: child.yaml }\n");
  dir.write("child.yaml", "flowrun: 1\nsteps:\n  bad:\n    shell: echo no luck >&2; exit 3\n");
  std::string journal = dir.path("journal.db");
  Ran ran = flowrun(journal, {"run", main, "--id", "bad"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "error: step sub failed"));
  CHECK(has(ran.err, "sub/bad has failed (child.yaml:4): exit.3"));
  CHECK(has(ran.err, "main.yaml:3   workflow: child.yaml"));
  CHECK(has(ran.err, "| no luck"));
  Ran shown = flowrun(journal, {"show", "bad"});
  CHECK(has(shown.out, "error: sub (" + main + ":3): child: sub/bad has failed (child.yaml:4)"));
}

}  // namespace flowrun::test::sub_workflow_test
