// Pools of `limits` that runs share: real processes on one journal, and a server that counts what it has at once.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::shared_limit_test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Counts requests by who asks: `/work/WHO`, each of which takes a while.
class Counting {
 public:
  explicit Counting(std::chrono::milliseconds each) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(64); };
    server_.Get(R"(/work/(\w+))", [this, each](const httplib::Request& request, httplib::Response& response) {
      const std::string who = request.matches[1];
      {
        std::lock_guard lock(mutex_);
        ++now_[who];
        came_.emplace_back(who, Clock::now());
        std::size_t all = 0;
        for (const auto& [one, count] : now_) all += one == dead_ ? 0 : count;
        most_ = std::max(most_, all);
      }
      std::this_thread::sleep_for(each);
      std::lock_guard lock(mutex_);
      --now_[who];
      response.set_content("done", "text/plain");
    });
    server_.start();
  }
  std::string url(const std::string& path) const { return server_.url(path); }
  /// What |who| has here from now on is that of a process that is gone.
  void dies(const std::string& who) {
    std::lock_guard lock(mutex_);
    dead_ = who;
  }
  std::size_t most() const {
    std::lock_guard lock(mutex_);
    return most_;
  }
  std::vector<std::pair<std::string, Clock::time_point>> came() const {
    std::lock_guard lock(mutex_);
    return came_;
  }
  std::size_t came(const std::string& who) const {
    const auto all = came();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](auto& one) { return one.first == who; }));
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> now_;
  std::vector<std::pair<std::string, Clock::time_point>> came_;
  std::string dead_;
  std::size_t most_ = 0;
  HttpServer server_;
};

/// Several runs of one file, which begin when all of them are there.
class Runs {
 public:
  Runs(const std::string& limit, const std::string& step, int items) {
    file_ = dir_.write("w.yaml", "flowrun: 1\ninput: { n: { type: string } }\nlimits: { crm: " + limit + R"( }
steps:
  - shell: touch "here-$N"; until [ -e go ]; do sleep 0.01; done
    env: { N: "${ $input.n }" }
  - id: all
    for_each: )" + std::to_string(items) +
                                     R"(
    concurrency: 100
    do: { )" + step + R"(, limit: crm }
output: ${ $steps.all | length }
)");
  }
  std::unique_ptr<Background> start(const std::string& n, std::vector<std::string> more = {}) {
    std::vector<std::string> argv{FLOWRUN_BINARY, "run", file_, "-i", "n=" + n, "--id", n, "--journal", journal()};
    argv.insert(argv.end(), more.begin(), more.end());
    auto one = std::make_unique<Background>(argv);
    REQUIRE(soon([&] { return std::filesystem::exists(dir_.path("here-" + n)); }));
    return one;
  }
  void go() { dir_.write("go", ""); }
  std::string journal() const { return dir_.path("journal.db"); }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
  std::string file_;
};

}  // namespace

TEST_CASE("four processes have no more in flight together than their shared pool, and all have their part") {
  Counting server(20ms);
  Runs runs("{ max: 3, shared: true }", "http: \"" + server.url("/work/${ $input.n }") + "\"", 25);
  std::vector<std::unique_ptr<Background>> all;
  for (const char* n : {"a", "b", "c", "d"}) all.push_back(runs.start(n));
  runs.go();
  for (auto& one : all) CHECK(one->wait().code == 0);
  CHECK(server.most() == 3);
  CHECK(server.came().size() == 100);
  // When the first is done, nobody is far behind.
  std::map<std::string, int> had;
  for (const auto& [who, at] : server.came())
    if (++had[who] == 25) break;
  CHECK(had.size() == 4);
  for (const auto& [who, count] : had) CHECK(count >= 8);
  CHECK(run({FLOWRUN_BINARY, "journal", "verify", "--all", "--journal", runs.journal()}).code == 0);
}

