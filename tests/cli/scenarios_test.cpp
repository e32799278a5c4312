// flowrun test: files of scenarios are played by the real binary, in virtual time, and nothing is sent or started.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::scenarios_test {
namespace {

using nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A folder with one workflow and its scenarios.
class Desk {
 public:
  explicit Desk(const std::string& workflow) { dir_.write("w.yaml", "flowrun: 1\n" + workflow); }

  Ran test(const std::string& scenarios, std::vector<std::string> options = {}) const {
    const std::string file = dir_.write("w.test.yaml", "flowrun_test: 1\n" + scenarios);
    options.insert(options.begin(), {"test", file});
    return flowrun(dir_.path("journal.db"), options);
  }
  void holds(const std::string& scenarios) const {
    const Ran ran = test(scenarios);
    INFO(scenarios << ran.out << ran.err);
    CHECK(ran.code == 0);
  }
  /// The scenarios are told by |code|, with |part| in what is said.
  void told(const std::string& scenarios, int code, const std::string& part) const {
    const Ran ran = test(scenarios);
    INFO(scenarios << ran.out << ran.err);
    CHECK(ran.code == code);
    CHECK(has(ran.out, part));
  }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

constexpr const char* kPay = R"(input: { amount: 3 }
steps:
  pay:
    http: POST http://nowhere.example/payments
    json: { amount: "${ $input.amount }" }
    retry: { attempts: 4, delay: 1h, jitter: none }
  note: { shell: "echo $ID >> done", env: { ID: "${ $steps.pay.id }" } }
output: ${ $steps.pay.id }
)";

}  // namespace

TEST_CASE("a day of retries is played in no time, and nothing is sent", "[scenario]") {
  const Desk desk(kPay);
  desk.holds(R"(scenarios:
  it pays at the fourth try:
    answers:
      pay: [{ status: 503 }, { error: connect }, { error: timeout, delay: 20h }, { body: { id: P-1 } }]
      note: { exit: 0 }
    expect:
      output: P-1
      ran: { pay: 4, note: 1 }
      time: 23h
      order: [pay before note]
      requests:
        pay: { method: POST, body: { amount: 3 }, headers: { idempotency-key: "${ length == 36 }" } }
        note: { argv: [bash, -euo, pipefail, -c, "echo $ID >> done"], env: { ID: P-1 } }
)");
  CHECK_FALSE(std::filesystem::exists(desk.dir().path("done")));
  CHECK_FALSE(std::filesystem::exists(desk.dir().path("journal.db")));
}

TEST_CASE("what nothing answers is neither sent nor started", "[scenario]") {
  const Desk desk(kPay);
  const Ran ran = desk.test(R"(scenarios:
  the note was not thought of:
    answers: { pay: { body: { id: P-1 } } }
    expect: { state: succeeded }
)");
  INFO(ran.out);
  CHECK(ran.code == 1);
  CHECK(has(ran.out, "w.test.yaml:3:3: error[unanswered]: step note ("));
  CHECK(has(ran.out, "w.yaml:8) would start echo $ID >> done, and nothing answers it"));
  CHECK(has(ran.out, "add to `answers`: note: { exit: 0 }, or note: pass"));
  CHECK_FALSE(std::filesystem::exists(desk.dir().path("done")));
}

TEST_CASE("what passes is carried out for real", "[scenario]") {
  const Desk desk(kPay);
  desk.holds(R"(scenarios:
  the note is written:
    answers: { pay: { body: { id: P-7 } }, note: pass }
    expect: { output: P-7, time: 0s }
)");
  CHECK(desk.dir().read("done") == "P-7\n");
}

