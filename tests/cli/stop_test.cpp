// Every way in which a step is stopped, by every length of its `kill_grace`: what it is given, and what is left. The
// real binary with real processes, whose own words say how they went.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::stop_test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

int pid_in(const TempDir& dir, const std::string& name) {
  int pid = 0;
  soon([&] { return (pid = std::atoi(dir.read(name).c_str())) > 0; });
  return pid;
}

std::unique_ptr<Background> start(const TempDir& dir, const std::string& file, std::vector<std::string> args = {}) {
  std::vector<std::string> argv{FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", dir.path("journal.db")};
  argv.insert(argv.end(), args.begin(), args.end());
  return std::make_unique<Background>(argv);
}

/// A stop, how the workflow around the step looks for it, and how the test brings it about.
struct Stop {
  const char* name;
  const char* around;  ///< with STEP for the step
  std::vector<std::string> args;
  std::function<void(Background&, const TempDir&)> act;
  bool hurried;  ///< at most 1 s after TERM, whatever kill_grace says
  int code;
};

std::vector<Stop> stops() {
  auto nothing = [](Background&, const TempDir&) {};
  auto signals = [](std::vector<int> numbers) {
    return [numbers](Background& flowrun, const TempDir&) {
      for (int number : numbers) {
        flowrun.signal(number);
        std::this_thread::sleep_for(200ms);
      }
    };
  };
  const char* alone = "steps: { s: { STEP } }";
  return {
      {"timeout", "steps: { s: { timeout: 600ms, STEP } }", {}, nothing, false, 1},
      {"race",
       "steps: { r: { race: { s: { STEP }, w: { shell: 'until [ -s ready ]; do sleep 0.05; done' } } } }",
       {},
       nothing,
       false,
       0},
      {"failing group",
       "steps: { g: { fail_fast: true, parallel: { s: { STEP }, w: { shell: 'until [ -s ready ]; do sleep 0.05; done; "
       "exit 1' } } } }",
       {},
       nothing,
       false,
       1},
      {"cancel",
       alone,
       {},
       [](Background&, const TempDir& dir) {
         CHECK(flowrun(dir.path("journal.db"), {"cancel", "r"}).code == 0);
       },
       false,
       1},
      {"SIGINT", alone, {"--grace", "100ms"}, signals({SIGINT}), false, 130},
      {"SIGTERM", alone, {"--grace", "100ms"}, signals({SIGTERM}), false, 143},
      {"SIGHUP", alone, {"--grace", "100ms"}, signals({SIGHUP}), false, 129},
      {"SIGINT twice", alone, {"--grace", "1h"}, signals({SIGINT, SIGINT}), true, 130},
      {"SIGINT, later SIGTERM", alone, {"--grace", "0s"}, signals({SIGINT, SIGTERM}), true, 143},
  };
}

}  // namespace

TEST_CASE("every stop gives a step its kill_grace, and a second signal one second of it", "[cli][timing]") {
  for (const Stop& stop : stops()) {
    for (const char* grace : {"300ms", "20s"}) {
      INFO(stop.name << ", kill_grace " << grace);
      TempDir dir;
      // It needs 1.7 s to tidy up.
      std::string step = std::string("kill_grace: ") + grace +
                         ", shell: 'tidy() { sleep 1.7; echo tidy > tidy; exit 0; }; trap tidy TERM; echo $$ > ready; "
                         "for i in {1..1000}; do sleep 0.05; done'";
      std::string text = stop.around;
      text.replace(text.find("STEP"), 4, step);
      auto run = start(dir, dir.write("w.yaml", "flowrun: 1\n" + text + "\n"), stop.args);
      const int pid = pid_in(dir, "ready");
      REQUIRE(pid > 0);
      stop.act(*run, dir);
      Ran ran = run->wait(std::chrono::seconds(60));
      INFO(ran.err);
      CHECK(ran.code == stop.code);
      const bool time_enough = std::string(grace) == "20s" && !stop.hurried;
      CHECK((dir.read("tidy") == "tidy\n") == time_enough);
      CHECK_FALSE(alive(pid));
      if (stop.code >= 128) CHECK(has(ran.err, "suspended: flowrun resume r --journal "));
    }
  }
}