TEST_CASE("the places of a process that is killed come back, and its resume takes its part again") {
  Counting server(150ms);
  Runs runs("{ max: 3, shared: true }", "http: \"" + server.url("/work/${ $input.n }") + "\"", 10);
  auto a = runs.start("a"), b = runs.start("b"), c = runs.start("c");
  runs.go();
  REQUIRE(soon([&] { return server.came("b") >= 2; }));
  server.dies("b");
  b->signal(SIGKILL);
  CHECK(b->wait().code == 128 + SIGKILL);
  CHECK(a->wait().code == 0);
  CHECK(c->wait().code == 0);
  CHECK(server.most() <= 3);
  CHECK(server.came("a") == 10);
  const Ran resumed = run({FLOWRUN_BINARY, "resume", "b", "--journal", runs.journal()});
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "10\n");
  // What still waited in line had not begun: it is no attempt that a crash cut off.
  CHECK(server.came("b") <= 10 + 3);
  CHECK(run({FLOWRUN_BINARY, "journal", "verify", "--all", "--journal", runs.journal()}).code == 0);
}

TEST_CASE("a process that waits for a shared place is one that has not begun, also for on_crash: ask") {
  Runs runs("{ max: 1, shared: true }",
            R"(shell: "echo $FLOWRUN_RUN_ID >> began; until [ -e end ]; do sleep 0.02; done",
      on_crash: ask)",
            1);
  auto a = runs.start("a"), b = runs.start("b");
  runs.go();
  REQUIRE(soon([&] { return !runs.dir().read("began").empty(); }));
  const bool a_first = has(runs.dir().read("began"), "a");
  Background& second = a_first ? *b : *a;
  const std::string name = a_first ? "b" : "a";
  REQUIRE(soon([&] {
    return has(run({FLOWRUN_BINARY, "journal", "show", name, "--journal", runs.journal()}).out, "start      all[0]");
  }));
  second.signal(SIGKILL);
  second.wait();
  runs.dir().write("end", "");
  CHECK((a_first ? *a : *b).wait().code == 0);
  CHECK(run({FLOWRUN_BINARY, "resume", name, "--no-input", "--journal", runs.journal()}).code == 0);
}

TEST_CASE("who waits for a shared place is shown as in line, and not as running") {
  Runs runs("{ max: 1, shared: true }",
            R"(shell: "echo $FLOWRUN_RUN_ID >> began; until [ -e end ]; do sleep 0.02; done")", 1);
  auto a = runs.start("a"), b = runs.start("b");
  runs.go();
  const auto flowrun = [&](std::vector<std::string> argv) {
    argv.insert(argv.begin(), FLOWRUN_BINARY);
    argv.insert(argv.end(), {"--journal", runs.journal()});
    return run(argv).out;
  };
  REQUIRE(soon([&] { return !runs.dir().read("began").empty(); }));
  const bool a_first = has(runs.dir().read("began"), "a");
  const std::string first = a_first ? "a" : "b", other = a_first ? "b" : "a";
  REQUIRE(soon([&] { return has(flowrun({"show", other}), "  in line "); }));
  CHECK(has(flowrun({"show", other}), "waits for a place of limit crm (max 1, shared)"));
  CHECK(has(flowrun({"show", other}), "1 in line"));
  CHECK(has(flowrun({"why", other, "all[0]"}), "all[0]  in line"));
  CHECK(has(flowrun({"why", other, "all[0]"}), "it stands in line for a place of limit crm (max 1, shared)"));
  CHECK(has(flowrun({"why", other, "all[0]", "--json"}), "\"in_line\":true"));
  CHECK(has(flowrun({"show", first}), "  running "));
  CHECK(has(flowrun({"why", first, "all[0]"}), "it runs since"));
  SECTION("also when it was killed") {
    Background& waits = a_first ? *b : *a;
    waits.signal(SIGKILL);
    waits.wait();
    CHECK(has(flowrun({"why", other, "all[0]"}), "it had not begun, and stood in line for a place of limit crm"));
    runs.dir().write("end", "");
    CHECK((a_first ? *a : *b).wait().code == 0);
    return;
  }
  SECTION("no more when it has its turn") {
    runs.dir().write("end", "");
    for (auto* one : {a.get(), b.get()}) CHECK(one->wait().code == 0);
    CHECK(has(flowrun({"why", other, "all[0]"}), "it waited "));
    CHECK_FALSE(has(flowrun({"show", other}), "  in line "));
  }
}

