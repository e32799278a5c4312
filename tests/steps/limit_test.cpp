// How many attempts run at once, how many start in a span of time, and who is next.
#include <fmt/format.h>

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::limit_test {
namespace {

/// |steps| under a file that has |limits|.
std::string file(const std::string& limits, const std::string& steps) {
  return "flowrun: 1\nlimits: " + limits + "\nsteps:\n" + steps;
}

/// The instants of all starts.
std::vector<std::int64_t> starts_of(const Scenario& s) {
  std::vector<std::int64_t> at;
  for (const Entry& entry : s.entries())
    if (entry.kind == EntryKind::StartTask) at.push_back(to_millis(entry.at));
  return at;
}

/// The most starts in any span of |span|, its end left out.
std::ptrdiff_t most_in(const std::vector<std::int64_t>& at, Duration span) {
  std::ptrdiff_t most = 0;
  for (auto first = at.begin(); first != at.end(); ++first)
    most = std::max(most, std::lower_bound(first, at.end(), *first + span.count()) - first);
  return most;
}

Result busy(Duration retry_after) {
  Result result;
  result.code = 503;
  result.failure = Failure{"http.503", "busy"};
  result.retry_after = retry_after;
  return result;
}

}  // namespace

TEST_CASE("a limit of a step bounds its attempts over all items") {
  Scenario s(R"(
each:
  for_each: 5
  concurrency: 5
  do:
    - { id: get, shell: get, limit: 2 }
    - { id: put, shell: put, limit: 1 }
)");
  s.expect_started({"each[0]/get", "each[1]/get"});
  s.succeed("each[1]/get");
  s.expect_started({"each[2]/get", "each[1]/put"});
  s.succeed("each[0]/get");
  s.expect_started({"each[3]/get"});  // its own line goes on, that of `put` is full
  s.crash_and_resume();
  s.expect_started({"each[2]/get", "each[1]/put", "each[3]/get"});
  s.succeed("each[1]/put");
  s.expect_started({"each[0]/put"});
  for (const char* path :
       {"each[2]/get", "each[3]/get", "each[4]/get", "each[0]/put", "each[2]/put", "each[3]/put", "each[4]/put"})
    s.succeed(path);
  s.expect_success();
}

TEST_CASE("steps that share a pool are served in the order in which they came") {
  Scenario s(file("{ api: 1 }", R"(
  a: { for_each: 2, do: { shell: a, limit: api } }
  b: { shell: b, limit: api }
  c: { shell: c }
)"));
  s.expect_started({"b", "c"});  // a has to begin its items first
  s.succeed("b");
  s.expect_started({"a[0]"});
  s.succeed("a[0]");
  s.expect_started({"a[1]"});
  s.succeed("a[1]");
  s.succeed("c");
  s.expect_success();
}

TEST_CASE("a full pool holds up nobody else") {
  Scenario s(file("{ api: 1, db: { max: 1 } }", R"(
  a: { shell: a, limit: api }
  b: { shell: b, limit: api }
  c: { shell: c, limit: db }
  d: { shell: d }
)"));
  s.expect_started({"a", "c", "d"});
  CHECK(s.machine().pools().waiting() == 1);
  REQUIRE(s.machine().pools().lines().size() == 1);
  CHECK(s.machine().pools().lines()[0].limit->name == "api");
  CHECK(s.machine().pools().lines()[0].full);
  s.succeed("a");
  for (const char* path : {"b", "c", "d"}) s.succeed(path);
  s.expect_success();
}

TEST_CASE("a pause between tries holds no place, and the next try queues again") {
  Scenario s(file("{ api: 1 }", R"(
  a: { shell: a, limit: api, retry: { attempts: 2, delay: 10s, jitter: none } }
  b: { shell: b, limit: api }
)"));
  s.expect_started({"a"});
  s.fail("a");
  s.expect_started({"b"});
  s.advance(10s);
  s.expect_started({});
  s.succeed("b");
  s.expect_started({"a"});
  s.succeed("a");
  s.expect_success();
}

TEST_CASE("who lost a race holds its place until it has ended") {
  Scenario s(file("{ api: 2 }", R"(
  best: { race: { a: { shell: a, limit: api }, b: { shell: b, limit: api } } }
  next: { for_each: 2, needs: [best], do: { shell: next, limit: api } }
)"));
  s.succeed("best/a");
  s.expect_stopped({"best/b"});
  s.expect_started({"best/a", "best/b", "next[0]"});
  s.succeed("best/b");
  s.expect_started({"next[1]"});
  s.succeed("next[0]");
  s.succeed("next[1]");
  s.expect_success();
}

TEST_CASE("a rate spreads the starts, and lets no more into any span than it says") {
  Scenario s(
      file("{ api: { rate: 5/s } }", "  each: { for_each: 20, concurrency: 20, do: { shell: x, limit: api } }\n"));
  s.expect_started({"each[0]"});
  CHECK(s.timer("limits.api", TimerKind::Limit) == 200ms);
  s.advance(900ms);
  s.expect_started({"each[1]", "each[2]", "each[3]", "each[4]"});
  s.suspend();
  s.advance(3s);
  for (int i = 0; i < 5; ++i) s.succeed(fmt::format("each[{}]", i));
  s.expect_suspended();
  s.crash_and_resume({}, 5s);
  s.advance(1500ms);
  s.crash_and_resume({}, 10ms);  // what was in flight begins again, and that counts
  s.advance(10s);
  CHECK(most_in(starts_of(s), 1s) == 5);
  for (int i = 5; i < 20; ++i) s.succeed(fmt::format("each[{}]", i));
  s.expect_success();
}

TEST_CASE("rates beyond one a millisecond, with timers that come late") {
  // Not a scenario: that would replay each of thousands of prefixes.
  struct Starts : DecisionSink, Evaluator {
    std::vector<std::int64_t> at;
    Instant now = from_millis(1'800'000'000'000);
    void decide(Decision decision) override {
      if (std::holds_alternative<StartTask>(decision.what)) at.push_back(to_millis(now));
    }
    Answer evaluate(const Question&) override { return {}; }
  } starts;
  auto loaded = load_text("concurrency: 9000\n" +
                          file("{ api: { max: 9000, rate: 2500/s } }",
                               "  each: { for_each: 9000, concurrency: 9000, do: { shell: x, limit: api } }\n"));
  Machine machine(loaded->workflow, starts);
  RunStarted started;
  started.seed = std::string(32, '0');
  started.inputs = started.vars = Value(Json::object());
  machine.apply({starts.now, std::move(started)}, starts);
  for (int i = 0; i < 1500; ++i) {
    starts.now += i % 7 == 0 ? 3ms : 1ms;
    Event due{starts.now, TimerFired{"limits.api", TimerKind::Limit}};
    if (auto at = machine.timers().due("limits.api", TimerKind::Limit); at && *at <= starts.now)
      machine.apply(due, starts);
  }
  CHECK(most_in(starts.at, 1s) == 2500);
  CHECK(starts.at.size() > 4500);  // in 1.93 s, at most 4825 of the rate and some of the slack
}

TEST_CASE("a server that sends one away keeps the whole pool waiting") {
  Scenario s(file("{ api: 2 }", R"(
  a: { http: "http://x/a", limit: api, retry: { attempts: 2, delay: 1s } }
  b: { http: "http://x/b", limit: api }
  c: { http: "http://x/c", limit: api, retry: none }
  d: { http: "http://x/d" }
)"));
  s.expect_started({"a", "b", "d"});
  s.end("a", busy(7s));
  s.expect_started({});
  CHECK(s.timer("limits.api", TimerKind::Limit) == 7s);
  REQUIRE(s.machine().pools().lines().size() == 1);
  CHECK(s.machine().pools().lines()[0].held);
  s.advance(5s);
  s.end("b", busy(10s));  // it knows better now
  s.crash_and_resume({}, 2s);
  s.expect_started({"d"});  // it was in flight, and is in no pool
  s.advance(7s);
  s.expect_started({});
  s.advance(1s);
  s.expect_started({"c", "a"});
  s.succeed("c", R"({"status":200,"headers":{},"body":1})");
  s.expect_started({"b"});
  for (const char* path : {"a", "b", "d"}) s.succeed(path, R"({"status":200,"headers":{},"body":1})");
  s.expect_success();
}

TEST_CASE("a deadline counts the time in which a server holds the pool back, also before the first try") {
  Scenario s(file("{ api: 1 }", R"(
  a: { shell: a, limit: api, continue_on_error: true }
  b: { shell: b, limit: api, deadline: 5s, continue_on_error: true }
  later: { sleep: 2s }
  c: { shell: c, limit: api, deadline: 5s, needs: later, continue_on_error: true }
  d: { shell: d, limit: api }
  e: { shell: e, limit: api, deadline: "${ [] }", continue_on_error: true }
)"));
  s.expect_started({"a"});
  s.advance(1s);
  s.end("a", busy(10s));  // it is held from 1 s to 11 s
  s.expect_state("e", State::Failed);
  s.advance(3s);
  s.crash_and_resume({}, 0ms);
  s.advance(1s);
  s.expect_state("b", State::Running);
  s.advance(1s);
  s.expect_state("b", State::Failed);
  s.expect_state("c", State::Running);
  s.advance(1s);
  s.expect_state("c", State::Failed);
  s.advance(4s);
  s.expect_started({"d"});
  s.succeed("d");
  s.expect_success();
}

TEST_CASE("strict steps and interrupted ones count as they run") {
  Scenario s(file("{ one: 1 }", R"(
  a: { shell: a, limit: one, on_crash: ask }
  b: { shell: b, limit: one }
)"));
  s.reserved("a");
  s.expect_started({"a"});
  s.suspend();
  s.interrupt("a");
  s.expect_suspended();
  RunResumed how;
  how.on_crash = OnCrash::Rerun;
  s.crash_and_resume(how);
  s.reserved("a");
  s.expect_started({"a"});  // before b, which never had a place
  s.crash_and_resume(how);
  s.reserved("a");
  s.succeed("a");
  s.expect_started({"a", "b"});
  s.succeed("b");
  s.expect_success();
}

TEST_CASE("who waits for a limit and is given up leaves no timer behind") {
  Scenario s(file("{ api: { rate: 1/h } }", R"(
  both: { parallel: { a: { shell: a, limit: api }, b: { shell: b, limit: api } }, join: first_completed }
)"));
  s.expect_started({"both/a"});
  CHECK(s.timer("limits.api", TimerKind::Limit) == 1h);
  s.succeed("both/a");
  CHECK(s.machine().timers().pending().empty());
  s.expect_success();
}

TEST_CASE("a group that fails while its steps wait for a limit, and another try of it") {
  Scenario s(file("{ api: { max: 1, rate: 1/m } }", R"(
  a: { shell: a, limit: api }
  b: { shell: b, limit: api }
)"));
  s.fail("a");
  s.expect_failure("exit.1", "a");
  s.expect_state("b", State::Cancelled);
  s.retry();
  s.advance(5min);
  s.expect_started({"a", "a"});
  s.succeed("a");
  s.advance(1min);
  s.succeed("b");
  s.expect_success();
}

TEST_CASE("a limit is a written width: its processes do not share the CPUs") {
  Scenario s(file("{ api: 9, slow: { rate: 5/s } }", R"(
  a: { for_each: 1, do: { shell: a, limit: 7 } }
  b: { for_each: 1, do: { shell: b, limit: api } }
  c: { for_each: 1, do: { shell: c, limit: slow } }
)"));
  auto shares = [&](const char* path) { return std::get<Process>(*s.task(path).work).shares_cpus; };
  CHECK_FALSE(shares("a[0]"));
  CHECK_FALSE(shares("b[0]"));
  CHECK(shares("c[0]"));
  for (const char* path : {"a[0]", "b[0]", "c[0]"}) s.succeed(path);
  s.expect_success();
}

TEST_CASE("the limits of a sub-workflow are its own, and one for all its runs") {
  const Texts files = {{"pay.yaml", R"(
flowrun: 1
limits: { api: { rate: 1/s } }
steps: { call: { exec: [call], limit: api } }
)"}};
  Scenario s(R"(
flowrun: 1
limits: { api: 1 }
steps:
  one: { workflow: pay.yaml }
  two: { workflow: pay.yaml }
  mine: { for_each: 2, do: { exec: [mine], limit: api } }
)",
             "{}", files);
  s.expect_started({"one/call", "mine[0]"});
  CHECK(s.timer("limits.api of pay.yaml", TimerKind::Limit) == 1s);
  s.succeed("mine[0]");
  s.expect_started({"mine[1]"});
  s.advance(1s);
  s.expect_started({"two/call"});
  s.crash_and_resume();
  s.advance(2s);
  s.succeed("one/call");
  s.succeed("two/call");
  s.succeed("mine[1]");
  s.expect_success();
}

TEST_CASE("an attempt takes as many slots as it weighs, in line, and what is heavier than all runs alone") {
  Scenario s(file("{ cpu: 4 }", R"(
  a: { shell: a, limit: cpu, weight: 3 }
  b: { shell: b, limit: cpu, weight: 2 }
  c: { shell: c, limit: cpu }
  d: { shell: d, limit: cpu, weight: 9 }
  e: { shell: e, limit: cpu }
)"));
  s.expect_started({"a"});  // b does not fit, and nobody overtakes it
  s.succeed("a");
  s.expect_started({"b", "c"});
  s.succeed("c");
  s.expect_started({});
  s.crash_and_resume();
  s.expect_started({"b"});
  s.succeed("b");
  s.expect_started({"d"});
  s.succeed("d");
  s.expect_started({"e"});
  s.succeed("e");
  s.expect_success();
}

TEST_CASE("weight counts for the concurrency of the run, too") {
  Scenario s(R"(flowrun: 1
concurrency: 3
steps:
  a: { shell: a, weight: 2 }
  b: { shell: b, weight: 2 }
  c: { shell: c }
  d: { shell: d, weight: 5 }
)");
  s.expect_started({"a"});
  s.succeed("a");
  s.expect_started({"b", "c"});
  s.fail("b");
  s.expect_started({});
  s.succeed("c");
}

}  // namespace flowrun::test::limit_test
