// The promise itself: a run that is killed at any moment goes on, and what was complete does not happen again. The real
// binary, real SIGKILL, real effects, counted where they happen.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "engine/journal/journal.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::crash_test {
namespace {

using nlohmann::json;

/// How often each line stands in a file: one line is one effect.
std::map<std::string, int> lines_of(const std::string& file) {
  std::map<std::string, int> counts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) ++counts[line];
  return counts;
}

std::vector<Entry> entries_of(const std::string& journal_file) {
  Journal journal(journal_file, Journal::Mode::ReadOnly);
  RunRecord run = journal.find("@last");
  std::vector<Entry> entries;
  for (std::int64_t from = 1;;) {
    std::vector<Entry> slice = journal.read(run.number, from);
    if (slice.empty()) return entries;
    entries.insert(entries.end(), slice.begin(), slice.end());
    from = slice.back().seq + 1;
  }
}

/// Paths of attempts that had begun and not ended when the entries stop.
std::vector<std::string> in_flight(const std::vector<Entry>& entries) {
  std::vector<std::string> open;
  for (const Entry& entry : entries) {
    if (entry.kind == EntryKind::StartTask) open.push_back(entry.path);
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::LateEnd)
      open.erase(std::remove(open.begin(), open.end(), entry.path), open.end());
  }
  return open;
}

std::vector<std::string> completions(const std::vector<Entry>& entries) {
  std::vector<std::string> order;
  for (const Entry& entry : entries)
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled) order.push_back(entry.path);
  return order;
}

// Every kind of step, with effects that leave a line behind.
const char* kAllKinds = R"(flowrun: 1
name: all-kinds
input: { api: {}, log: {} }
vars: { unit: 3 }
env: { LOG: "${ $input.log }" }
steps:
  first: { shell: echo first >> "$LOG"; echo 1 }
  pay: { http: "POST ${ $input.api }/effect/pay", json: { n: "${ $steps.first }" } }
  nap: { sleep: 20ms }
  flaky:
    shell: |
      echo flaky-$FLOWRUN_ATTEMPT >> "$LOG"
      test "$FLOWRUN_ATTEMPT" -ge 2
    retry: { attempts: 3, delay: 10ms, jitter: none }
  hopeless: { exec: ["false"], fallback: { shell: echo fallback >> "$LOG" } }
  raced:
    race:
      quick: { shell: echo quick >> "$LOG" }
      slow: { sleep: 10s }
  many:
    needs: [first]
    for_each: 4
    do:
      - { id: a, shell: echo "many-$FLOWRUN_INDEX" >> "$LOG" }
      - { set: "${ $index * $vars.unit }" }
  way:
    switch:
      - { if: "${ ($steps.first | tonumber) > 5 }", do: { fail: never } }
      - else: { shell: echo way >> "$LOG" }
  seq: { sequence: [{ shell: echo seq-1 >> "$LOG" }, { delay: 5ms, shell: echo seq-2 >> "$LOG" }] }
  skipped: { if: false, shell: echo never >> "$LOG" }
  last:
    needs: [pay, nap, flaky, hopeless, raced, way, seq]
    shell: echo last >> "$LOG"; echo "$SUM"
    env: { SUM: "${ $steps.many | add }" }
output: { last: "${ $steps.last }", many: "${ $steps.many }" }
)";

const std::vector<std::string> kEffects{"first",  "flaky-1", "flaky-2", "fallback", "quick", "many-0", "many-1",
                                        "many-2", "many-3",  "way",     "seq-1",    "seq-2", "last"};

