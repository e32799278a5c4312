#include "engine/model/json_text.h"

#include <cstdint>
#include <limits>

#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::json_text_test {

TEST_CASE("an object that is written member by member is JSON") {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("a", "x\"\\\n\xff");
    object.number("b", -3);
    object.boolean("c", true);
    object.text_if("left_out", "");
    object.number_if("left_out", 0);
    object.true_if("left_out", false);
    object.value_if("left_out", Value());
    object.value("d", Value::from_text("{\"z\":1.10,\"a\":[]}"));
  }
  REQUIRE(out == "{\"a\":\"x\\\"\\\\\\n\xef\xbf\xbd\",\"b\":-3,\"c\":true,\"d\":{\"z\":1.10,\"a\":[]}}");
  REQUIRE(Json::accept(out));

  std::string empty;
  { ObjectWriter object(empty); }
  REQUIRE(empty == "{}");
}

TEST_CASE("whole numbers are written as their digits, to both ends of 64 bits") {
  for (const Json& number : {Json(0), Json(-1), Json(7u), Json(std::numeric_limits<std::int64_t>::min()),
                             Json(std::numeric_limits<std::uint64_t>::max())})
    CHECK(Value(number).text() == number.dump());
  CHECK(Value(Json(1.0)).text() == "1.0");
  CHECK(Value(Json(true)).text() == "true");
}

TEST_CASE("members are read as the text they were") {
  ObjectReader object(R"( {"a" : "}\"]" , "b":{"z":1.10,"a":["]",{}]},"c":-12,"d":true} )");
  REQUIRE(object.next());
  REQUIRE(object.key() == "a");
  REQUIRE(object.text() == "}\"]");
  REQUIRE(object.next());
  REQUIRE(object.raw() == R"({"z":1.10,"a":["]",{}]})");
  REQUIRE(object.next());
  REQUIRE(object.number() == -12);
  REQUIRE(object.next());
  REQUIRE(object.boolean());
  REQUIRE_FALSE(object.next());

  REQUIRE(list_elements(R"([1, "a,b", [2,3] ])") == std::vector<std::string_view>{"1", "\"a,b\"", "[2,3]"});
  REQUIRE(list_elements("[]").empty());
}

TEST_CASE("foreign text is JSON as a whole, or it is none") {
  using namespace std::string_literals;
  for (const std::string& json : {"1"s, " {\"a\":[1,null]} \n"s, "\"\\u0000\""s, "\"é\""s, "-0.5e3"s}) {
    INFO(json);
    CHECK(is_json(json));
    CHECK(json_of(json) == Json::parse(json));
    CHECK(json_of("\xEF\xBB\xBF" + json) == Json::parse(json));
    CHECK_FALSE(is_json("\xEF\xBB\xBF" + json));
    CHECK_FALSE(json_of("\xEF\xBB\xBF\xEF\xBB\xBF" + json));
    // The library stops reading at a NUL.
    for (const std::string& rest : {"\0"s, "\0\0\0"s, "\0rest"s, " \0"s, "x"s, " ]"s, "\xff"s, "// c"s}) {
      CHECK_FALSE(is_json(json + rest));
      CHECK_FALSE(json_of(json + rest));
      CHECK_FALSE(json_of(rest + " " + json));
    }
  }
  for (const std::string& none :
       {""s, " "s, "\0"s, "[1,\0]"s, "{\"a\0\":1}"s, "\"\0\""s, "\"\xff\""s, "\"\xed\xa0\x80\""s, "1e400"s, "01"s,
        "nul"s, "NaN"s, "[1,]"s, "'a'"s, "\"\\ud800\""s, "\xEF\xBB\xBF"s}) {
    INFO(none);
    CHECK_FALSE(is_json(none));
    CHECK_FALSE(json_of(none));
  }
}

TEST_CASE("foreign JSON is as deep as a recursion may go, and says so when it is deeper") {
  const auto nested = [](std::size_t levels, const std::string& open, const std::string& close) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += open;
    text += "0";
    for (std::size_t i = 0; i < levels; ++i) text += close;
    return text;
  };
  const std::pair<std::string, std::string> kinds[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[1, ", ", 2]"}};
  for (const auto& [open, close] : kinds) {
    CHECK(json_of(nested(kDeepestFromOutside, open, close)));
    for (std::size_t levels : {kDeepestFromOutside + 1, std::size_t{300'000}}) {
      const std::string deep = nested(levels, open, close);
      CHECK_FALSE(is_json(deep));
      CHECK_FALSE(json_of(deep));
      CHECK(why_no_json(deep) == "is nested more than 1000 levels deep");
    }
  }
  CHECK(
      json_of("[" + nested(kDeepestFromOutside - 1, "[", "]") + "," + nested(kDeepestFromOutside - 1, "[", "]") + "]"));
}

TEST_CASE("text that ends early or is something else is noticed") {
  const auto read = [](std::string_view text) {
    ObjectReader object(text);
    while (object.next()) {
    }
  };
  for (const char* text : {"", "[]", "3", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":{\"b\":1}",
                           "{\"a\":1 \"b\":2}", "{\"a\":\"x}", "{\"a\":[1}", "{a:1}", "{\"a\":1}x"}) {
    INFO(text);
    REQUIRE_THROWS_AS(read(text), Corruption);
  }
  REQUIRE_THROWS_AS(list_elements("[1,2"), Corruption);
  REQUIRE_THROWS_AS(list_elements("[1,2]]"), Corruption);
  REQUIRE_THROWS_AS(list_elements("[,]"), Corruption);

  ObjectReader object(R"({"a":1})");
  REQUIRE(object.next());
  REQUIRE_THROWS_AS(object.text(), Corruption);
  REQUIRE_THROWS_AS(object.boolean(), Corruption);
}

}  // namespace flowrun::test::json_text_test