TEST_CASE("what does not hold is told at its place, with what was expected", "[scenario]") {
  const Desk desk(kPay);
  const std::string answers = "    answers: { pay: { body: { id: P-1 } }, note: { exit: 0 } }\n";
  const auto told = [&](const std::string& expected, const std::string& part) {
    desk.told("scenarios:\n  it pays:\n" + answers + "    expect: " + expected + "\n", 1, part);
  };
  told("{ output: P-2 }", "w.test.yaml:5:23: error[output]: output is \"P-1\"");
  told("{ output: \"${ . == 3 }\" }", "expected that this holds of it");
  told("{ state: failed }", "error[state]: the run has succeeded");
  told("{ error: http.503 }", "expected that it has failed");
  told("{ ran: { pay: 2 } }", "ran once");
  told("{ not_ran: note }", "expected that it does not run");
  told("{ order: [note before pay] }", "expected that note has ended before pay begins");
  told("{ requests: { pay: { body: { amount: 4 } } } }", "error[requests]: pay: .body.amount is 3");
  told("{ requests: { pay: { headers: { x-who: me } } } }", "pay: .headers[\"x-who\"] is not there");
  told("{ requests: { pay: [{ method: POST }, { method: POST }] } }", "expected 2");
  told("{ undone: [pay] }", "error[undone]: nothing was undone");
  told("{ time: 5s }", "the run took 0s");
}

TEST_CASE("a run that is cut off anywhere is resumed to the same end", "[scenario]") {
  const Desk desk(kPay);
  const std::string scenario = R"(scenarios:
  it pays once:
    answers: { pay: [{ status: 503 }, { body: { id: P-1 } }], note: { exit: 0 } }
    expect: { output: P-1, ran: { pay: 2, note: 1 } }
)";
  const Ran whole = desk.test(scenario, {"--json"});
  INFO(whole.out << whole.err);
  REQUIRE(whole.code == 0);
  const int entries = json::parse(whole.out)["files"][0]["scenarios"][0]["entries"];
  CHECK(entries > 5);
  for (int after = 1; after <= entries; ++after)
    desk.holds(scenario + "    crash: { after: " + std::to_string(after) + ", down: 30m }\n");
  desk.told(scenario + "    crash: after " + std::to_string(entries + 1) + "\n", 1, "before it could be cut off");
}

TEST_CASE("a crash while a step is in flight begins it again with the same key", "[scenario]") {
  const Desk desk("steps:\n  pay: { http: POST http://nowhere.example/, on_crash: ask }\n");
  const auto scenario = [](const std::string& crash, const std::string& expect) {
    return "scenarios:\n  it pays:\n    answers: { pay: { body: 1, delay: 1s } }\n    crash: " + crash +
           "\n    expect: " + expect + "\n";
  };
  desk.told(scenario("after 4", "{ state: succeeded }"), 1, "step pay was cut off by the crash, and asks what became");
  desk.holds(scenario("{ after: 4, on_crash: rerun }", "{ state: succeeded, ran: { pay: 1 } }"));
  desk.holds(scenario("{ after: 4, on_crash: fail }", "{ error: { type: crash, step: pay } }"));
}

TEST_CASE("signals come when they are to, and a run that waits for none fails instead of hanging", "[scenario]") {
  const Desk desk(R"(steps:
  - { id: first, exec: ["true"] }
  - { id: approval, wait: approval, timeout: 24h }
output: ${ $steps.approval }
)");
  const auto scenario = [](const std::string& signals, const std::string& expect) {
    return "scenarios:\n  somebody says something:\n    answers: { first: { exit: 0, delay: 1m } }\n    signals: " +
           signals + "\n    expect: " + expect + "\n";
  };
  desk.holds(scenario("[{ name: approval, data: yes }]", "{ output: \"yes\", time: 1m }"));
  desk.holds(scenario("[{ name: approval, data: yes, at: 3h }]", "{ output: \"yes\", time: 3h }"));
  desk.holds(scenario("[{ name: approval, data: yes, after: first, at: 3h }]", "{ time: 3h1m }"));
  desk.holds(scenario("[{ name: approval, reject: not today }]", "{ error: rejected }"));
  desk.holds(scenario("[{ name: approval, at: 25h }]", "{ error: timeout, time: 24h1m }"));
  const Desk endless("steps:\n  approval: { wait: approval }\n");
  endless.told("scenarios:\n  nobody says a word:\n    expect: { state: succeeded }\n", 1,
               "the run waits at approval for the signal `approval`, and nobody sends it");
}

