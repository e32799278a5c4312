#include "engine/model/time.h"

#include "tests/support/catch.h"

namespace flowrun::test::time_test {
using namespace std::chrono_literals;

TEST_CASE("durations are read as they are written in workflows") {
  REQUIRE(parse_duration("250ms") == 250ms);
  REQUIRE(parse_duration("30s") == 30s);
  REQUIRE(parse_duration("5m") == 5min);
  REQUIRE(parse_duration("2h") == 2h);
  REQUIRE(parse_duration("7d") == 168h);
  REQUIRE(parse_duration("1h30m") == 90min);
  REQUIRE(parse_duration("1d2h3m4s5ms") == 26h + 3min + 4s + 5ms);
  REQUIRE(parse_duration("0s") == 0ms);
}

TEST_CASE("a duration needs its units, each once, from long to short") {
  for (const char* text : {"", "30", "s", "-5s", "+5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5sec", "30m1h", "1h1h",
                           "1h30", "5min", "1w", "99999999999999999999s", "40000d", "1e3s"}) {
    INFO(text);
    REQUIRE_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("a spelled duration reads back as itself") {
  REQUIRE(to_string(90min) == "1h30m");
  REQUIRE(to_string(250ms) == "250ms");
  REQUIRE(to_string(0ms) == "0s");
  REQUIRE(to_string(24h) == "1d");
  for (Duration span : {1ms, 999ms, 1000ms, 61'001ms, 86'400'001ms, 3'600'000ms})
    REQUIRE(parse_duration(to_string(span)) == span);
}

TEST_CASE("durations for people show what matters at their size") {
  REQUIRE(to_display(310ms) == "0.31s");
  REQUIRE(to_display(3s) == "3.00s");
  REQUIRE(to_display(9999ms) == "9.99s");
  REQUIRE(to_display(41'900ms) == "41s");
  REQUIRE(to_display(6min + 2s) == "6m02s");
  REQUIRE(to_display(2h + 5min) == "2h05m");
  REQUIRE(to_display(76h) == "3d04h");
}

TEST_CASE("timestamps are RFC 3339 in UTC with milliseconds") {
  REQUIRE(timestamp(from_millis(0)) == "1970-01-01T00:00:00.000Z");
  REQUIRE(timestamp(from_millis(1'795'423'512'481)) == "2026-11-23T08:45:12.481Z");
  REQUIRE(timestamp(from_millis(-1)) == "1969-12-31T23:59:59.999Z");
}

}  // namespace flowrun::test::time_test