TEST_CASE("four processes start no more together than the rate of their shared pool") {
  Counting server(0ms);
  Runs runs("{ rate: 20/s, shared: true }", "http: \"" + server.url("/work/${ $input.n }") + "\"", 15);
  std::vector<std::unique_ptr<Background>> all;
  for (const char* n : {"a", "b", "c", "d"}) all.push_back(runs.start(n));
  runs.go();
  SECTION("to their end") {}
  SECTION("one is killed in the middle") {
    REQUIRE(soon([&] { return server.came("a") >= 3; }));
    all[0]->signal(SIGKILL);
    all[0]->wait();
    all.erase(all.begin());
  }
  for (auto& one : all) CHECK(one->wait().code == 0);
  for (const char* n : {"b", "c", "d"}) CHECK(server.came(n) == 15);
  // By the moments in which they came, which noise makes later: no half second has what a whole one may have, and more
  // than all of them had if each had a rate of its own took longer.
  const auto came = server.came();
  for (std::size_t i = 20; i < came.size(); ++i) CHECK(came[i].second - came[i - 20].second > 500ms);
  CHECK(came.back().second - came.front().second > 1s * static_cast<int>(came.size() - 10) / 20);
  std::map<std::string, int> had;
  for (const auto& [who, at] : came)
    if (++had[who] == 15) break;
  for (const char* n : {"b", "c", "d"}) CHECK(had[n] >= 8);
}

TEST_CASE("processes take a place of -j and one that is shared, by weight, and Ctrl-C takes out who waits") {
  Runs runs("{ max: 2, shared: true }",
            R"sh(weight: 2, shell: 'echo b >> log; sleep 0.05; [ "$(grep -c b log)" = $(($(grep -c e log) + 1)) ]; )sh"
            R"sh([ ! -e stay ] || sleep 60; echo e >> log')sh",
            6);
  auto a = runs.start("a", {"-j", "2"}), b = runs.start("b", {"-j", "4"});
  SECTION("to their end") {
    runs.go();
    for (auto* one : {a.get(), b.get()}) CHECK(one->wait().code == 0);  // each saw that it was alone
  }
  SECTION("stopped") {
    runs.dir().write("stay", "");
    runs.go();
    REQUIRE(soon([&] { return !runs.dir().read("log").empty(); }));
    // Who waits has heard the first before the place is free.
    for (int i = 0; i < 2; ++i) {
      for (auto* one : {a.get(), b.get()}) one->signal(SIGTERM);
      std::this_thread::sleep_for(300ms);
    }
    for (auto* one : {a.get(), b.get()}) CHECK(one->wait().code == 128 + SIGTERM);
    CHECK(runs.dir().read("log") == "b\n");
  }
}

TEST_CASE("files that differ about a shared pool keep to their own words, and a pool that is not shared to itself") {
  Counting server(50ms);
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const auto file = [&](const char* name, const char* limit) {
    return dir.write(std::string(name) + ".yaml", std::string("flowrun: 1\nlimits: { crm: ") + limit +
                                                      " }\nsteps: { all: { for_each: 8, do: { limit: crm, http: \"" +
                                                      server.url("/work/") + name + "\" } } }\n");
  };
  const std::string wide = file("wide", "{ max: 4, shared: true }"),
                    narrow = file("narrow", "{ max: 1, shared: true }");
  Background one({FLOWRUN_BINARY, "run", wide, "--journal", journal}),
      other({FLOWRUN_BINARY, "run", narrow, "--journal", journal});
  CHECK(one.wait().code == 0);
  CHECK(other.wait().code == 0);
  CHECK(server.most() <= 4);
  CHECK(server.came().size() == 16);
}

