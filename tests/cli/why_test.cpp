// flowrun why: the reason of each state, down to what caused it.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::why_test {
namespace {

const char* kWorkflow = R"(flowrun: 1
steps:
  order: { shell: "echo broken pipe >&2; exit 4", retry: { attempts: 2, delay: 1ms } }
  charge: { exec: [echo, "${ $steps.order }"] }
  ship: { exec: [echo], needs: charge }
  first: { race: { fast: { exec: ["true"] }, slow: { shell: sleep 5 } } }
  maybe: { exec: [echo], if: "${ 1 > 2 }" }
  saved: { exec: ["false"], fallback: { set: 1 } }
  gate: { wait: go, timeout: 1h }
  later: { exec: [echo], needs: gate }
  many: { for_each: [a], key: "${ $item }", do: { one: { exec: ["true"] }, two: { exec: ["true"], needs: one } }, needs: later }
  strict: { parallel: { bad: { exec: ["false"] }, long: { shell: sleep 5 } }, fail_fast: true }
)";

struct Case {
  const char* step;
  std::vector<const char*> says;
};

}  // namespace

TEST_CASE("why says for each state what led to it, and what would change that", "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  REQUIRE(flowrun(journal, {"run", dir.write("w.yaml", kWorkflow), "--id", "r", "-k", "--no-wait"}).code == 4);
  const std::vector<Case> cases = {
      {"order", {"order  failed", "w.yaml:3", "exit.4: exited with 4", "| broken pipe", "tries before: 1: exit.4"}},
      {"charge", {"charge  blocked", "it needs order, which has failed: $steps.order in line 4", "| broken pipe"}},
      {"ship", {"it needs charge, which is blocked: needs in line 5", "    it needs order, which has failed"}},
      {"first/slow", {"cancelled", "first was decided without it", "first/fast succeeded"}},
      {"first", {"won by fast"}},
      {"maybe", {"skipped", "its `if` was false: ${ 1 > 2 }"}},
      {"saved", {"succeeded", "it failed, and its `fallback` stands in for it"}},
      {"gate", {"waiting", "it waits for the signal `go`, at most until", "change: flowrun approve r go"}},
      {"later", {"pending", "it waits for gate (waiting), because of needs in line 10"}},
      {"many", {"it waits for later", "it waits for the signal `go`"}},
      {"strict/long",
       {"cancelled", "`fail_fast: true` cancels what runs", "strict/bad failed", "exit.1: exited with 1"}},
  };
  for (const Case& one : cases) {
    const Ran ran = flowrun(journal, {"why", "r", one.step});
    CAPTURE(one.step, ran.out);
    CHECK(ran.code == 0);
    for (const char* words : one.says) CHECK(ran.out.find(words) != std::string::npos);
  }
  // One word is a step of the newest run.
  CHECK(flowrun(journal, {"why", "gate"}).out == flowrun(journal, {"why", "r", "gate"}).out);
  const Ran typo = flowrun(journal, {"why", "r", "gaet"});
  CHECK(typo.code == 8);
  CHECK(typo.err.find("gate") != std::string::npos);
}

namespace {

// Holds at `hold` until there is a file; what has begun then is of each sort that has no entry of its own yet.
const char* kHeld = R"(flowrun: 1
steps:
  plain: { shell: "while ! [ -e go ]; do sleep 0.02; done" }
  group: { parallel: { in: { shell: "while ! [ -e go ]; do sleep 0.02; done" }, quick: { exec: ["true"] } } }
  list: { for_each: [a, b], key: "${ $item }", do: { one: { exec: ["true"] }, two: { wait: go, timeout: 1h, needs: one } } }
  sub: { workflow: sub.yaml }
  saved: { exec: ["false"], fallback: { wait: save, timeout: 1h } }
  again: { exec: ["false"], retry: { attempts: 2, delay: 1h } }
  nap: { sleep: 1h }
  turn: { exec: ["true"], needs: group }
)";

/// What stands between the first two lines of `why` and its entries: the reasons, without the changes.
std::vector<std::string> reasons(const std::string& out) {
  std::vector<std::string> lines;
  std::istringstream all(out);
  for (std::string line; std::getline(all, line) && line != "entries:";)
    if (line.starts_with("  ")) lines.push_back(line);
  return lines;
}

