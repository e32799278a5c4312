// Sagas: undo, undo_on, atomic; cancel and undo of whole runs.
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::undo_test {
namespace {

std::vector<std::string> argv(const Scenario& s, const std::string& path) {
  return std::get<Process>(*s.task(path).work).argv;
}

constexpr const char* kTrip = R"(flowrun: 1
steps:
  flight: { exec: [book, flight], capture: json, undo: { exec: [cancel, "${ $steps.flight.id }"] } }
  hotel: { exec: [book, hotel], capture: json, undo: { exec: [cancel, "${ $steps.hotel.id }", "${ $error.step }"] } }
  pay: { exec: [pay], needs: [flight, hotel] }
on_failure: { exec: [tell, "${ $run.undone | join(\",\") }"] }
)";

}  // namespace

TEST_CASE("a run that fails undoes what it has done, the last completed first") {
  Scenario s(kTrip);
  s.expect_started({"flight", "hotel"});
  s.succeed("hotel", R"({"id":"h7"})");
  s.succeed("flight", R"({"id":"f1"})");
  s.fail("pay", "exit.3");
  s.expect_started({"pay", "flight.undo"});
  CHECK(argv(s, "flight.undo") == std::vector<std::string>{"cancel", "f1"});
  s.succeed("flight.undo");
  s.expect_started({"hotel.undo"});
  CHECK(argv(s, "hotel.undo") == std::vector<std::string>{"cancel", "h7", "pay"});
  s.succeed("hotel.undo");
  s.expect_started({"on_failure/_1"});
  s.succeed("on_failure/_1");
  s.expect_failure("exit.3", "pay");
}

TEST_CASE("a run that succeeds undoes nothing, until it is asked to") {
  Scenario s(kTrip);
  s.succeed("flight", R"({"id":"f1"})");
  s.succeed("hotel", R"({"id":"h7"})");
  s.succeed("pay");
  s.expect_success();
  s.expect_started({"flight", "hotel", "pay"});
  REQUIRE(s.view().has_undos());
  s.undo();
  s.expect_started({"hotel.undo"});
  s.succeed("hotel.undo");
  s.succeed("flight.undo");
  s.expect_cancelled();
  CHECK_FALSE(s.view().has_undos());
}

TEST_CASE("an undo that fails does not keep the others from running, and is told") {
  Scenario s(kTrip);
  s.succeed("flight", R"({"id":"f1"})");
  s.succeed("hotel", R"({"id":"h7"})");
  s.fail("pay");
  s.fail("hotel.undo", "exit.1");
  s.succeed("flight.undo");
  s.succeed("on_failure/_1");
  s.expect_failure("exit.1", "pay");
  CHECK(to_json(*s.machine().outcome().failure)["undo_failed"] == Json{"hotel"});
  // flowrun undo tries that one again, with the same key: it may have been done, though nobody was told.
  std::string key = s.task("hotel.undo").idempotency_key;
  s.expect_started({"flight", "hotel", "pay", "hotel.undo", "flight.undo", "on_failure/_1"});
  s.undo();
  s.expect_started({"hotel.undo"});
  CHECK(s.task("hotel.undo").idempotency_key == key);
  s.succeed("hotel.undo");
  s.expect_failure("exit.1", "pay");
  CHECK_FALSE(to_json(*s.machine().outcome().failure).contains("undo_failed"));
}

TEST_CASE("an undo is tried five times for what may pass, and goes on after a crash") {
  Scenario s(kTrip);
  s.succeed("flight", R"({"id":"f1"})");
  s.fail("hotel");
  s.expect_started({"flight", "hotel", "flight.undo"});
  std::string key = s.task("flight.undo").idempotency_key;
  s.crash_and_resume();
  s.expect_started({"flight.undo"});
  CHECK(s.task("flight.undo").rerun == 1);
  CHECK(s.task("flight.undo").idempotency_key == key);
  for (int i = 1; i < 5; ++i) {
    s.fail("flight.undo", "killed");
    s.advance(60s);
    s.expect_started({"flight.undo"});
  }
  s.fail("flight.undo", "killed");
  s.succeed("on_failure/_1");
  s.expect_failure("exit.1", "hotel");
}

