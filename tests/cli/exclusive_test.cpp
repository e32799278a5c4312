// `exclusive` as people see it: real runs on one journal that want the same key, and what becomes of those that wait
// when somebody is killed, stopped or cancelled.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::exclusive_test {
namespace {

using namespace std::chrono_literals;

/// Runs of one file on one journal. A run writes when it begins, and ends when it is let go.
class Runs {
 public:
  /// |exclusive|: the value of the key, as written.
  explicit Runs(const std::string& exclusive, const std::string& more = "") {
    file_ = dir_.write("w.yaml", "flowrun: 1\ninput: { n: { type: string } }\nexclusive: " + exclusive + R"(
steps:
  s:
    shell: echo "begin $N" >> log; until [ -e "go-$N" ]; do sleep 0.02; done; echo "end $N" >> log
    env: { N: "${ $input.n }" }
)" + more);
  }

  std::vector<std::string> argv(const std::string& n, std::vector<std::string> more = {}) const {
    std::vector<std::string> all{FLOWRUN_BINARY, "run", file_, "-i", "n=" + n, "--id", n, "--journal", journal()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::unique_ptr<Background> start(const std::string& n) const { return std::make_unique<Background>(argv(n)); }
  /// Started, and its step has begun.
  std::unique_ptr<Background> begun(const std::string& n) const {
    auto one = start(n);
    REQUIRE(soon([&] { return has(log(), "begin " + n + "\n"); }));
    return one;
  }
  /// Started, and it waits.
  std::unique_ptr<Background> waiting(const std::string& n, const std::string& behind) const {
    auto one = start(n);
    REQUIRE(soon([&] { return has(one->err(), "by run " + behind + " (process "); }));
    return one;
  }
  void let_go(const std::string& n) const { dir_.write("go-" + n, ""); }
  std::string log() const { return dir_.read("log"); }
  std::string journal() const { return dir_.path("journal.db"); }
  const TempDir& dir() const { return dir_; }
  Ran flowrun(std::vector<std::string> args) const {
    args.insert(args.begin(), FLOWRUN_BINARY);
    args.insert(args.end(), {"--journal", journal()});
    return run(args);
  }
  /// What the journal says of the run |n|; empty: it has none.
  std::string state(const std::string& n) const {
    const Ran shown = flowrun({"show", n, "--json", "--jq", ".state"});
    return shown.code == 0 ? shown.out.substr(0, shown.out.find('\n')) : "";
  }

 private:
  TempDir dir_;
  std::string file_;
};

}  // namespace

TEST_CASE("runs with one key are driven one at a time, in the order in which they came") {
  Runs runs("deploy");
  auto a = runs.begun("a");
  auto b = runs.waiting("b", "a");
  auto c = runs.waiting("c", "a");
  auto d = runs.waiting("d", "a");
  CHECK(runs.state("b").empty());  // it has not begun
  for (const char* n : {"d", "c", "b", "a"}) runs.let_go(n);
  for (Background* one : {a.get(), b.get(), c.get(), d.get()}) CHECK(one->wait().code == 0);
  CHECK(runs.log() == "begin a\nend a\nbegin b\nend b\nbegin c\nend c\nbegin d\nend d\n");
  CHECK(has(runs.flowrun({"journal", "show", "d"}).out, "succeeded"));
}

TEST_CASE("another key is another line, and a key may come from inputs") {
  Runs runs("lane-${ $input.n | .[0:1] }");
  auto a1 = runs.begun("a1");
  auto b1 = runs.begun("b1");
  auto a2 = runs.waiting("a2", "a1");
  for (const char* n : {"a1", "a2", "b1"}) runs.let_go(n);
  for (Background* one : {a1.get(), b1.get(), a2.get()}) CHECK(one->wait().code == 0);
}

TEST_CASE("who is killed by SIGKILL has neither the key nor a place in line any more") {
  Runs runs("deploy");
  auto a = runs.begun("a");
  auto b = runs.waiting("b", "a");
  auto c = runs.waiting("c", "a");
  b->signal(SIGKILL);
  CHECK(b->wait().code == 128 + SIGKILL);
  CHECK(runs.state("b").empty());  // nothing of it is left
  a->signal(SIGKILL);
  CHECK(a->wait().code == 128 + SIGKILL);
  REQUIRE(soon([&] { return has(runs.log(), "begin c\n"); }));
  // What was cut off goes on when it has the key again.
  Background resumed({FLOWRUN_BINARY, "resume", "a", "--journal", runs.journal()});
  REQUIRE(soon([&] { return has(resumed.err(), "by run c (process "); }));
  runs.let_go("a");
  runs.let_go("c");
  CHECK(c->wait().code == 0);
  CHECK(resumed.wait().code == 0);
  CHECK(runs.state("a") == "succeeded");
  runs.let_go("b");
  CHECK(run(runs.argv("b")).code == 0);
  CHECK(runs.flowrun({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("who waits for a key hears Ctrl-C, and has left nothing behind") {
  Runs runs("deploy");
  auto a = runs.begun("a");
  auto b = runs.waiting("b", "a");
  b->signal(SIGINT);
  const Ran stopped = b->wait();
  CHECK(stopped.code == 128 + SIGINT);
  CHECK(has(stopped.err, "stopped while it waited for the key `deploy`; nothing was started"));
  CHECK(runs.state("b").empty());
  runs.let_go("a");
  CHECK(a->wait().code == 0);
}

TEST_CASE("when_taken: skip, fail") {
  const bool skips = GENERATE(true, false);
  Runs runs(skips ? "{ key: deploy, when_taken: skip }" : "{ key: deploy, when_taken: fail }");
  auto a = runs.begun("a");
  const Ran b = run(runs.argv("b"));
  CHECK(b.code == (skips ? 0 : 6));
  CHECK(b.out.empty());
  CHECK(has(b.err, skips ? "skipped: the key `deploy` is taken by run a (process "
                         : "error: the key `deploy` is taken by run a (process "));
  CHECK(has(b.err, "nothing was started"));
  CHECK(runs.state("b").empty());
  if (skips) {
    const Ran json = run(runs.argv("b", {"--json"}));
    CHECK(json.code == 0);
    CHECK(has(json.out, R"("state":"skipped")"));
    CHECK(has(json.out, R"("run":"a")"));
  }
  // What exists is not skipped: it was asked for by its name.
  a->signal(SIGKILL);
  a->wait();
  auto c = runs.begun("c");
  const Ran resumed = runs.flowrun({"resume", "a"});
  CHECK(resumed.code == 6);
  CHECK(has(resumed.err, "the key `deploy` is taken by run c"));
  runs.let_go("a");
  runs.let_go("c");
  CHECK(c->wait().code == 0);
  CHECK(runs.flowrun({"resume", "a"}).code == 0);
}

TEST_CASE("when_taken: replace cancels the other run, its `finally` included, and then begins") {
  Runs runs("{ key: deploy, when_taken: replace }",
            "finally:\n  - { shell: 'sleep 0.3; echo tidied $N >> log', env: { N: \"${ $input.n }\" } }\n");
  auto a = runs.begun("a");
  auto b = runs.start("b");
  REQUIRE(soon([&] { return has(runs.log(), "begin b\n"); }));
  const Ran replaced = a->wait();
  CHECK(replaced.code == 1);
  CHECK(runs.state("a") == "cancelled");
  CHECK(has(b->err(), "is taken by run a (process "));
  CHECK(has(b->err(), "which is asked to end"));
  runs.let_go("b");
  CHECK(b->wait().code == 0);
  CHECK(runs.log() == "begin a\ntidied a\nbegin b\nend b\ntidied b\n");
  CHECK(runs.flowrun({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("a run that rests has not its key: a resume takes it again") {
  Runs runs("deploy", "");
  const std::string file = runs.dir().write("gate.yaml", R"(flowrun: 1
exclusive: deploy
steps: { gate: { wait: go } }
)");
  CHECK(runs.flowrun({"run", file, "--id", "gate", "--no-wait"}).code == 4);
  auto a = runs.begun("a");
  CHECK(runs.flowrun({"signal", "gate", "go"}).code == 0);
  Background resumed({FLOWRUN_BINARY, "resume", "gate", "--journal", runs.journal()});
  REQUIRE(soon([&] { return has(resumed.err(), "by run a (process "); }));
  CHECK(runs.state("gate") == "suspended");
  SECTION("and goes on in its turn") {
    runs.let_go("a");
    CHECK(resumed.wait().code == 0);
    CHECK(runs.state("gate") == "succeeded");
  }
  SECTION("and can be cancelled while it waits") {
    const Ran cancelled = runs.flowrun({"cancel", "gate", "--now"});
    CHECK(runs.state("gate") == "cancelled");
    runs.let_go("a");
    resumed.wait();
    CHECK(runs.state("gate") == "cancelled");
  }
  CHECK(a->wait().code == 0);
}

TEST_CASE("a run that is driven is no key to be waited for: its own resume is told at once") {
  Runs runs("deploy");
  auto a = runs.begun("a");
  const Ran resumed = runs.flowrun({"resume", "a"});
  CHECK(resumed.code == 6);
  CHECK(has(resumed.err, "already driven by process"));
  runs.let_go("a");
  CHECK(a->wait().code == 0);
}

TEST_CASE("retry, undo and fork take the key, too") {
  Runs runs("{ key: deploy, when_taken: fail }");
  const std::string file = runs.dir().write("f.yaml", R"(flowrun: 1
exclusive: deploy
steps:
  - { shell: "true", undo: { shell: "echo undone >> log" } }
  - { id: f, shell: "[ -e fine ]" }
)");
  CHECK(runs.flowrun({"run", file, "--id", "f"}).code == 1);
  auto a = runs.begun("a");
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"retry", "f"}, {"undo", "f"}, {"fork", "f", "--id", "g"}}) {
    CAPTURE(args[0]);
    std::vector<std::string> argv{FLOWRUN_BINARY};
    argv.insert(argv.end(), args.begin(), args.end());
    argv.insert(argv.end(), {"--journal", runs.journal()});
    Background one(argv);
    CHECK(soon([&] { return has(one.err(), "by run a (process "); }));
    one.signal(SIGTERM);
    CHECK(one.wait().code == 128 + SIGTERM);
  }
  CHECK(runs.state("f") == "failed");
  runs.let_go("a");
  CHECK(a->wait().code == 0);
  runs.dir().write("fine", "");
  CHECK(runs.flowrun({"retry", "f"}).code == 0);
}

TEST_CASE("who wants the key of a run below which it runs is told so, and not what has been left running") {
  Runs runs("deploy");
  const std::string flowrun = "[\"" + std::string(FLOWRUN_BINARY) + "\", run, ";
  const auto file = [&](const std::string& name, const std::string& head, const std::string& step) {
    return runs.dir().write(name, "flowrun: 1\n" + head + "steps: { s: { " + step + " } }\n");
  };
  const std::string inner = file("inner.yaml", "exclusive: deploy\n", "set: 1"),
                    middle = file("middle.yaml", "", "exec: " + flowrun + inner + "]"),
                    outer = file("outer.yaml", "exclusive: deploy\n", "exec: " + flowrun + inner + "]"),
                    above = file("above.yaml", "exclusive: deploy\n", "exec: " + flowrun + middle + "]");
  HowToRun how;
  how.env = {{"FLOWRUN_JOURNAL", runs.journal()}};
  for (const std::string& first : {outer, above}) {
    const Ran ran = run({FLOWRUN_BINARY, "run", first}, how);
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "below which this runs: it would wait for ever"));
  }
  // The key was given back meanwhile, so it is had, or waited for, as by anybody.
  const std::string leaves =
      file("leaves.yaml", "exclusive: deploy\n",
           "leave: true, shell: \"(until [ -e go ]; do sleep 0.01; done; " + std::string(FLOWRUN_BINARY) + " run " +
               inner + " >out 2>&1; echo $? >code) >/dev/null 2>&1 &\"");
  CHECK(run({FLOWRUN_BINARY, "run", leaves}, how).code == 0);
  SECTION("nobody has it") { runs.dir().write("go", ""); }
  SECTION("a stranger has it") {
    auto a = runs.begun("a");
    runs.dir().write("go", "");
    CHECK(soon([&] { return has(runs.dir().read("out"), "waiting: the key `deploy` is taken by run a (process "); }));
    runs.let_go("a");
    CHECK(a->wait().code == 0);
  }
  CHECK(soon([&] { return runs.dir().read("code") == "0\n"; }));
}

TEST_CASE("what stands in the place of the shared file is neither used nor waited for") {
  Runs runs("deploy");
  runs.let_go("a");
  REQUIRE(mkfifo((runs.journal() + "-shared").c_str(), 0600) == 0);
  const Ran refused = run(runs.argv("a"));
  CHECK(refused.code == 9);
  CHECK(has(refused.err, "journal.db-shared is not a regular file; move it away"));
  CHECK(runs.log().empty());
}

}  // namespace flowrun::test::exclusive_test