TEST_CASE("below a step that has the places, who needs one fails at once, through all generations") {
  TempDir dir;
  const auto file = [&](const std::string& name, int max, const std::string& step) {
    return dir.write(name, "flowrun: 1\nlimits: { crm: { max: " + std::to_string(max) +
                               ", shared: true } }\nsteps: { s: { " + step + " } }\n");
  };
  const auto runs = [](const std::string& what) {
    return "exec: [\"" + std::string(FLOWRUN_BINARY) + "\", run, " + what + "]";
  };
  HowToRun how;
  how.env = {{"FLOWRUN_JOURNAL", dir.path("journal.db")}};
  const std::string one = file("one.yaml", 1, "limit: crm, exec: ['true']"),
                    two = file("two.yaml", 2, "limit: crm, exec: ['true']"),
                    both = file("both.yaml", 2, "limit: crm, weight: 2, exec: ['true']"),
                    http = file("http.yaml", 1, "limit: crm, http: \"http://127.0.0.1:9/\""),
                    middle = file("middle.yaml", 1, runs(one)), other = file("other.yaml", 1, runs(one));
  SECTION("its own, and that of one two above") {
    for (const std::string& inner : {one, middle, http, both}) {
      const std::string outer = file("outer.yaml", 1, "limit: crm, " + runs(inner));
      const Ran ran = run({FLOWRUN_BINARY, "run", outer, "--id", "o-" + inner.substr(inner.rfind('/') + 1)}, how);
      CHECK(ran.code == 1);
      CHECK(has(ran.err, "limit: it would wait for ever: step `s` of run o-"));
      CHECK(has(ran.err, ", below which it runs, has places of limit `crm`"));
    }
  }
  SECTION("one is left beside it") {
    CHECK(run({FLOWRUN_BINARY, "run", file("outer.yaml", 2, "limit: crm, " + runs(two))}, how).code == 0);
  }
  SECTION("no step above has any") { CHECK(run({FLOWRUN_BINARY, "run", other}, how).code == 0); }
  SECTION("the step has left it running, and a stranger has the place by then") {
    const std::string inner = std::string(FLOWRUN_BINARY) + " run --id inner " + one;
    const std::string leaves = file("leaves.yaml", 1,
                                    "limit: crm, leave: true, shell: \"(until [ -e go ]; do sleep 0.01; done; " +
                                        inner + " >out 2>&1; echo $? >code) >/dev/null 2>&1 &\"");
    REQUIRE(run({FLOWRUN_BINARY, "run", leaves}, how).code == 0);
    const std::string holds =
        file("holds.yaml", 1, "limit: crm, shell: 'touch begun; until [ -e end ]; do sleep 0.01; done'");
    Background stranger({FLOWRUN_BINARY, "run", holds, "--journal", how.env["FLOWRUN_JOURNAL"]});
    REQUIRE(soon([&] { return std::filesystem::exists(dir.path("begun")); }));
    dir.write("go", "");
    CHECK(soon([&] { return has(run({FLOWRUN_BINARY, "show", "inner"}, how).out, "waits for a place of limit crm"); }));
    dir.write("end", "");
    CHECK(stranger.wait().code == 0);
    CHECK(soon([&] { return dir.read("code") == "0\n"; }));
  }
  SECTION("another journal is another pool") {
    how.env["OTHER"] = dir.path("other.db");
    const std::string step =
        "limit: crm, shell: \"" + std::string(FLOWRUN_BINARY) + " run --journal $OTHER " + one + "\"";
    CHECK(run({FLOWRUN_BINARY, "run", file("outer.yaml", 1, step)}, how).code == 0);
  }
}

}  // namespace flowrun::test::shared_limit_test