TEST_CASE("an undo that runs long after its group sees fields of what its step had come to") {
  Scenario s(R"(
book:
  atomic: true
  parallel:
    flight:
      exec: [flight]
      undo: { exec: [back, "${ $steps.flight.id }", "${ $steps.flight | .id + 1 }", "${ $status.flight.state }"] }
    hotel: { exec: [hotel], undo: { exec: [back, "${ $steps.hotel.a.b }"] } }
pay: { needs: [book], exec: [pay] }
)");
  Result flight;
  flight.value = Value::from_text(R"({"id":7})");
  s.end("book/flight", flight);
  Result hotel;
  hotel.value = Value::from_text(R"({"a":{"b":"x"}})");
  s.end("book/hotel", hotel);
  s.fail("pay");
  s.expect_started({"book/flight", "book/hotel", "pay", "book/hotel.undo"});
  CHECK(std::get<Process>(*s.task("book/hotel.undo").work).argv == std::vector<std::string>{"back", "x"});
  s.crash_and_resume();
  s.succeed("book/hotel.undo");
  CHECK(std::get<Process>(*s.task("book/flight.undo").work).argv ==
        std::vector<std::string>{"back", "7", "8", "succeeded"});
  s.succeed("book/flight.undo");
  s.expect_failure("exit.1", "pay");
}

TEST_CASE("undo_on: started also undoes what may have begun") {
  Scenario s(R"(
  a: { exec: [a], undo_on: started, undo: { exec: [undo, a] } }
  b: { exec: [b], undo: { exec: [undo, b] } }
)");
  s.fail("b");
  s.fail("a");
  s.expect_started({"a", "b", "a.undo"});
  s.succeed("a.undo");
  s.expect_failure("exit.1", "b");
}

TEST_CASE("what never began is not undone") {
  Scenario s(R"(flowrun: 1
concurrency: 1
fail_fast: true
steps:
  a: { exec: [a] }
  b: { exec: [b], undo_on: started, undo: { exec: [undo, b] } }
)");
  s.fail("a");
  s.expect_started({"a"});
  s.expect_failure("exit.1", "a");
}

TEST_CASE("an atomic group undoes its own before it reports, and hands on what is left when it succeeds") {
  const char* text = R"(flowrun: 1
steps:
  book:
    atomic: true
    parallel:
      flight: { exec: [flight], undo: { exec: [undo, flight] } }
      hotel: { exec: [hotel], undo: { exec: [undo, hotel] } }
    fallback: { exec: [bus] }
  pay: { exec: [pay, "${ $steps.book | tojson }"] }
)";
  Scenario inner(text);
  inner.succeed("book/flight");
  inner.fail("book/hotel");
  inner.expect_started({"book/flight", "book/hotel", "book/flight.undo"});
  inner.succeed("book/flight.undo");
  inner.expect_started({"book.fallback"});
  inner.succeed("book.fallback");
  inner.fail("pay");
  inner.expect_started({"pay"});
  inner.expect_failure("exit.1", "pay");

  Scenario outer(text);
  outer.succeed("book/hotel");
  outer.succeed("book/flight");
  outer.fail("pay");
  outer.expect_started({"book/flight", "book/hotel", "pay", "book/flight.undo"});
  outer.succeed("book/flight.undo");
  outer.succeed("book/hotel.undo");
  outer.expect_failure("exit.1", "pay");
}

TEST_CASE("an undo in vain within a group that had a fallback fails the run") {
  Scenario s(R"(
  book:
    atomic: true
    sequence:
      - { id: hold, exec: [hold], undo: { exec: [release] } }
      - { id: take, exec: [take] }
    fallback: { set: none }
)");
  s.succeed("book/hold");
  s.fail("book/take");
  s.fail("book/hold.undo");
  // The run, the next scope, tries once more.
  s.expect_started({"book/hold", "book/take", "book/hold.undo", "book/hold.undo"});
  s.fail("book/hold.undo");
  s.expect_failure("group");
  CHECK(to_json(*s.machine().outcome().failure)["undo_failed"] == Json{"book/hold"});
}

TEST_CASE("a refund that may have been made is asked for under one key, until it is refused") {
  Scenario s(R"(
  g:
    atomic: true
    sequence:
      - { id: pay, exec: [pay], undo: { http: "POST http://x/refund", retry: none } }
      - { id: ship, exec: [ship] }
    fallback: { set: none }
)");
  auto answers = [&](int code) {
    Result result;
    result.code = code;
    result.failure = Failure{"http." + std::to_string(code), "no"};
    s.end("g/pay.undo", result);
  };
  s.succeed("g/pay");
  s.fail("g/ship");
  const std::string key = s.task("g/pay.undo").idempotency_key;
  answers(500);
  CHECK(s.task("g/pay.undo").idempotency_key == key);
  answers(409);
  s.expect_failure("group");
  s.undo();
  CHECK(s.task("g/pay.undo").idempotency_key == key);
  answers(422);
  s.expect_cancelled();
  s.undo();
  CHECK(s.task("g/pay.undo").idempotency_key != key);
  s.succeed("g/pay.undo");
  s.expect_cancelled();
}

