#include "engine/model/outcome.h"

#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::outcome_test {

TEST_CASE("every state has a name and is found by it") {
  for (int i = 0; i <= static_cast<int>(State::Blocked); ++i) {
    const auto state = static_cast<State>(i);
    REQUIRE(state_from(to_string(state)) == state);
  }
  REQUIRE(to_string(State::Succeeded) == "succeeded");
  REQUIRE_THROWS_AS(state_from("done"), Corruption);
}

TEST_CASE("a failure is shown as $error and read back") {
  Failure failure;
  failure.type = "http.503";
  failure.message = "Service Unavailable";
  failure.step = "charge";
  failure.attempt = 5;
  failure.detail = Value(Json{{"http", {{"status", 503}}}});
  const Json json = to_json(failure);
  REQUIRE(json == Json::parse(R"({"type":"http.503","message":"Service Unavailable","step":"charge","attempt":5,
                                  "http":{"status":503}})"));
  const Failure back = failure_from(json);
  REQUIRE(to_json(back) == json);
  REQUIRE(back.detail == failure.detail);

  failure.detail = Value();
  REQUIRE(failure_from(to_json(failure)).detail.is_null());
  REQUIRE_THROWS_AS(failure_from(Json::array()), Corruption);
  REQUIRE_THROWS_AS(failure_from(Json{{"type", 3}}), Corruption);
}

TEST_CASE("a detail does not hide the type of its failure") {
  Failure failure;
  failure.type = "fail";
  failure.detail = Value(Json{{"type", "other"}, {"more", 3}});
  REQUIRE(to_json(failure)["type"] == "fail");
}

}  // namespace flowrun::test::outcome_test
