// Foreign JSON is taken by its scanner as the library of values takes it.
#include "engine/model/json_scan.h"

#include <iterator>
#include <random>
#include <string>

#include "engine/model/json_text.h"
#include "tests/fuzz/targets.h"
#include "tests/support/catch.h"

namespace flowrun::test::json_scan_test {
namespace {

using namespace std::string_literals;

void compare(const std::string& text) { fuzz_json(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()); }

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

/// A text that is mostly JSON.
class Writer {
 public:
  explicit Writer(std::mt19937_64& random) : random_(random) {}

  std::string value(int depth = 0) {
    const auto kind = below(depth > 4 ? 5 : 8);
    if (kind == 0) return pick({"null", "true", "false"});
    if (kind <= 2) return number();
    if (kind <= 4) return string();
    const bool list = kind <= 6;
    std::string text(1, list ? '[' : '{');
    for (std::uint64_t i = 0, size = below(5); i < size; ++i) {
      if (i > 0) text += blank() + ",";
      text += blank();
      if (!list) text += string() + blank() + ":" + blank();
      text += value(depth + 1);
    }
    return text + blank() + (list ? "]" : "}");
  }

  /// |text| with a few bytes changed, taken out, put in or repeated.
  std::string damaged(std::string text) {
    for (std::uint64_t i = 0, times = 1 + below(3); i < times && !text.empty(); ++i) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        case 2:
          text.insert(at, pick({"\"",   "\\",       "\\u",      "\\ud8", "[",    "]",     "{",
                                "}",    ",",        ":",        "0",     "-",    ".",     "e9",
                                "\xED", "\xA0\x80", "\xF0\x9F", "\t",    "\x01", "1e308", "99999999999999999999"}));
          break;
        default:
          text.insert(at, text.substr(at, below(20)));
      }
    }
    return text;
  }

  std::uint64_t below(std::uint64_t most) { return random_() % most; }

 private:
  std::string pick(std::initializer_list<const char*> of) { return *std::next(of.begin(), below(of.size())); }
  std::string blank() { return pick({"", "", "", " ", "\n  ", "\t", "\r\n"}); }
  std::string string() {
    std::string text = "\"";
    for (std::uint64_t i = 0, size = below(40); i < size; ++i)
      text +=
          pick({"a", "B", "7", " ", ",", "}", "\\\"", "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00", "é", "李", "😀", "]"});
    return text + "\"";
  }
  std::string number() {
    std::string text = pick({"", "", "-"});
    text += std::to_string(random_() >> below(64));
    if (below(3) == 0) text += "." + std::to_string(random_() >> below(64));
    if (below(4) == 0) text += pick({"e", "E", "e+", "e-"}) + std::to_string(below(330));
    return text;
  }

  std::mt19937_64& random_;
};

}  // namespace

TEST_CASE("what a server usually answers is taken at one look") {
  for (const std::string& text :
       {"1"s, "\"é\""s, " {\"a\":[1,null,true,-0.5e3,\"\\u0000\"]} \n"s,
        "[18446744073709551615,-9223372036854775808,1e308]"s, "{\"a\":1,\"a\":2}"s, nested(900)}) {
    INFO(text);
    CHECK(scans_as_json(text));
    CHECK(scanned_json(text) == Json::parse(text));
  }
}

TEST_CASE("what can not be kept is never taken at one look") {
  for (const std::string& text : {""s, " "s, "[1,]"s, "01"s, "nul"s, "1 2"s, "1e400"s, "-1e400"s,
                                  "18446744073709551616"s, "-9223372036854775809"s, "\"\xff\""s, "\"\xed\xa0\x80\""s,
                                  "\"\\ud800\""s, "\"\t\""s, "'a'"s, "[1]\0"s, nested(1001), nested(300'000)}) {
    INFO(shortened(text, 100));
    CHECK_FALSE(scans_as_json(text));
    CHECK_FALSE(scanned_json(text));
    CHECK_FALSE(is_json(text));
  }
}

TEST_CASE("texts of all sizes and depths are taken as the library takes them") {
  for (std::size_t levels : {998, 999, 1000, 1001, 1002, 1023, 1024, 1025}) CHECK_NOTHROW(compare(nested(levels)));
  for (std::size_t size :
       {1, 30, 31, 32, 33, 62, 63, 64, 65, 4095, 4096, 4097, 300'000, 4'194'303, 4'194'304, 5'000'000}) {
    CHECK_NOTHROW(compare("\"" + std::string(size, 'x') + "\""));
    CHECK_NOTHROW(compare("[" + std::string(size, ' ') + "1]"));
    CHECK_NOTHROW(compare("[\"" + std::string(size, 'x') + "\xC3"));
  }
}

TEST_CASE("texts made by chance are taken as the library takes them") {
  const std::uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Writer writer(random);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = writer.value();
    INFO(text);
    REQUIRE_NOTHROW(compare(text));
    const std::string wrong = writer.damaged(text);
    INFO(wrong);
    REQUIRE_NOTHROW(compare(wrong));
  }
}

}  // namespace flowrun::test::json_scan_test