TEST_CASE("a run that fails only for an undo in vain runs on_failure, and its handlers see it fail") {
  Scenario s(R"(flowrun: 1
steps:
  g:
    atomic: true
    sequence:
      - { id: p, exec: [p], undo: { exec: [undo] } }
      - { id: q, exec: [q] }
    fallback: { set: none }
on_failure: { exec: [tell, "${ $run.state }", "${ $error.type }"] }
finally: { exec: [tell, "${ $run.state }"] }
)");
  s.succeed("g/p");
  s.fail("g/q");
  s.fail("g/p.undo");
  s.fail("g/p.undo");
  CHECK(argv(s, "on_failure/_1") == std::vector<std::string>{"tell", "failed", "group"});
  s.fail("on_failure/_1");
  CHECK(argv(s, "finally/_1") == std::vector<std::string>{"tell", "failed"});
  s.succeed("finally/_1");
  s.expect_failure("group");
  CHECK(to_json(*s.machine().outcome().failure)["undo_failed"] == Json{"g/p"});
}

TEST_CASE("handlers are told what a group undid by itself") {
  Scenario s(R"(flowrun: 1
steps:
  a: { exec: [a], undo: { exec: [undo] } }
  g:
    needs: [a]
    atomic: true
    sequence:
      - { id: p, exec: [p], undo: { exec: [undo] } }
      - { id: q, exec: [q] }
on_failure: { exec: [tell, "${ $run.undone | join(\",\") }"] }
)");
  s.succeed("a");
  s.succeed("g/p");
  s.fail("g/q");
  s.succeed("g/p.undo");
  s.succeed("a.undo");
  CHECK(argv(s, "on_failure/_1") == std::vector<std::string>{"tell", "g/p,a"});
  s.succeed("on_failure/_1");
  s.expect_failure("exit.1", "g/q");
}

TEST_CASE("of an atomic for_each each item is a scope, and its undo sees the item") {
  Scenario s(R"(
  each:
    for_each: [x, y]
    atomic: true
    join: best_effort
    do:
      - id: hold
        exec: [hold]
        capture: json
        undo: { exec: [release, "${ $item }", "${ $steps.hold }"] }
      - { id: take, exec: [take] }
)");
  s.succeed("each[x]/hold", "1");
  s.succeed("each[y]/hold", "2");
  s.succeed("each[x]/take");
  s.fail("each[y]/take");
  s.expect_started({"each[x]/hold", "each[y]/hold", "each[x]/take", "each[y]/take", "each[y]/hold.undo"});
  CHECK(argv(s, "each[y]/hold.undo") == std::vector<std::string>{"release", "y", "2"});
  s.succeed("each[y]/hold.undo");
  s.expect_success();
  // The good item can still be undone, though its frames are gone.
  s.undo();
  CHECK(argv(s, "each[x]/hold.undo") == std::vector<std::string>{"release", "x", "1"});
  s.succeed("each[x]/hold.undo");
  s.expect_cancelled();
}

TEST_CASE("an atomic branch that loses a race is undone at the end, however that comes") {
  Scenario s(R"(
  pick:
    race:
      slow:
        atomic: true
        sequence:
          - { id: hold, exec: [hold], undo: { exec: [release] } }
          - { id: take, exec: [take] }
      fast: { exec: [fast] }
  after: { exec: [after, "${ $steps.pick }"] }
)");
  s.succeed("pick/slow/hold");
  s.succeed("pick/fast", "\"f\"");
  s.expect_stopped({"pick/slow/take"});
  s.succeed("after");
  // Only when the loser's last attempt has ended, for it may still act.
  s.expect_started({"pick/fast", "pick/slow/hold", "pick/slow/take", "after"});
  s.fail("pick/slow/take", "killed");
  s.expect_started({"pick/slow/hold.undo"});
  s.succeed("pick/slow/hold.undo");
  s.expect_success();
}

TEST_CASE("retry after an undo runs the undone steps anew, under other keys, and leaves the rest alone") {
  Scenario s(R"(
  look: { exec: [look] }
  book:
    parallel:
      flight: { exec: [flight], undo: { exec: [undo, flight] } }
      map: { exec: [map] }
  pay: { exec: [pay, "${ $steps.book | tojson }"] }
)");
  s.succeed("look");
  s.succeed("book/flight");
  s.succeed("book/map");
  std::string key = s.task("book/flight").idempotency_key;
  s.fail("pay");
  std::string undo_key = s.task("book/flight.undo").idempotency_key;
  s.succeed("book/flight.undo");
  s.expect_failure("exit.1", "pay");
  s.expect_started({"look", "book/flight", "book/map", "pay", "book/flight.undo"});
  s.retry();
  s.expect_started({"book/flight"});
  CHECK(s.task("book/flight").idempotency_key != key);
  s.succeed("book/flight");
  s.expect_started({"pay"});
  s.fail("pay");
  s.expect_started({"book/flight.undo"});
  CHECK(s.task("book/flight.undo").idempotency_key != undo_key);
  s.succeed("book/flight.undo");
  s.expect_failure("exit.1", "pay");
}