std::vector<std::string> changes(const std::string& out) {
  std::vector<std::string> lines;
  std::istringstream all(out);
  for (std::string line; std::getline(all, line) && line != "entries:";)
    if (line.starts_with("change: ")) lines.push_back(line.substr(8));
  return lines;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("why of what goes on follows groups, items and fallbacks to what holds them up, also when nobody drives",
          "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  dir.write("sub.yaml", "flowrun: 1\nsteps: { in: { wait: deep, timeout: 1h } }\n");
  HowToRun how;
  how.cwd = dir.path();
  Background driver(
      {FLOWRUN_BINARY, "run", dir.write("w.yaml", kHeld), "--id", "r", "-k", "-j", "8", "--journal", journal}, how);
  const auto says = [&](const char* words) { return has(driver.err(), words); };
  while (driver.running() && !(says("start     plain") && says("start     group/in") && says("waits     list[b]/two") &&
                               says("waits     sub/in") && says("waits     saved.fallback") && says("retry     again")))
    usleep(5000);
  const std::vector<Case> cases = {
      {"plain", {"plain  running", "it runs since "}},
      {"group", {"group  running", "of what is in it 1 is over", "in it goes on: group/in"}},
      {"list", {"list  running", "in it go on: list[a]/two, list[b]/two", "it waits for the signal `go`"}},
      {"list[a]", {"list[a]  running", "in it goes on: list[a]/two", "flowrun approve r go --step 'list[a]/two'"}},
      {"sub", {"sub  running", "in it goes on: sub/in", "it waits for the signal `deep`"}},
      {"saved", {"saved  running", "it failed: exit.1", "saved.fallback stands in for it", "the signal `save`"}},
      {"again", {"again  retrying", "try 1 failed with exit.1; the next is at"}},
      {"nap", {"nap  sleeping", "it sleeps until"}},
      {"turn", {"turn  pending", "it waits for group (running), because of needs", "in it goes on: group/in"}},
  };
  for (const bool driven : {true, false}) {
    if (!driven) {
      driver.signal(SIGKILL);
      driver.wait();
    }
    for (const Case& one : cases) {
      const Ran ran = flowrun(journal, {"why", "r", one.step});
      CAPTURE(one.step, driven, ran.out);
      CHECK(ran.code == 0);
      CHECK(has(ran.out, driven ? "r  running\n" : "r  cut off\n"));
      for (const char* words : one.says)
        CHECK(has(ran.out, driven || std::string_view(words) != "it runs since " ? words : "it had begun at "));
      CHECK_FALSE(has(ran.out, "in line for a slot"));
      CHECK(has(ran.out, "nobody drives the run, which is cut off") != driven);
      CHECK(has(ran.out, "change: flowrun resume r") != driven);
    }
  }
}

TEST_CASE("why tells of what a timeout stopped, what was undone, and what stood around the cause", "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  dir.write("sub.yaml", "flowrun: 1\nsteps: { g: { parallel: { in: { shell: echo deep >&2; exit 5 } } } }\n");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  tardy: { parallel: { late: { shell: sleep 9 } }, timeout: 200ms }
  scope: { atomic: true, sequence: [ { id: done, exec: ["true"], undo: { exec: ["true"] } }, { id: not, exec: ["false"] } ] }
  sub: { workflow: sub.yaml }
  out: { parallel: { mid: { parallel: { deep: { shell: sleep 9 } } }, bad: { exec: ["false"] } }, fail_fast: true }
  items: { for_each: [1, 2], key: "${ $item }", do: { one: { shell: exit $((FLOWRUN_ITEM - 1)) }, two: { exec: ["true"], needs: one } } }
  pick: { switch: [ { if: "${ true }", do: { x: { exec: ["true"] } } }, { else: { y: { exec: ["true"] } } } ] }
)");
  REQUIRE(flowrun(journal, {"run", file, "--id", "r", "-k"}).code == 1);
  const std::vector<Case> cases = {
      {"tardy", {"tardy  failed", "timeout: timed out after 200ms"}},
      {"tardy/late", {"tardy/late  failed", "the `timeout` of tardy was over", "change: a longer `timeout`"}},
      {"scope/done",
       {"scope/done  undone", "and was undone at", "it stands in scope, which is `atomic` and has failed",
        "scope/not failed"}},
      {"sub", {"sub  failed", "sub/g/in failed", "| deep"}},
      {"sub/g", {"sub/g  failed", "sub/g/in failed", "| deep"}},
      {"out/mid/deep", {"out/mid/deep  cancelled", "something else in out had failed", "out/bad failed"}},
      {"items", {"items  failed", "items[2]/one failed"}},
      {"items[1]", {"items[1]  succeeded"}},
      {"items[2]", {"items[2]  failed", "items[2]/one failed", "exit.1"}},
      {"items[2]/two", {"items[2]/two  blocked", "it needs items[2]/one, which has failed"}},
      {"pick/y", {"pick/y  pending", "pick has taken another way: if ${ true }"}},
  };
  for (const Case& one : cases) {
    const Ran ran = flowrun(journal, {"why", "r", one.step});
    CAPTURE(one.step, ran.out);
    for (const char* words : one.says) CHECK(has(ran.out, words));
    CHECK_FALSE(has(ran.out, "before its turn came"));
  }
}

