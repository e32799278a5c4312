// JSON Schema: held to the official test suite where its schemas use keywords of the language, and what else follows
// from decimal numbers, code points and calendars.
#include "engine/language/json_schema.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "engine/run/load.h"
#include "engine/yaml/node.h"
#include "tests/support/catch.h"

namespace flowrun::test::json_schema_test {
namespace {

bool takes(const std::string& schema, const std::string& value) {
  return schema_errors(Json::parse(schema), Json::parse(value)).empty();
}

std::string first_error(const std::string& schema, const std::string& value) {
  std::vector<std::string> errors = schema_errors(Json::parse(schema), Json::parse(value));
  return errors.empty() ? "" : errors.front();
}

}  // namespace

TEST_CASE("a schema judges as the official test suite does", "[schema]") {
  const std::filesystem::path folder = std::filesystem::path(FLOWRUN_SOURCE_DIR) / "tests/language/json_schema_suite";
  std::size_t seen = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    for (const Json& group : Json::parse(read_file(file.path().string())))
      for (const Json& test : group["tests"]) {
        INFO(group["file"] << ": " << group["description"] << ": " << test["description"]);
        INFO(group["schema"] << " and " << test["data"]);
        CHECK(schema_errors(group["schema"], test["data"]).empty() == test["valid"].get<bool>());
        ++seen;
      }
  }
  CHECK(seen >= 271);
}

TEST_CASE("multiples are those of the decimal numbers that are written", "[schema]") {
  for (int cents = 0; cents <= 10'000; ++cents) {
    const std::string price = fmt::format("{}.{:02}", cents / 100, cents % 100);
    INFO(price);
    CHECK(takes(R"({"multipleOf": 0.01})", price));
    CHECK(takes(R"({"multipleOf": 0.05})", price) == (cents % 5 == 0));
    CHECK_FALSE(takes(R"({"multipleOf": 0.01})", price + "5"));
  }
  CHECK(takes(R"({"multipleOf": 1e-300})", "1e300"));
  CHECK(takes(R"({"multipleOf": 3})", "-9223372036854775806"));
  CHECK(takes(R"({"multipleOf": 5})", "18446744073709551615"));
  CHECK_FALSE(takes(R"({"multipleOf": 2})", "18446744073709551615"));
  CHECK_FALSE(takes(R"({"multipleOf": 1e300})", "1e-300"));
}

TEST_CASE("numbers are compared as what they are, beyond 2^53 and 2^63 too", "[schema]") {
  // In ascending order; neighbours that differ by one, or by less.
  const std::vector<std::string> ascending{"-1e300",
                                           "-9223372036854775808",
                                           "-9223372036854775807",
                                           "-9007199254740993",
                                           "-9007199254740992",
                                           "-1.5",
                                           "-1",
                                           "-0.5",
                                           "0",
                                           "1e-300",
                                           "0.5",
                                           "1",
                                           "9007199254740992",
                                           "9007199254740993",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "9223372036854775809",
                                           "18446744073709551614",
                                           "18446744073709551615",
                                           "18446744073709551616.0",
                                           "1e300"};
  for (std::size_t i = 0; i < ascending.size(); ++i)
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      INFO(ascending[i] << " and " << ascending[j]);
      CHECK(takes(R"({"minimum": )" + ascending[i] + "}", ascending[j]) == (j >= i));
      CHECK(takes(R"({"maximum": )" + ascending[i] + "}", ascending[j]) == (j <= i));
      CHECK(takes(R"({"exclusiveMinimum": )" + ascending[i] + "}", ascending[j]) == (j > i));
      CHECK(takes(R"({"exclusiveMaximum": )" + ascending[i] + "}", ascending[j]) == (j < i));
      CHECK(takes(R"({"const": )" + ascending[i] + "}", ascending[j]) == (j == i));
      CHECK(takes(R"({"uniqueItems": true})", "[" + ascending[i] + "," + ascending[j] + "]") == (j != i));
    }
  CHECK(takes(R"({"enum": [1]})", "1.0"));
  CHECK(takes(R"({"const": {"a": [1.0]}})", R"({"a": [1]})"));
  CHECK_FALSE(takes(R"({"uniqueItems": true})", R"([{"a": 1}, {"a": 2}, {"a": 1.0}])"));
  CHECK(takes(R"({"uniqueItems": true})", R"([1, true, "1", [1], {"a": 1}, null, 0, false, ""])"));
}

