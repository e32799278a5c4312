// A recorded run told anew on paper: predicted times are exact, because no clock is in it.
#include "engine/run/predict.h"

#include <fmt/format.h>

#include "engine/jq/jq.h"
#include "engine/model/entry_reading.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::predict_test {
namespace {

/// A scenario and what is told from it.
class Past : public Scenario {
 public:
  explicit Past(const std::string& text, const std::string& inputs = "{}", const Texts& files = {})
      : Scenario(text, inputs, files), text_(text), files_(files) {}

  Prediction predict(const std::string& settings) {
    Recording recording;
    for (const Entry& entry : entries()) recording.add(entry);
    recording.close();
    const std::string body = text_.substr(text_.find_first_not_of('\n'));
    const std::unique_ptr<Loaded> loaded = load_text(body, files_);
    const std::unique_ptr<Jq> jq = make_jq(loaded->programs);
    const WhatIf what_if = what_if_from(settings);
    told.clear();
    return flowrun::predict(recording, *loaded, *jq, what_if, [&](const Entry& entry) { told.push_back(entry); });
  }
  /// How long it takes, in ms.
  std::int64_t ms(const std::string& settings) { return predict(settings).took.count(); }
  /// Lets it go on until nothing runs: each attempt ends after |each|.
  void run_to_the_end(Duration each) {
    while (machine().phase() == Machine::Phase::Running) {
      const std::vector<InFlight> flights = machine().in_flight();
      REQUIRE_FALSE(flights.empty());
      advance(each);
      for (const InFlight& flight : flights) succeed(flight.path);
    }
  }

  std::vector<Entry> told;  ///< the entries of the newest prediction

 private:
  std::string text_;
  Texts files_;
};

const std::string kEight = R"(
flowrun: 1
concurrency: 2
steps:
  nap: { for_each: "${ [range(8)] }", concurrency: 100, do: { exec: [sleep] } }
)";

}  // namespace

TEST_CASE("a run of equal items takes what its slots leave", "[predict]") {
  Past past(kEight);
  past.run_to_the_end(1000ms);
  past.expect_success();
  CHECK(past.ms("same") == 4000);
  CHECK(past.ms("") == 4000);
  CHECK(past.ms("concurrency=1") == 8000);
  CHECK(past.ms("concurrency=4") == 2000);
  CHECK(past.ms("concurrency=8") == 1000);
  CHECK(past.ms("concurrency=100") == 1000);
  CHECK(past.ms("concurrency=3") == 3000);
  CHECK(past.ms("concurrency=100,jobs=2") == 4000);
  CHECK(past.ms("jobs=1") == 8000);
  CHECK(past.ms("scale.nap=0.5") == 2000);
  CHECK(past.ms("scale.nap[3]=5") == 6000);
  CHECK(past.ms("scale.*=0") == 0);
  const Prediction told = past.predict("concurrency=100,jobs=2");
  CHECK(told.attempts == 8);
  CHECK(told.guessed == 0);
  REQUIRE(told.waits.size() == 1);
  CHECK(told.waits[0].what == "jobs");
  CHECK(told.waits[0].span == 3000ms);
  // Those in line for a process have the slots of `concurrency`: more of them would help nobody.
  const Prediction both = past.predict("concurrency=4,jobs=2");
  REQUIRE(both.waits.size() == 1);
  CHECK(both.waits[0].what == "jobs");
}

TEST_CASE("the entries of a prediction are those of a run", "[predict]") {
  Past past(kEight);
  past.run_to_the_end(1000ms);
  past.predict("same");
  REQUIRE(past.told.size() == past.entries().size());
  for (std::size_t i = 0; i < past.told.size(); ++i) {
    INFO(i);
    CHECK(past.told[i].kind == past.entries()[i].kind);
    CHECK(past.told[i].path == past.entries()[i].path);
    CHECK(past.told[i].at == past.entries()[i].at);
    CHECK(past.told[i].seq == static_cast<std::int64_t>(i) + 1);
  }
}