TEST_CASE("items of standard input, fallbacks and undone steps are played", "[scenario]") {
  const Desk desk(R"(steps:
  each:
    for_each: stdin
    do: { exec: [work, "${ $item }"], fallback: { set: none } }
output: ${ $steps.each.succeeded }
)");
  desk.holds(R"(scenarios:
  one item fails:
    stdin: [a, b, c]
    answers:
      "each[b]": { exit: 1 }
      each: { stdout: fine }
    expect:
      output: 3
      ran: { "each[b]": 1, each: 3, "each[*].fallback": 1 }
)");
  const Desk saga(R"(steps:
  trip:
    atomic: true
    sequence:
      - { id: flight, exec: [book, flight], undo_on: succeeded, undo: { exec: [give, flight] } }
      - { id: hotel, exec: [book, hotel], undo_on: succeeded, undo: { exec: [give, hotel] } }
      - { id: car, exec: [book, car] }
)");
  saga.holds(R"(scenarios:
  without a car nothing stays booked:
    answers:
      trip/car: { exit: 3 }
      "*": { exit: 0 }
    expect: { state: failed, undone: [trip/hotel, trip/flight] }
)");
}

TEST_CASE("a mistake in a file of scenarios is told like one in a workflow, and nothing is played", "[scenario]") {
  const Desk desk(kPay);
  desk.told("scenarios: { x: { expct: {} } }\n", 3, "did you mean `expect`?");
  desk.told("scenarios: { x: { answers: { pya: pass }, expect: { state: failed } } }\n", 3, "did you mean `pay`?");
  desk.told("scenarios: { x: { input: { amuont: 3 }, expect: { state: failed } } }\n", 3, "did you mean `amount`?");
  desk.told("scenarios: { x: { input: { amount: many }, expect: { state: failed } } }\n", 3, "error[input]");
  const Ran missing = flowrun(desk.dir().path("journal.db"), {"test", desk.dir().path("no.test.yaml")});
  CHECK(missing.code == 2);
  CHECK(has(missing.out, "error[E009]"));
  const Ran workflow = flowrun(desk.dir().path("journal.db"), {"test", desk.dir().path("w.yaml")});
  CHECK(workflow.code == 3);
  CHECK(has(workflow.out, "its scenarios are in a file beside it: w.test.yaml"));
}

TEST_CASE("scenarios are filtered by name, played at once, and told in order", "[scenario]") {
  const Desk desk("steps:\n  a: { exec: [a] }\n");
  std::string scenarios = "answers: { a: { exit: 0 } }\nscenarios:\n";
  for (int i = 0; i < 30; ++i)
    scenarios +=
        "  number " + std::to_string(i) + ": { expect: { state: " + (i == 7 ? "failed" : "succeeded") + " } }\n";
  const Ran all = desk.test(scenarios, {"-j", "8", "--json"});
  CHECK(all.code == 1);
  const json told = json::parse(all.out);
  CHECK(told["passed"] == 29);
  CHECK(told["failed"] == 1);
  const json& played = told["files"][0]["scenarios"];
  for (int i = 0; i < 30; ++i) CHECK(played[i]["name"] == "number " + std::to_string(i));
  CHECK(played[7]["findings"][0]["line"] == 11);
  CHECK(has(desk.test(scenarios, {"--filter", "number 2"}).out, "11 passed, 0 failed"));
  CHECK(has(desk.test(scenarios, {"--filter", "number ?"}).out, "9 passed, 1 failed"));
  CHECK(has(desk.test(scenarios, {"--filter", "zebra"}).err, "no scenario has `zebra` in its name"));
  const Ran junit = desk.test(scenarios, {"--report", "junit:" + desk.dir().path("out.xml")});
  CHECK(has(desk.dir().read("out.xml"), "tests=\"30\" failures=\"1\" errors=\"0\""));
  CHECK(has(desk.dir().read("out.xml"), "<failure type=\"state\" message=\"the run has succeeded\""));
}