TEST_CASE("cancel ends a run; with undo it undoes first, and finally runs but for now") {
  const char* text = R"(flowrun: 1
steps:
  a: { exec: [a], undo: { exec: [undo, a] } }
  b: { exec: [b], needs: [a] }
on_failure: { exec: [tell] }
finally: { exec: [clean, "${ $run.state }"] }
)";
  Scenario plain(text);
  plain.succeed("a");
  plain.cancel();
  plain.expect_stopped({"b"});
  plain.expect_started({"a", "b"});
  plain.fail("b", "killed");
  plain.expect_started({"finally/_1"});
  CHECK(argv(plain, "finally/_1") == std::vector<std::string>{"clean", "cancelled"});
  plain.succeed("finally/_1");
  plain.expect_cancelled();
  CHECK(plain.view().has_undos());

  Scenario undo(text);
  undo.succeed("a");
  undo.cancel(true);
  undo.fail("b", "killed");
  undo.expect_started({"a", "b", "a.undo"});
  undo.succeed("a.undo");
  undo.succeed("finally/_1");
  undo.expect_cancelled();

  Scenario now(text);
  now.succeed("a");
  now.cancel(false, true);
  now.fail("b", "killed");
  now.expect_cancelled();
  now.expect_started({"a", "b"});
}

TEST_CASE("cancel --now stops undos that run; undo goes on with them") {
  Scenario s(kTrip);
  s.succeed("flight", R"({"id":"f1"})");
  s.succeed("hotel", R"({"id":"h7"})");
  s.fail("pay");
  s.expect_started({"flight", "hotel", "pay", "hotel.undo"});
  s.cancel(false, true);
  s.expect_stopped({"hotel.undo"});
  s.fail("hotel.undo", "killed");
  s.expect_failure("exit.1", "pay");
  s.undo();
  s.expect_started({"hotel.undo"});
  s.succeed("hotel.undo");
  s.succeed("flight.undo");
  s.expect_failure("exit.1", "pay");
}

TEST_CASE("a run that nobody drives is cancelled without starting anything of it again") {
  Scenario s(R"(flowrun: 1
steps:
  a: { exec: [a], undo: { exec: [undo, a] } }
  b: { exec: [b], needs: [a] }
finally: { exec: [clean] }
)");
  s.succeed("a");
  s.expect_started({"a", "b"});
  RunResumed how;
  how.cancel = CancelRequested{true, false, "tester"};
  s.crash_and_resume(how);
  s.expect_started({"a.undo"});
  s.succeed("a.undo");
  s.expect_started({"finally/_1"});
  s.succeed("finally/_1");
  s.expect_cancelled();
}

TEST_CASE("cancelling in the middle of the undos lets them go on after a crash") {
  Scenario s(kTrip);
  s.succeed("flight", R"({"id":"f1"})");
  s.fail("hotel");
  s.expect_started({"flight", "hotel", "flight.undo"});
  RunResumed how;
  how.cancel = CancelRequested{false, false, "tester"};
  s.crash_and_resume(how);
  s.expect_started({"flight.undo"});
  s.succeed("flight.undo");
  s.expect_failure("exit.1", "hotel");
}

TEST_CASE("the timeout of a run bounds neither undos nor handlers") {
  Scenario s(R"(flowrun: 1
timeout: 10s
steps:
  a: { exec: [a], undo: { exec: [undo, a] } }
  b: { exec: [b], needs: [a] }
)");
  s.succeed("a");
  s.advance(11s);
  s.expect_stopped({"b"});
  s.fail("b", "killed");
  s.expect_started({"a", "b", "a.undo"});
  s.advance(100s);
  s.succeed("a.undo");
  s.expect_failure("timeout");
}

TEST_CASE("more failed items than are in flight go on where they stood at a retry") {
  Scenario s(R"(
  each:
    for_each: 3
    concurrency: 1
    fail_fast: false
    do:
      - { id: a, exec: [a] }
      - { id: b, exec: [b] }
)");
  for (const char* item : {"0", "1", "2"}) {
    s.succeed(std::string("each[") + item + "]/a");
    s.fail(std::string("each[") + item + "]/b");
  }
  s.expect_failure("group");
  s.expect_started({"each[0]/a", "each[0]/b", "each[1]/a", "each[1]/b", "each[2]/a", "each[2]/b"});
  s.retry();
  for (const char* item : {"0", "1", "2"}) s.succeed(std::string("each[") + item + "]/b");
  s.expect_success();
  s.expect_started({"each[0]/b", "each[1]/b", "each[2]/b"});
}

}  // namespace flowrun::test::undo_test