void kill_at_every(const char* point) {
  Shop shop;
  int killed = 0;
  for (int n = 1;; ++n) {
    INFO(point << " " << n);
    TempDir dir;
    std::string workflow = dir.write("all.yaml", kAllKinds), log = dir.path("log"), journal = dir.path("journal.db");
    HowToRun fault;
    fault.env["FLOWRUN_FAULT"] = std::string(point) + ":" + std::to_string(n);
    json before = shop.stats();
    Ran first = run({FLOWRUN_FAULTY_BINARY, "run", workflow, "-i", "api=" + shop.url(), "-i", "log=" + log, "--id", "r",
                     "--journal", journal},
                    fault);
    if (first.code == 0) break;  // there were fewer passes than n: all have been tried
    INFO(first.err);
    REQUIRE(first.code == 128 + SIGKILL);
    ++killed;
    std::vector<Entry> cut;
    if (std::filesystem::exists(journal) && flowrun(journal, {"show", "r"}).code == 0) cut = entries_of(journal);
    std::vector<std::string> again = in_flight(cut);
    Ran second = cut.empty()
                     ? flowrun(journal, {"run", workflow, "--id", "r", "-i", "api=" + shop.url(), "-i", "log=" + log})
                     : flowrun(journal, {"resume", "r"});
    INFO(second.err);
    REQUIRE(second.code == 0);
    CHECK(json::parse(second.out) == json::parse(R"({"last":"18","many":[0,3,6,9]})"));

    std::map<std::string, int> effects = lines_of(log);
    CHECK(effects.size() == kEffects.size());
    for (const std::string& effect : kEffects) {
      INFO(effect);
      CHECK(effects[effect] >= 1);
      CHECK(effects[effect] <= 2);
    }
    int doubled = 0;
    for (const auto& [effect, count] : effects) doubled += count - 1;
    // What happened twice had been in flight, and nothing else.
    CHECK(doubled <= static_cast<int>(again.size()));
    // The payment carries the same key in both drives, so the shop has charged once.
    CHECK(shop.stats()["effects"].value("effect/pay", 0) - before["effects"].value("effect/pay", 0) == 1);
    if (!cut.empty()) {
      std::vector<std::string> order = completions(entries_of(journal)), early = completions(cut);
      CHECK(std::equal(early.begin(), early.end(), order.begin()));
    }
    Ran verified = flowrun(journal, {"journal", "verify", "--all"});
    INFO(verified.out << verified.err);
    CHECK((verified.code == 0 || cut.empty()));
  }
  CHECK(killed >= 6);  // how many commits there are depends on what ends together
}

}  // namespace

TEST_CASE("killed right before any commit, a run goes on and repeats only what was in flight", "[slow]") {
  kill_at_every("before_commit");
}

TEST_CASE("killed right after any commit, a run goes on and repeats only what was in flight", "[slow]") {
  kill_at_every("after_commit");
}

TEST_CASE("killed at random moments, a fan-out of 500 over HTTP and shell loses and doubles nothing", "[slow]") {
  Shop shop;
  TempDir workflows;
  std::string workflow = workflows.write("fan.yaml", R"(flowrun: 1
name: fan
input: { api: {}, log: {} }
steps:
  calls:
    for_each: 250
    concurrency: 32
    do: { http: "POST ${ $input.api }/effect/${ $run.id }-${ $index }" }
  shells:
    for_each: 250
    concurrency: 8
    do: { shell: 'echo "$FLOWRUN_INDEX" >> "$LOG"', env: { LOG: "${ $input.log }" } }
output: { calls: "${ $steps.calls | length }", shells: "${ $steps.shells | length }" }
)");
  unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  int kills = 0;
  for (int round = 0; kills < 100; ++round) {
    TempDir dir;
    std::string journal = dir.path("journal.db"), log = dir.path("log"), id = "fan" + std::to_string(round);
    std::vector<std::string> args{
        FLOWRUN_BINARY, "run",        workflow,    "--id",  id,           "-i",  "api=" + shop.url(),
        "-i",           "log=" + log, "--journal", journal, "--progress", "none"};
    std::map<std::string, int> may_repeat;
    bool over = false;
    // Several kills a run: also a resumed run is killed.
    for (int drive = 0; drive < 5 && !over; ++drive) {
      Background flow(args);
      std::this_thread::sleep_for(std::chrono::milliseconds(5 + static_cast<int>(random() % 400)));
      bool running = flow.running();
      flow.signal(SIGKILL);
      Ran ran = flow.wait();
      INFO(ran.err);
      over = !running;
      if (over) CHECK(ran.code == 0);
      if (running) ++kills;
      if (std::filesystem::exists(journal)) {
        Ran shown = flowrun(journal, {"show", id, "--json"});
        if (shown.code == 0)
          for (const std::string& path : in_flight(entries_of(journal))) ++may_repeat[path];
      }
    }
    Ran last = run(args);
    INFO("seed " << seed << " " << last.err);
    REQUIRE(last.code == 0);
    CHECK(json::parse(last.out) == json::parse(R"({"calls":250,"shells":250})"));
    std::map<std::string, int> effects = lines_of(log);
    CHECK(effects.size() == 250);
    for (const auto& [index, count] : effects) {
      INFO("shell " << index << ", seed " << seed);
      CHECK(count <= 1 + may_repeat["shells[" + index + "]"]);
    }
    json stats = shop.stats();
    for (int i = 0; i < 250; ++i) CHECK(stats["effects"].value("effect/" + id + "-" + std::to_string(i), 0) == 1);
    CHECK(flowrun(journal, {"journal", "verify"}).code == 0);
  }
}