TEST_CASE("a third signal ends flowrun at once, and its steps with it", "[cli]") {
  TempDir dir;
  auto run = start(dir, dir.write("w.yaml",
                                  "flowrun: 1\nsteps: { s: { kill_grace: 1h, shell: \"trap '' TERM; echo $$ > "
                                  "ready; while :; do sleep 0.05; done\" } }\n"));
  const int pid = pid_in(dir, "ready");
  for (int i = 0; i < 3; ++i) {
    run->signal(SIGTERM);
    std::this_thread::sleep_for(50ms);
  }
  CHECK(run->wait(std::chrono::seconds(20)).code == 143);
  CHECK(soon([&] { return !alive(pid); }));
}

TEST_CASE("a step has no terminal, and job control does not stop it", "[cli]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  asks: { shell: read x < /dev/tty, continue_on_error: true }
  stops: { shell: kill -TTIN $$; kill -TTOU $$; kill -TSTP $$; echo lives }
output: [ "${ $status.asks.error.type }", "${ $steps.stops }" ]
)");
  // script(1) gives it a terminal.
  Ran ran = run({"/usr/bin/script", "-qec",
                 std::string("timeout 30 ") + FLOWRUN_BINARY + " run " + file + " --journal " + dir.path("journal.db"),
                 "/dev/null"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.out, "exit.1"));
  CHECK(has(ran.out, "lives"));
}

TEST_CASE("where the first process reaps nothing, a stopped step takes no longer, and nothing is left of it",
          "[cli][timing]") {
  TempDir dir;
  // The shell dies of TERM; its child dies, too, and is an orphan that only flowrun can bury.
  std::string file = dir.write("w.yaml",
                               "flowrun: 1\nsteps: { s: { timeout: 300ms, kill_grace: 20s, shell: sleep 60 & wait "
                               "} }\n");
  // The first process of the namespace is one that never waits.
  std::string script =
      "{ \"$0\" run \"$1\" --journal \"$2\"; echo code $?; echo zombies $(grep -sl '^State:.Z' "
      "/proc/[0-9]*/status | wc -l); }";
  std::vector<std::string> inside{"/usr/bin/unshare",
                                  "-pf",
                                  "--mount-proc",
                                  "--kill-child",
                                  "/usr/bin/perl",
                                  "-e",
                                  "$SIG{CHLD} = 'DEFAULT'; my $p = fork; if (!$p) { exec @ARGV } "
                                  "select(undef, undef, undef, 0.02) until -s \"$ARGV[-1].done\";",
                                  "/bin/sh",
                                  "-c",
                                  script + " > \"$2.done.part\" 2>&1; mv \"$2.done.part\" \"$2.done\"",
                                  FLOWRUN_BINARY,
                                  file,
                                  dir.path("journal.db")};
  const auto began = Clock::now();
  Ran ran = run(inside);
  if (has(ran.err, "unshare: ")) {
    WARN("no namespaces here");
    return;
  }
  std::string said = dir.read("journal.db.done");
  INFO(ran.err << said);
  CHECK(has(said, "code 1\n"));
  CHECK(has(said, "zombies 0\n"));
  CHECK(Clock::now() - began < 10s);
}

TEST_CASE("as the first process of a namespace flowrun buries the orphans of its steps", "[cli]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  a: { shell: "for i in 1 2 3 4 5; do (setsid sleep 0.01 &) ; done; sleep 0.4" }
  b: { needs: a, shell: "(grep -sl '^State:.Z' /proc/[0-9]*/status || true) | wc -l" }
output: ${ $steps.b }
)");
  Ran ran = run({"/usr/bin/unshare", "-pf", "--mount-proc", "--kill-child", FLOWRUN_BINARY, "run", file, "--journal",
                 dir.path("journal.db")});
  if (has(ran.err, "unshare: ")) {
    WARN("no namespaces here");
    return;
  }
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "0\n");
}