TEST_CASE("why says at each step of a run something else than that it is so, and what it says to type can be typed",
          "[why]") {
  TempDir dir;
  dir.write("sub.yaml", "flowrun: 1\nsteps: { in: { exec: [\"false\"] } }\nfinally: { tidy: { exec: [\"false\"] } }\n");
  const std::string failed = R"(flowrun: 1
steps:
  saved: { exec: ["false"], fallback: { exec: ["false"] } }
  needs: { exec: ["true"], needs: saved }
  sub: { workflow: sub.yaml }
  scope: { atomic: true, sequence: [ { id: done, exec: ["true"], undo: { exec: ["false"] } }, { id: not, exec: ["false"] } ] }
  pair: { race: { fast: { exec: ["true"] }, tardy: { shell: sleep 9 } } }
  left: { exec: ["true"], if: "${ false }" }
on_failure: { mail: { exec: ["false"] } }
finally: { tidy: { exec: ["false"] } }
)";
  const std::string good = R"(flowrun: 1
steps:
  all:
    parallel: { bad: { exec: ["false"], continue_on_error: true }, low: { exec: ["false"] }, next: { exec: ["true"], needs: low } }
    join: best_effort
  list: { for_each: [1, 2], key: "${ $item }", join: best_effort, do: { one: { shell: exit $((FLOWRUN_ITEM - 1)) }, two: { exec: ["true"], needs: one } } }
)";
  HowToRun how;
  how.env["PATH"] = std::filesystem::path(FLOWRUN_BINARY).parent_path().string() + ":/usr/bin:/bin";
  const auto in = [&](const std::string& journal, std::vector<std::string> words) {
    HowToRun there = how;
    there.env["FLOWRUN_JOURNAL"] = journal;
    words.insert(words.begin(), FLOWRUN_BINARY);
    return run(words, there);
  };
  const std::string journal = dir.path("j.db");
  CHECK(in(journal, {"run", dir.write("bad.yaml", failed), "--id", "bad", "-k"}).code == 1);
  CHECK(in(journal, {"run", dir.write("good.yaml", good), "--id", "good", "-k"}).code == 0);
  std::set<std::string> tried;
  for (const char* id : {"bad", "good"}) {
    const Json steps = Json::parse(in(journal, {"show", id, "--json", "--all"}).out)["steps"];
    REQUIRE(steps.size() > 4);
    for (const Json& step : steps) {
      const std::string path = step["path"];
      const Ran ran = in(journal, {"why", id, path});
      CAPTURE(path, ran.out);
      const std::vector<std::string> why = reasons(ran.out);
      REQUIRE_FALSE(why.empty());
      const std::string state = step.value("undone", false) ? "undone" : step["state"].get<std::string>();
      CHECK(has(ran.out, fmt::format("\n{}  {}  ", path, state).c_str()));
      for (const char* empty : {"nothing went wrong", "in line for a slot", "before its turn came"})
        CHECK((state == "succeeded" || !has(ran.out, empty)));
      for (const std::string& what : changes(ran.out)) {
        if (!what.starts_with("flowrun ") || !tried.insert(what).second) continue;
        // A copy, so that the next advice is tried in the same run.
        const TempDir copy;
        for (const char* tail : {"", "-wal"})
          if (std::filesystem::exists(journal + tail)) std::filesystem::copy(journal + tail, copy.path("j.db") + tail);
        HowToRun there = how;
        there.env["FLOWRUN_JOURNAL"] = copy.path("j.db");
        const Ran typed = run({"/bin/sh", "-c", what}, there);
        CAPTURE(what, typed.err);
        CHECK((typed.code == 0 || typed.code == 1));
        CHECK(typed.err.find("there is nothing to retry") == std::string::npos);
      }
    }
  }
  for (const char* advice : {"flowrun retry bad saved", "flowrun retry bad", "flowrun undo bad",
                             "flowrun retry bad sub", "flowrun retry good --failed"})
    CHECK(tried.count(advice) == 1);
}

TEST_CASE("why tells that a step ran again because its try was cut off", "[why]") {
  TempDir dir;
  const std::string journal = dir.path("j.db"), go = dir.path("go");
  const std::string file =
      dir.write("w.yaml", "flowrun: 1\nsteps: { s: { shell: '[ -e " + go + " ] || sleep 60' } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", journal});
  while (driver.err().find("start     s") == std::string::npos && driver.running()) usleep(5000);
  driver.signal(SIGKILL);
  driver.wait();
  dir.write("go", "");
  CHECK(flowrun(journal, {"resume", "r"}).code == 0);
  CHECK(flowrun(journal, {"why", "r", "s"}).out.find("its try before was cut off") != std::string::npos);
}

}  // namespace flowrun::test::why_test