TEST_CASE("what no scenario has exercised is told with its place", "[scenario]") {
  const Desk desk(R"(input: { size: { type: string, default: small } }
steps:
  choice:
    switch:
      - { if: '${ $input.size == "large" }', do: { big: { exec: [big] } } }
      - else: { little: { exec: [little], fallback: { set: 1 } } }
  ask:
    parallel: { a: { exec: [a] }, b: { exec: [b] } }
    join: { quorum: 1 }
)");
  const std::string small = "  small: { answers: { \"*\": { exit: 0 } }, expect: { state: succeeded } }\n";
  const Ran some = desk.test("scenarios:\n" + small, {"--coverage"});
  INFO(some.out);
  CHECK(has(some.out, "way       choice/big              never ran"));
  CHECK(has(some.out, "fallback  choice/little.fallback  never ran"));
  CHECK(has(some.out, "join      ask                     never failed"));
  const Ran all = desk.test("scenarios:\n" + small +
                                "  large: { input: { size: large }, answers: { \"*\": { exit: 0 } }, expect: { state: "
                                "succeeded } }\n  bad: { answers: { \"*\": { exit: 1 } }, expect: { error: group } }\n",
                            {"--coverage"});
  INFO(all.out);
  CHECK(all.code == 0);
  CHECK_FALSE(has(all.out, "never"));
}

TEST_CASE("what passes is ended when the tests are, and nothing of it is left", "[scenario]") {
  const Desk desk("steps:\n  a: { shell: 'echo $$ > pid; exec sleep 60' }\n");
  desk.dir().write(
      "w.test.yaml",
      "flowrun_test: 1\nscenarios: { it lasts: { answers: { a: pass }, expect: { state: succeeded } } }\n");
  std::filesystem::create_directory(desk.dir().path("tmp"));
  HowToRun how;
  how.env["TMPDIR"] = desk.dir().path("tmp");
  Background playing({FLOWRUN_BINARY, "test", desk.dir().path("w.test.yaml")}, how);
  for (int i = 0; i < 600 && desk.dir().read("pid").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::string pid = desk.dir().read("pid");
  REQUIRE_FALSE(pid.empty());
  playing.signal(2);
  const Ran ran = playing.wait();
  CHECK(ran.code == 130);
  CHECK(has(ran.err, "stopped while step a was carried out"));
  CHECK_FALSE(std::filesystem::exists("/proc/" + pid.substr(0, pid.size() - 1)));
  CHECK(std::filesystem::is_empty(desk.dir().path("tmp")));
}

TEST_CASE("with --watch scenarios are played again when a file changes", "[scenario]") {
  const Desk desk("steps:\n  a: { exec: [a] }\n");
  const auto text = [](const char* state) {
    return std::string("flowrun_test: 1\nscenarios:\n  it runs: { answers: { a: { exit: 0 } }, expect: { state: ") +
           state + " } }\n";
  };
  const std::string file = desk.dir().write("w.test.yaml", text("failed"));
  Background watching({FLOWRUN_BINARY, "test", "--watch", desk.dir().path("")});
  const auto until = [&](const char* part) {
    for (int i = 0; i < 600 && !has(watching.out(), part); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return has(watching.out(), part);
  };
  CHECK(until("0 passed, 1 failed"));
  desk.dir().write("w.test.yaml", text("succeeded"));
  CHECK(until("1 passed, 0 failed"));
  CHECK(watching.running());
  watching.signal(2);
  CHECK(watching.wait().code == 130);
}

}  // namespace flowrun::test::scenarios_test