TEST_CASE(
    "children and grandchildren that were in flight are gone before the repeat, a finished step's server lives on") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow = dir.write("tree.yaml", R"(flowrun: 1
input: { dir: {} }
steps:
  - id: server
    shell: 'sleep 300 & echo $! > "$DIR/server"'
    env: { DIR: "${ $input.dir }" }
  - id: work
    shell: |
      if test "$FLOWRUN_RERUN" = 1; then
        for pid in $(cat "$DIR/pids"); do test -e "/proc/$pid/exe" && echo "$pid" >> "$DIR/alive"; done
        exit 0
      fi
      (setsid sleep 300 & echo $! >> "$DIR/pids"; sleep 300 & echo $! >> "$DIR/pids"; wait) &
      echo $$ >> "$DIR/pids"
      echo ready > "$DIR/ready"
      wait
    env: { DIR: "${ $input.dir }" }
)");
  Background first({FLOWRUN_BINARY, "run", workflow, "-i", "dir=" + dir.path(), "--id", "tree", "--journal", journal});
  auto begun = [&] {
    std::string pids = dir.read("pids");
    return !dir.read("ready").empty() && std::count(pids.begin(), pids.end(), '\n') >= 3;
  };
  for (int i = 0; i < 2000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE_FALSE(dir.read("ready").empty());
  // Another run with the same id in another journal is none of its business.
  std::string other = dir.path("other.db");
  std::string sleeper =
      dir.write("sleeper.yaml", "flowrun: 1\nsteps: { a: { shell: 'sleep 1; echo done' } }\noutput: ${ $steps.a }\n");
  Background neighbour({FLOWRUN_BINARY, "run", sleeper, "--id", "tree", "--journal", other});
  first.signal(SIGKILL);
  first.wait();
  Ran second = flowrun(journal, {"resume", "tree"});
  INFO(second.err);
  CHECK(second.code == 0);
  CHECK(dir.read("alive").empty());
  int server = std::stoi(dir.read("server"));
  CHECK(kill(server, 0) == 0);
  kill(server, SIGKILL);
  Ran undisturbed = neighbour.wait();
  CHECK(undisturbed.code == 0);
  CHECK(undisturbed.out == "done\n");
}

