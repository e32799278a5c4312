// A for_each over standard input: its items come as facts while it runs.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "engine/model/error.h"
#include "engine/model/stream_keys.h"
#include "tests/support/catch.h"
#include "tests/support/scenario.h"

namespace flowrun::test::stream_test {
namespace {

const std::string kEach = "each: { for_each: stdin, fail_fast: false, do: { exec: [task, \"${ $item }\"] } }";

std::string whole(const std::string& each, const std::string& rest = "") {
  return "flowrun: 1\nsteps:\n  " + each + "\n" + rest;
}

}  // namespace

TEST_CASE("items begin as they come, and the step is over when no more come") {
  Scenario run(whole(kEach, "output: ${ $steps.each }"));
  run.expect_started({});
  run.expect_running();
  run.arrive("each", R"(["a", "b"])");
  run.expect_started({"each[a]", "each[b]"});
  run.succeed("each[a]");
  run.succeed("each[b]");
  run.expect_running();
  run.arrive("each", R"(["c"])", true);
  run.expect_started({"each[c]"});
  run.succeed("each[c]");
  run.expect_success(R"({"total": 3, "succeeded": 3, "failed": 0})");
}

TEST_CASE("an empty stream is a success, and its end may come alone") {
  Scenario run(whole(kEach, "output: ${ $steps.each.total }"));
  run.arrive("each", "[]", true);
  run.expect_success("0");
}

TEST_CASE("equal items are told apart, and those without a text go by their number") {
  Scenario run(whole(kEach));
  run.arrive("each", R"(["a", "a", "a#2", {"x": 1}])", false, {{1, 2}});
  run.expect_started({"each[a]", "each[a#2]", "each[a#2#1]"});
  // An object is no argument, so this one fails without a process.
  run.expect_state("each[#3]", State::Failed);
}

TEST_CASE("no more items are wanted than can soon begin, and no more begin than the run may have in flight") {
  Scenario run("flowrun: 1\nsteps:\n  each: { for_each: stdin, concurrency: 2, do: { exec: [task, \"${ $item }\"] } }");
  REQUIRE(run.machine().stream());
  const std::size_t wanted = run.machine().stream()->wanted();
  CHECK(wanted > 2);
  run.arrive("each", "[1, 2, 3, 4]");
  run.expect_started({"each[1]", "each[2]"});
  CHECK(run.machine().stream()->wanted() == wanted - 2);
  run.succeed("each[1]");
  run.expect_started({"each[3]"});
}

TEST_CASE("what failed is kept and told, and the join judges when the last item is over") {
  Scenario run(
      whole("each: { for_each: stdin, fail_fast: false, join: { tolerate: 50% }, do: { exec: [task, \"${ "
            "$item }\"] } }",
            "output: \"${ $status.each | {counts, failed: [.failed[] | {key, index, item}]} }\""));
  run.arrive("each", R"(["a", "b"])");
  run.fail("each[a]");
  run.expect_running();
  run.succeed("each[b]");
  run.arrive("each", R"(["c"])", true);
  run.succeed("each[c]");
  CHECK(to_string(run.machine().outcome().state) == "succeeded");
}

TEST_CASE("a failure that stops the step closes the stream") {
  Scenario run("flowrun: 1\nsteps:\n  each: { for_each: stdin, concurrency: 1, do: { exec: [task, \"${ $item }\"] } }");
  run.arrive("each", R"(["a", "b"])");
  run.fail("each[a]");
  run.expect_failure("group", "each");
  CHECK_FALSE(run.machine().stream());
}

TEST_CASE("a cancelled run takes no more items") {
  Scenario run(whole(kEach));
  run.arrive("each", R"(["a", "b"])");
  run.cancel();
  const ItemStream* stream = run.machine().stream();
  CHECK_FALSE((stream && (stream->is_open() || stream->wanted() > 0)));
  run.expect_stopped({"each[a]", "each[b]"});
}

TEST_CASE("a suspended run takes items again when it is resumed") {
  Scenario run(whole(kEach));
  run.arrive("each", R"(["a"])");
  run.suspend();
  run.succeed("each[a]");
  run.expect_suspended();
  run.crash_and_resume();
  REQUIRE(run.machine().stream());
  run.arrive("each", R"(["b"])", true);
  run.succeed("each[b]");
  run.expect_success();
}

TEST_CASE("a run that is cut off behind the end of its input takes more of it, when there is more") {
  Scenario run(whole(kEach, "output: ${ $steps.each }"));
  run.arrive("each", R"(["a"])", true);
  run.crash_and_resume();
  CHECK_FALSE(run.machine().stream()->is_open());
  run.arrive("each", "[]");
  CHECK(run.machine().stream()->is_open());
  run.succeed("each[a]");
  run.expect_running();
  run.arrive("each", R"(["b"])", true);
  run.succeed("each[b]");
  run.expect_success(R"({"total": 2, "succeeded": 2, "failed": 0})");
}

TEST_CASE("a retry of a run whose input had not ended waits for the rest of it") {
  Scenario run(whole(kEach, "output: ${ $steps.each }"));
  run.arrive("each", R"(["a"])");
  run.cancel();
  run.fail("each[a]", "cancelled");
  run.expect_cancelled();
  run.retry();
  run.succeed("each[a]");
  run.expect_running();
  REQUIRE(run.machine().stream());
  CHECK(run.machine().stream()->is_open());
  run.arrive("each", R"(["b"])", true);
  run.succeed("each[b]");
  run.expect_success(R"({"total": 2, "succeeded": 2, "failed": 0})");
}

TEST_CASE("a run that has succeeded gets more items, and runs only those") {
  Scenario run(whole(kEach, "output: ${ $steps.each }"));
  run.arrive("each", R"(["a", "b"])", true);
  run.succeed("each[a]");
  run.succeed("each[b]");
  run.expect_success();
  run.expect_started({"each[a]", "each[b]"});
  RunReopened more;
  more.stream = "each";
  run.retry(more);
  run.expect_started({});
  run.arrive("each", R"(["a", "c"])", true, {{0, 2}});
  run.expect_started({"each[a#2]", "each[c]"});
  run.succeed("each[c]");
  run.succeed("each[a#2]");
  run.expect_success(R"({"total": 4, "succeeded": 4, "failed": 0})");
}

TEST_CASE("a run that has failed tries again what failed and takes more, and a plain retry takes no more") {
  for (const bool takes_more : {true, false}) {
    Scenario run(whole(kEach));
    run.arrive("each", R"(["a", "b"])", true);
    run.fail("each[a]");
    run.succeed("each[b]");
    run.expect_failure("group", "each");
    run.expect_started({"each[a]", "each[b]"});
    RunReopened again;
    if (takes_more) again.stream = "each";
    run.retry(again);
    run.expect_started({"each[a]"});
    run.succeed("each[a]");
    if (takes_more) {
      run.arrive("each", R"(["c"])", true);
      run.expect_started({"each[c]"});
      run.succeed("each[c]");
    }
    run.expect_success();
  }
}

TEST_CASE("one item is run again by its path, also one that was let go of") {
  Scenario run(whole(kEach));
  run.arrive("each", R"(["a", "b"])", true);
  run.succeed("each[a]");
  run.succeed("each[b]");
  run.expect_success();
  run.expect_started({"each[a]", "each[b]"});
  run.retry(RunReopened{"", "each[b]"});
  run.expect_started({"each[b]"});
  run.succeed("each[b]");
  run.expect_success();
}

TEST_CASE("items that nobody wrote are no end of the drive but a damaged journal") {
  Scenario run(whole(kEach));
  run.arrive("each", R"(["a"])");
  const std::size_t before = run.log.size();
  CHECK_THROWS_AS(run.arrive("each", R"(["a"])"), Corruption);
  run.log.resize(before);
  CHECK_THROWS_AS(stream_keys({"each", Value::from_text("1")}, 0), Corruption);
  CHECK_THROWS_AS(stream_keys({"each", Value::from_text("[1]"), {{1, 2}}}, 0), Corruption);
  CHECK_THROWS_AS(stream_keys({"each", Value::from_text("[1]"), {{0, 1}}}, 0), Corruption);
}

TEST_CASE("keys of a stream: no two items share one, however they read") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  INFO("FLOWRUN_SEED=" << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> texts{"\"a\"",  "\"a#2\"",  "\"a#2#1\"", "\"#1\"", "\"#\"", "\"\"",
                                       "\"1\"",  "1",        "null",      "[1]",    "{}",    "true",
                                       "\"a#\"", "\"true\"", "1.5",       "\"2\""};
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, int> nth;
    std::set<std::string> keys;
    std::size_t before = 0;
    for (int batch = 0; batch < 3; ++batch) {
      ItemsArrived arrived;
      Json list = Json::array();
      for (int i = 0; i < 6; ++i) {
        const Json item = Json::parse(texts[random() % texts.size()]);
        const std::string name = item.is_string() ? item.get<std::string>() : item.dump();
        if (const int number = ++nth[name]; number > 1 && names_itself(Value(item)))
          arrived.repeated.push_back({i, number});
        list.push_back(item);
      }
      arrived.items = Value(list);
      for (const std::string& key : stream_keys(arrived, before)) {
        INFO(key);
        CHECK(keys.insert(key).second);
      }
      before += list.size();
    }
  }
}

TEST_CASE("random streams: every item runs to its end, nothing that succeeded runs again, counts are right") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  INFO("FLOWRUN_SEED=" << seed);
  for (unsigned round = 0; round < 60; ++round) {
    std::mt19937 random(seed + round);
    const auto percent = [&](unsigned chance) { return random() % 100 < chance; };
    INFO("round " << round);
    Scenario run(whole(kEach, "output: ${ $steps.each }"));
    int next = 0, succeeded = 0;
    std::set<std::string> done;
    const auto arrive = [&](bool last) {
      std::string items;
      for (unsigned i = random() % 4; i > 0; --i) items += (items.empty() ? "" : ",") + std::to_string(next++);
      run.arrive("each", "[" + items + "]", last);
    };
    const auto end_one = [&] {
      const std::vector<InFlight> flights = run.machine().in_flight();
      if (flights.empty()) return;
      const std::string path = flights[random() % flights.size()].path;
      CHECK(done.count(path) == 0);
      if (percent(20)) return run.fail(path);
      run.succeed(path);
      done.insert(path);
      ++succeeded;
    };
    for (int times = 0; times < 3; ++times) {
      for (int steps = 0; steps < 12; ++steps) {
        if (percent(40)) {
          arrive(false);
        } else if (percent(8)) {
          run.crash_and_resume();
        } else {
          end_one();
        }
      }
      arrive(true);
      while (run.machine().in_flight_count() > 0) end_one();
      REQUIRE(run.machine().phase() == Machine::Phase::Ended);
      CHECK(run.machine().outcome().ok() == (succeeded == next));
      if (run.machine().outcome().ok())
        CHECK(run.machine().outcome().output.json() == Json{{"total", next}, {"succeeded", next}, {"failed", 0}});
      RunReopened more;
      more.stream = "each";
      run.retry(more);
    }
    run.arrive("each", "[]", true);
    while (run.machine().in_flight_count() > 0) run.succeed(run.machine().in_flight().front().path);
    run.expect_success();
  }
}

}  // namespace flowrun::test::stream_test