TEST_CASE("what a step leaves behind is told once, and not when it is meant", "[cli]") {
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  group: { shell: "(sleep 61 & echo $! > group.pid) > /dev/null 2>&1" }
  daemon: { shell: "(setsid sleep 62 & echo $! > daemon.pid) > /dev/null 2>&1; sleep 0.2" }
  meant: { shell: "(setsid sleep 63 & echo $! > meant.pid) > /dev/null 2>&1", leave: true }
  short: { shell: "(sleep 0.03 &) > /dev/null 2>&1" }
  stopped: { shell: "(setsid sleep 64 & echo $! > stopped.pid) > /dev/null 2>&1; sleep 60", timeout: 400ms, continue_on_error: true }
)");
  Ran ran = flowrun(dir.path("journal.db"), {"run", file});
  INFO(ran.err);
  CHECK(ran.code == 0);
  for (const char* name : {"group", "daemon", "stopped"}) {
    const int pid = pid_in(dir, std::string(name) + ".pid");
    CHECK(alive(pid));
    const std::string told = "warning: process " + std::to_string(pid) + " of step " + name + " (sleep 6";
    CHECK(has(ran.err, told));
    CHECK(ran.err.find(told) == ran.err.rfind(told));
    kill(pid, SIGKILL);
  }
  CHECK_FALSE(has(ran.err, "step meant"));
  CHECK_FALSE(has(ran.err, "step short"));
  const int meant = pid_in(dir, "meant.pid");
  CHECK(alive(meant));
  kill(meant, SIGKILL);
  CHECK(flowrun(dir.path("journal.db"), {"journal", "verify", "@last"}).code == 0);
  Ran quiet =
      flowrun(dir.path("journal.db"), {"run", dir.write("v.yaml", "flowrun: 1\nsteps: { a: { exec: [true] } }\n")});
  CHECK_FALSE(has(quiet.err, "warning"));
}

TEST_CASE("a flowrun that a step runs leaves nothing behind, however the outer one ends", "[cli]") {
  // The process at work is in a group of its own, below the inner flowrun and a shell.
  const char* inner =
      "flowrun: 1\nsteps: { work: { shell: \"trap '' TERM; (trap '' TERM; echo $BASHPID > work.pid; while "
      ":; do sleep 0.05; done) & wait; wait; wait; true\" } }\n";
  for (bool killed : {false, true}) {
    INFO((killed ? "kill -9" : "stopped by a timeout"));
    TempDir dir;
    dir.write("inner.yaml", inner);
    std::string file =
        dir.write("outer.yaml", std::string("flowrun: 1\nsteps: { nested: { kill_grace: 500ms, ") +
                                    (killed ? "" : "timeout: 8s, ") +
                                    "shell: 'if [ \"$FLOWRUN_RERUN\" = 1 ]; then exit 0; fi; echo "
                                    "start; " +
                                    FLOWRUN_BINARY + " run inner.yaml --journal inner.db 2> inner.err; true' } }\n");
    auto run = start(dir, file);
    const int pid = pid_in(dir, "work.pid");
    REQUIRE(pid > 0);
    if (killed) run->signal(SIGKILL);
    Ran ran = run->wait(std::chrono::seconds(60));
    if (killed) {
      Ran resumed = flowrun(dir.path("journal.db"), {"resume", "r"});
      INFO(resumed.err);
      CHECK(resumed.code == 0);
      CHECK(has(resumed.err, "of step nested"));
    }
    INFO(ran.err);
    CHECK(soon([&] { return !alive(pid); }));
    if (alive(pid)) kill(pid, SIGKILL);
  }
}

TEST_CASE("the process that answers expressions dies with flowrun, also while it computes", "[cli]") {
  TempDir dir;
  std::string file = dir.write("w.yaml",
                               "flowrun: 1\nsteps: { a: { exec: [sh, -c, 'echo $PPID > pid; sleep 0.3'] }, b: { "
                               "needs: a, exec: [echo, '${ reduce range(1e12) as $i (0; . + 1) }'] } }\n");
  auto run = start(dir, file);
  const int driver = pid_in(dir, "pid");
  std::string children;
  REQUIRE(soon([&] {
    std::ifstream in("/proc/" + std::to_string(driver) + "/task/" + std::to_string(driver) + "/children");
    return bool(std::getline(in, children)) && !children.empty();
  }));
  const int jq = std::atoi(children.c_str());
  REQUIRE(jq > 0);
  std::this_thread::sleep_for(700ms);
  run->signal(SIGKILL);
  run->wait(std::chrono::seconds(20));
  CHECK(soon([&] { return !alive(jq); }));
}