TEST_CASE("limits and rates of a run can be other ones on paper", "[predict]") {
  Past past(R"(
flowrun: 1
limits: { crm: 2, mail: { rate: 2/s } }
steps:
  nap: { for_each: "${ [range(8)] }", concurrency: 100, do: { exec: [sleep], limit: crm } }
  send: { for_each: "${ [range(5)] }", after: nap, concurrency: 100, do: { exec: [sleep], limit: mail } }
)");
  for (int i = 0; i < 4; ++i) {
    past.advance(1000ms);
    for (const InFlight& flight : past.machine().in_flight()) past.succeed(flight.path);
  }
  for (int i = 0; i < 20 && past.machine().phase() == Machine::Phase::Running; ++i) {
    for (const InFlight& flight : past.machine().in_flight())
      if (past.now() - flight.started_at >= 1000ms) past.succeed(flight.path);
    past.advance(500ms);
  }
  past.expect_success();
  CHECK(past.ms("same") == 4000 + 2000 + 1000);
  CHECK(past.ms("limit.crm=4") == 2000 + 3000);
  CHECK(past.ms("limit.crm=8,limit.mail.rate=1/s") == 1000 + 4000 + 1000);
  CHECK(past.ms("limit.mail=1") == 4000 + 5000);
  CHECK(past.predict("same").waits[0].what == "limit crm");
  CHECK(past.predict("limit.crm=100,limit.mail.rate=1/s").waits[0].what == "rate of mail");
}

TEST_CASE("a diamond takes its longer side", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  a: { exec: [a] }
  left: { exec: [left], after: a }
  right: { exec: [right], after: a }
  z: { exec: [z], after: [left, right] }
)");
  past.advance(100ms);
  past.succeed("a");
  past.advance(200ms);
  past.succeed("left");
  past.advance(600ms);
  past.succeed("right");
  past.advance(50ms);
  past.succeed("z");
  CHECK(past.ms("same") == 950);
  CHECK(past.ms("scale.right=0.5") == 550);
  CHECK(past.ms("scale.right=0.1") == 100 + 200 + 50);
  CHECK(past.ms("scale.left=10") == 100 + 2000 + 50);
  CHECK(past.ms("scale.?=2") == 200 + 800 + 100);
  CHECK(past.ms("scale.?=2,scale.a=0.5") == 100 + 800 + 100);
  CHECK(past.ms("jobs=1") == 1150);
}

TEST_CASE("what was stopped in the run is guessed when it is waited for on paper", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  first: { race: { fast: { exec: [fast] }, slow: { exec: [slow] } } }
)");
  past.advance(300ms);
  past.succeed("first/fast");
  past.advance(20ms);
  past.fail("first/slow", "cancelled");
  past.expect_success();
  CHECK(past.ms("same") == 320);
  CHECK(past.predict("same").guessed == 0);
  CHECK(past.ms("scale.first/fast=0.5") == 170);
  // Of the slower one just that is known, that it takes more than 320 ms.
  const Prediction guessed = past.predict("scale.first/fast=2");
  CHECK(guessed.took == 320ms);
  CHECK(guessed.guessed == 1);
  CHECK(guessed.guessed_path == "first/slow");
}

TEST_CASE("tries, polls and dates go by the time on paper", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  try: { exec: [try], retry: { attempts: 3, delay: 1s, backoff: 1, jitter: none, on: [any] } }
  nap: { sleep: 2s, after: try }
  look: { exec: [look], after: nap, poll: { every: 5s } }
)");
  past.advance(100ms);
  past.fail("try");
  past.advance(1100ms);
  past.succeed("try");
  past.advance(2000ms);
  past.advance(10ms);
  past.fail("look");
  past.advance(5010ms);
  past.succeed("look");
  past.expect_success();
  CHECK(past.ms("same") == 100 + 1000 + 100 + 2000 + 10 + 5000 + 10);
  CHECK(past.ms("scale.try=3") == 300 + 1000 + 300 + 2000 + 10 + 5000 + 10);
  CHECK(past.ms("scale.nap=0.5,scale.look=2") == 100 + 1000 + 100 + 1000 + 20 + 5000 + 20);
}

TEST_CASE("a step that gets slower meets its timeouts on paper", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  own: { exec: [own], timeout: 1s, continue_on_error: true }
  group: { parallel: { in: { exec: [in] } }, timeout: 3s, after: own }
)");
  past.advance(600ms);
  past.succeed("own");
  past.advance(600ms);
  past.succeed("group/in");
  CHECK(past.ms("same") == 1200);
  const Prediction slow = past.predict("scale.own=100,scale.group=4");
  CHECK(slow.took == 1000ms + 2400ms);
  CHECK(slow.outcome.state == State::Succeeded);
  const Prediction slower = past.predict("scale.group=100");
  CHECK(slower.took == 3600ms);
  CHECK(slower.outcome.state == State::Failed);
  CHECK(slower.guessed == 0);
}