TEST_CASE("null and whole numbers are of their types however they are written", "[schema]") {
  CHECK(takes(R"({"type": ["string", "null"], "format": "date"})", "null"));
  CHECK(takes(R"({"type": ["string", null]})", "null"));
  CHECK(takes(R"({"type": "integer"})", "3.0"));
  CHECK(takes(R"({"type": "integer"})", "1e3"));
  CHECK_FALSE(takes(R"({"type": "integer"})", "3.5"));
  CHECK_FALSE(takes("false", "1"));
  CHECK(takes("true", "1"));
}

TEST_CASE("texts are measured and matched by code points", "[schema]") {
  CHECK(takes(R"({"pattern": "^.$"})", R"("é")"));
  CHECK(takes(R"({"pattern": "^.$"})", R"("😀")"));
  CHECK_FALSE(takes(R"({"pattern": "[é]"})", R"("Ã")"));
  CHECK(takes(R"({"minLength": 2, "maxLength": 2})", R"("é😀")"));
}

TEST_CASE("a date is one that there is", "[schema]") {
  for (int year : {1900, 1999, 2000, 2023, 2024, 2026})
    for (unsigned month = 0; month <= 13; ++month)
      for (unsigned day = 0; day <= 32; ++day) {
        using namespace std::chrono;
        const bool there =
            year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)).ok();
        const std::string text = fmt::format("\"{}-{:02}-{:02}\"", year, month, day);
        INFO(text);
        CHECK(takes(R"({"format": "date"})", text) == there);
        CHECK(takes(R"({"format": "date-time"})", text.substr(0, 11) + "T00:00:00Z\"") == there);
      }
  auto is = [](const std::string& text) { return takes(R"({"format": "date-time"})", '"' + text + '"'); };
  for (const char* good : {"2026-02-28T13:45:00Z", "2026-02-28t13:45:00.123456789z", "2026-02-28T23:59:59-23:59",
                           "1998-12-31T23:59:60Z", "1998-12-31T15:59:60.5-08:00", "2015-07-01T01:59:60+02:00"}) {
    INFO(good);
    CHECK(is(good));
  }
  for (const char* bad :
       {"2026-02-29T13:45:00Z", "2026-02-28T24:00:00Z", "2026-02-28T13:60:00Z", "2026-02-28T13:45:60Z",
        "1998-12-31T22:59:60Z", "2026-03-31T23:59:60Z", "2026-02-28T13:45:00", "2026-02-28 13:45:00Z",
        "2026-02-28T13:45:00.Z", "2026-02-28T13:45:00+24:00", "2026-02-28T13:45:00+0100", "2026-02-28T13:45Z",
        "2026-2-28T13:45:00Z", "+2026-02-28T13:45:00Z", "2026-02-28T13:45:00Z ", "٢026-02-28T13:45:00Z", ""}) {
    INFO(bad);
    CHECK_FALSE(is(bad));
  }
}

TEST_CASE("what is wrong with a value is said with its place", "[schema]") {
  CHECK(first_error(R"({"type": "integer"})", R"("7")") == "it must be of type integer, not text");
  CHECK(first_error(R"({"properties": {"l": {"items": {"type": "string"}}}})", R"({"l": ["a", 1]})") ==
        ".l[1]: it must be of type string, not a whole number");
  CHECK(first_error(R"({"properties": {"a b": {"const": 1}}})", R"({"a b": 2})") == "[\"a b\"]: it must be 1");
  CHECK(first_error(R"({"required": ["rows"]})", "{}") == "`rows` is missing");
  CHECK(first_error(R"({"additionalProperties": false})", R"({"x": 1})") == "`x` is not among its properties");
  CHECK(first_error(R"({"anyOf": [{"type": "null"}, {"minimum": 3}]})", "2") ==
        "it satisfies none of `anyOf`: it must be of type null, not a whole number; or it must be at least 3");
  // A thousand mistakes are no thousand lines.
  CHECK(schema_errors({{"items", {{"type", "string"}}}}, Json(std::vector<int>(1000, 1))).size() <= 10);
}

TEST_CASE("a schema has an answer for every value, in time", "[schema][timing]") {
  Json many = Json::array();
  for (int i = 0; i < 20'000; ++i) many.push_back({{"id", i}, {"at", std::to_string(i)}});
  const auto before = std::chrono::steady_clock::now();
  CHECK(schema_errors({{"uniqueItems", true}, {"items", {{"properties", {{"at", {{"pattern", "^[0-9]+$"}}}}}}}}, many)
            .empty());
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
}

}  // namespace flowrun::test::json_schema_test