TEST_CASE("of two resumes of one run one drives, the other is told who does") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow =
      dir.write("slow.yaml", "flowrun: 1\nsteps: { a: { shell: 'sleep 2; echo hi' } }\noutput: ${ $steps.a }\n");
  Background first({FLOWRUN_BINARY, "run", workflow, "--id", "slow", "--journal", journal});
  for (int i = 0; i < 1000 && first.err().find("start") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.signal(SIGKILL);
  first.wait();
  Background one({FLOWRUN_BINARY, "resume", "slow", "--journal", journal});
  for (int i = 0; i < 1000 && one.err().find("resumed") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Ran two = flowrun(journal, {"resume", "slow"});
  CHECK(two.code == 6);
  CHECK(two.err.find(std::to_string(one.pid())) != std::string::npos);
  CHECK(one.wait().code == 0);
}

TEST_CASE("four processes write to one journal at once, each making progress") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow =
      dir.write("many.yaml", "flowrun: 1\nsteps: { a: { for_each: 200, do: { exec: [\"true\"] } } }\n");
  std::vector<std::unique_ptr<Background>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::make_unique<Background>(
        std::vector<std::string>{FLOWRUN_BINARY, "run", workflow, "--journal", journal, "--progress", "none"}));
  for (auto& one : all) {
    Ran ran = one->wait();
    INFO(ran.err);
    CHECK(ran.code == 0);
  }
  CHECK(flowrun(journal, {"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("an interrupt suspends, the grace lets steps finish, and resume goes on") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow = dir.write("two.yaml", R"(flowrun: 1
steps:
  - { id: a, shell: "sleep 0.5; echo a" }
  - { id: b, shell: "echo b" }
output: ${ $steps.b }
)");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "two", "--journal", journal});
  for (int i = 0; i < 1000 && flow.err().find("start") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  flow.signal(SIGINT);
  Ran stopped = flow.wait();
  CHECK(stopped.code == 130);
  CHECK(stopped.err.find("flowrun resume two") != std::string::npos);
  Ran resumed = flowrun(journal, {"resume", "two"});
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "b\n");
  std::vector<Entry> entries = entries_of(journal);
  CHECK(std::count_if(entries.begin(), entries.end(),
                      [](const Entry& entry) { return entry.kind == EntryKind::StartTask && entry.path == "a"; }) == 1);
  // The second drive replayed `a` and executed `b`.
  std::string shown = flowrun(journal, {"journal", "show", "two"}).out;
  std::size_t border = shown.find("replayed up to here");
  REQUIRE(border != std::string::npos);
  CHECK(shown.find("ok         a ") < border);
  CHECK(shown.find("start      b ") > border);
  std::string records = flowrun(journal, {"journal", "show", "two", "--json"}).out;
  std::string first = records.substr(0, records.find('\n')),
              last = records.substr(records.rfind('\n', records.size() - 2));
  CHECK(nlohmann::json::parse(first).at("replayed") == true);
  CHECK(nlohmann::json::parse(last).at("replayed") == false);
}

TEST_CASE("an interrupt lets nothing begin that waits in the line of -j") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), log = dir.path("log");
  const std::string workflow = dir.write("line.yaml", R"(flowrun: 1
steps:
  e:
    for_each: [a, b, c, d]
    do: { shell: 'echo "$ITEM$FLOWRUN_RERUN" >> "$LOG"; sleep 0.5', env: { ITEM: "${ $item }", LOG: ")" +
                                                          log + "\" } }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "line", "--journal", journal, "-j", "1"});
  for (int i = 0; i < 1000 && lines_of(log).empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  flow.signal(SIGINT);
  Ran stopped = flow.wait();
  CHECK(stopped.code == 130);
  CHECK(stopped.err.find("1 running step may finish") != std::string::npos);
  CHECK(lines_of(log) == std::map<std::string, int>{{"a0", 1}});
  CHECK(flowrun(journal, {"resume", "line"}).code == 0);
  // None of them had begun, so none is a rerun.
  CHECK(lines_of(log) == std::map<std::string, int>{{"a0", 1}, {"b0", 1}, {"c0", 1}, {"d0", 1}});
}

TEST_CASE("a step that must not run twice asks, and is told by --mark or --on-crash") {
  TempDir dir;
  std::string journal = dir.path("journal.db"), log = dir.path("log");
  std::string workflow = dir.write("deploy.yaml", "flowrun: 1\nsteps: { deploy: { shell: 'echo x >> \"" + log +
                                                      "\"; sleep 5', on_crash: ask } }\noutput: ${ $steps.deploy }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "d", "--journal", journal});
  for (int i = 0; i < 1000 && lines_of(log).empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  flow.signal(SIGKILL);
  flow.wait();
  Ran asked = flowrun(journal, {"resume", "d"});
  CHECK(asked.code == 5);
  CHECK(asked.err.find("--mark deploy=done") != std::string::npos);
  Ran mistaken = flowrun(journal, {"resume", "d", "--mark", "depoy=done", "--on-crash", "rerun"});
  CHECK(mistaken.code == 8);
  CHECK(mistaken.err.find("did you mean `deploy`?") != std::string::npos);
  CHECK(lines_of(log)["x"] == 1);
  Ran marked = flowrun(journal, {"resume", "d", "--mark", "deploy=done:\"by hand\""});
  INFO(marked.err);
  CHECK(marked.code == 0);
  CHECK(marked.out == "by hand\n");
  CHECK(lines_of(log)["x"] == 1);
}

TEST_CASE("a mark names an item as people write it") {
  TempDir dir;
  std::string journal = dir.path("journal.db"), log = dir.path("log");
  std::string workflow =
      dir.write("w.yaml", "flowrun: 1\nsteps: { fe: { for_each: [1, 2], concurrency: 2, do: { shell: 'echo x >> \"" +
                              log + "\"; sleep 5', on_crash: ask } } }\noutput: ${ $steps.fe }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "d", "--journal", journal});
  for (int i = 0; i < 1000 && lines_of(log)["x"] < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  flow.signal(SIGKILL);
  flow.wait();
  Ran marked = flowrun(journal, {"resume", "d", "--mark", "fe/1=done:1", "--mark", "fe[2]=done:2"});
  INFO(marked.err);
  CHECK(marked.code == 0);
  CHECK(nlohmann::json::parse(marked.out) == nlohmann::json{1, 2});
  CHECK(lines_of(log)["x"] == 2);
}

}  // namespace flowrun::test::crash_test