TEST_CASE("people answer on paper as long after they are asked as they did", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  build: { exec: [build] }
  ok: { wait: ok, after: build }
  early: { wait: early, after: build }
)");
  past.advance(400ms);
  past.signal("early");
  past.advance(600ms);
  past.succeed("build");
  past.advance(5000ms);
  past.signal("ok");
  past.expect_success();
  CHECK(past.ms("same") == 6000);
  CHECK(past.ms("scale.build=2") == 7000);
  CHECK(past.ms("scale.ok=0") == 1000);
  // Who spoke before being asked does not hurry.
  CHECK(past.ms("scale.ok=0,scale.build=0.1") == 400);
}

TEST_CASE("items of standard input are there on paper when they were", "[predict]") {
  Past past(R"(
flowrun: 1
steps:
  each: { for_each: stdin, concurrency: 2, do: { exec: [work] } }
)");
  past.advance(10ms);
  past.arrive("each", R"(["a", "b", "a"])", false, {{2, 2}});
  past.advance(100ms);
  past.succeed("each[a]");
  past.succeed("each[b]");
  past.advance(100ms);
  past.succeed("each[a#2]");
  past.advance(500ms);
  past.arrive("each", R"(["c"])", true);
  past.advance(100ms);
  past.succeed("each[c]");
  past.expect_success();
  CHECK(past.ms("same") == 810);
  CHECK(past.ms("jobs=1") == 810);
  CHECK(past.ms("scale.each=10") == 10 + 1000 + 1000);
}

TEST_CASE("a crash, and time in which flowrun was frozen, are no part of a prediction", "[predict]") {
  Past past("flowrun: 1\nsteps: { a: { exec: [a] }, b: { exec: [b], after: a } }");
  past.advance(100ms);
  past.crash_and_resume({}, 60000ms);
  past.advance(200ms);
  past.succeed("a");
  past.advance(100ms);
  past.freeze(5000ms);
  past.advance(200ms);
  Result result;
  result.took = 300ms;
  past.end("b", std::move(result));
  past.expect_success();
  CHECK(past.ms("same") == 500);
  CHECK(past.ms("scale.b=2") == 800);
}

TEST_CASE("a run that ended by what somebody did is not told anew", "[predict]") {
  const auto why = [](Past& past) -> std::string {
    try {
      past.predict("same");
    } catch (const Error& error) {
      CHECK(error.problem() == Problem::Impossible);
      return error.what();
    }
    return "";
  };
  Past running("a: { exec: [a] }");
  CHECK(why(running) == "run scenario-1 has not ended: how long it takes can not be told from it");
  Past cancelled("a: { exec: [a] }");
  cancelled.cancel();
  CHECK(why(cancelled).starts_with("run scenario-1 was cancelled"));
  Past retried("a: { exec: [a] }");
  retried.fail("a");
  retried.retry();
  retried.succeed("a");
  CHECK(why(retried).starts_with("run scenario-1 was retried"));
}

TEST_CASE("settings that are none are refused with what is near", "[predict]") {
  Past past(R"(
flowrun: 1
limits: { crm: 2 }
steps:
  build: { exec: [a], limit: crm }
)");
  past.succeed("build");
  const auto why = [&](const std::string& settings) -> std::string {
    try {
      past.predict(settings);
    } catch (const Error& error) {
      CHECK(error.problem() == Problem::Usage);
      return error.what();
    }
    return "";
  };
  CHECK(why("job=3").ends_with("; did you mean `jobs`?"));
  CHECK(why("nonsense=3").find("the settings are jobs=N") != std::string::npos);
  CHECK(why("limit.crn=3").ends_with("; did you mean `crm`?"));
  CHECK(why("limit.other=3").ends_with("the workflow has the limits crm"));
  CHECK(why("scale.buidl=3").ends_with("; did you mean `build`?"));
  CHECK(why("scale.other*=3").find("the run has no such step") != std::string::npos);
  for (const char* bad : {"jobs",
                          "jobs=",
                          "jobs=0",
                          "jobs=-1",
                          "jobs=1e3",
                          "jobs=99999999999",
                          "jobs=1,",
                          ",",
                          "jobs.x=1",
                          "concurrency=all",
                          "limit=3",
                          "limit.=3",
                          "limit.crm=0",
                          "limit.crm=x",
                          "limit.crm.rate=3",
                          "limit.crm.rate=",
                          "scale=2",
                          "scale.build",
                          "scale.build=",
                          "scale.build=-1",
                          "scale.build=nan",
                          "scale.build=inf",
                          "scale.build=1e300",
                          "scale.build=2x",
                          "=",
                          "=3"}) {
    INFO(bad);
    CHECK(why(bad).starts_with("--what-if "));
  }
  CHECK(why("jobs=1,concurrency=1,limit.crm=1,limit.crm.rate=5/s,scale.build=0,scale.b*=1.5").empty());
}

}  // namespace flowrun::test::predict_test
