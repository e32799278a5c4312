// Bytes become values.
#include "engine/executor/capture.h"
#include "tests/support/catch.h"

namespace flowrun::test::capture_test {
namespace {

std::string json_of(const std::string& text) {
  auto value = json_value(text, "it");
  if (auto* failure = std::get_if<Failure>(&value)) return failure->type + ": " + failure->message;
  return std::get<Value>(value).text();
}

}  // namespace

TEST_CASE("JSON loses its blanks and nothing else") {
  CHECK(json_of(" {\n\t\"b\" : [ 1.0, -0 , 1e5, 18446744073709551615 ] ,\r\n \"a\":\" \\\" \\\\\" }\n") ==
        R"({"b":[1.0,-0,1e5,18446744073709551615],"a":" \" \\"})");
  CHECK(json_of("\xEF\xBB\xBF 1 ") == "1");
  CHECK(json_of("\"a  b\"") == "\"a  b\"");
}

TEST_CASE("what is no JSON is refused with its beginning") {
  CHECK(json_of("  \n") == "parse: it is empty, but must be JSON");
  CHECK(json_of("{'a': 1}") == "parse: it is not JSON: {'a': 1}");
  for (const char* text : {"1 2", "[1,]", "nan", "1e400", "18446744073709551616", "-9223372036854775809", "\"\xff\"",
                           "\"\\ud800\"", "[", "\"", "tru", "01"})
    CHECK(json_of(text).substr(0, 5) == "parse");
  CHECK(json_of(std::string(100, 'x')).size() < 120);
}

TEST_CASE("JSON may be deep, but not bottomless") {
  CHECK(json_of(std::string(1000, '[') + std::string(1000, ']')).size() == 2000);
  CHECK(json_of(std::string(1001, '[') + std::string(1001, ']')).find("deep") != std::string::npos);
}

TEST_CASE("a tail is the last lines, as valid UTF-8") {
  CHECK(tail_lines("", 3) == "");
  CHECK(tail_lines("\n", 3) == "");
  CHECK(tail_lines("a\nb\nc\nd\n", 2) == "c\nd");
  CHECK(tail_lines("a\nb", 2) == "a\nb");
  CHECK(tail_lines("one", 2) == "one");
  CHECK(tail_lines("a\n\n\nb\n", 2) == "\nb");
  CHECK(tail_lines("caf\xe9\n", 2) == "caf\xEF\xBF\xBD");
}

TEST_CASE("lines may end as on Windows, and begin with a byte order mark") {
  auto lines = [](const std::string& text) {
    return std::get<Value>(captured(Process::Capture::Lines, text, std::nullopt)).text();
  };
  CHECK(lines("a\r\nb\nc") == R"(["a","b","c"])");
  CHECK(lines("\xEF\xBB\xBF"
              "a\r\n\r\n") == R"(["a",""])");
  CHECK(lines("a\rb\r\r\n") == R"(["a\rb\r"])");
  CHECK(lines("\xEF\xBB\xBF") == "[]");
}

TEST_CASE("bytes are kept as base64") {
  auto bytes = [](const std::string& text) {
    return std::get<Value>(captured(Process::Capture::Base64, text, std::nullopt)).text();
  };
  CHECK(bytes(std::string("\x00\xff\n", 3)) == "\"AP8K\"");
  CHECK(bytes("") == "\"\"");
}

TEST_CASE("a cut output is its beginning and its end, in whole characters") {
  CHECK(cut_value("a\n", "\xA9z", 7).text() == R"({"left_out":7,"head":"a\n","tail":"z"})");
}

}  // namespace flowrun::test::capture_test