TEST_CASE("a reader that goes away suspends the run, and it can be resumed", "[cli]") {
  const char* slow =
      "flowrun: 1\nconcurrency: 1\nsteps: { f: { for_each: \"${ [range(60)] }\", do: { shell: 'echo x >> ran; "
      "sleep 0.05' } } }\n";
  struct Pipe {
    const char* name;
    const char* script;
    bool told;
  };
  const Pipe pipes[] = {{"events", "\"$0\" run \"$1\" --id r --events - 2> err; echo $? > code", true},
                        {"progress", "\"$0\" run \"$1\" --id r 2>&1 > out; echo $? > code", false}};
  for (const Pipe& pipe : pipes) {
    INFO(pipe.name);
    TempDir dir;
    std::string file = dir.write("w.yaml", slow);
    HowToRun how;
    how.cwd = dir.path();
    how.env["FLOWRUN_JOURNAL"] = dir.path("journal.db");
    Ran ran =
        run({"/bin/bash", "-c", std::string("{ ") + pipe.script + "; } | head -n 8 > seen", FLOWRUN_BINARY, file}, how);
    INFO(ran.err << dir.read("err"));
    CHECK(dir.read("code") == "74\n");
    if (pipe.told) CHECK(has(dir.read("err"), "suspended: flowrun resume r"));
    const std::string before = dir.read("ran");
    CHECK(before.size() < 2 * 60);
    Ran shown = flowrun(dir.path("journal.db"), {"show", "r", "--json"});
    CHECK(has(shown.out, "\"state\":\"suspended\""));
    CHECK(flowrun(dir.path("journal.db"), {"resume", "r"}).code == 0);
    CHECK(dir.read("ran").size() == 2 * 60);  // each once
  }
}

TEST_CASE("with on_signal: cancel the first signal cancels, `finally` runs, and the second one suspends that") {
  struct Way {
    int signals[2];
    int code;
    const char* state;
    bool tidied;  ///< `finally` has come to its end
  };
  for (const Way& way : {Way{{SIGINT, 0}, 130, "cancelled", true}, Way{{SIGTERM, 0}, 143, "cancelled", true},
                         Way{{SIGHUP, 0}, 129, "cancelled", true}, Way{{SIGINT, SIGINT}, 130, "suspended", false}}) {
    CAPTURE(way.code, way.signals[1]);
    TempDir dir;
    const std::string file = dir.write("w.yaml", R"(flowrun: 1
on_signal: cancel
steps:
  s: { shell: "touch begun; sleep 60" }
finally:
  - { shell: "touch tidying; until [ -e go ]; do sleep 0.05; done; touch tidied" }
)");
    auto flowrun = start(dir, file);
    REQUIRE(soon([&] { return std::filesystem::exists(dir.path("begun")); }));
    flowrun->signal(way.signals[0]);
    REQUIRE(soon([&] { return std::filesystem::exists(dir.path("tidying")); }));
    if (way.signals[1]) {
      flowrun->signal(way.signals[1]);
    } else {
      dir.write("go", "");
    }
    const Ran finished = flowrun->wait();
    CHECK(finished.code == way.code);
    CHECK(has(finished.err, "cancelled, as `on_signal` says"));
    CHECK(std::filesystem::exists(dir.path("tidied")) == way.tidied);
    const std::vector<std::string> list{FLOWRUN_BINARY, "list", "--json", "--journal", dir.path("journal.db")};
    CHECK(has(run(list).out, way.state));
    CHECK(run({FLOWRUN_BINARY, "journal", "verify", "r", "--journal", dir.path("journal.db")}).code == 0);
    if (way.tidied) continue;
    // What is suspended so goes on with being cancelled.
    dir.write("go", "");
    CHECK(run({FLOWRUN_BINARY, "resume", "r", "--journal", dir.path("journal.db")}).code == 1);
    CHECK(std::filesystem::exists(dir.path("tidied")));
    CHECK(has(run(list).out, "cancelled"));
  }
}

}  // namespace flowrun::test::stop_test
