// What must not get through, in all its spellings and at every border between two pieces.
#include "engine/executor/mask.h"

#include <string>

#include "engine/model/encode.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"

namespace flowrun::test::mask_test {
namespace {

Mask mask_of(const std::string& secret) {
  Mask mask;
  mask.add(secret);
  return mask;
}

std::string streamed(const Mask& mask, const std::string& text, std::size_t piece) {
  Mask::Stream stream(mask);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) out += stream.pass(std::string_view(text).substr(at, piece));
  return out += stream.rest();
}

}  // namespace

TEST_CASE("a secret is masked wherever it stands in a text", "[mask]") {
  Mask mask = mask_of("hunter2-token");
  CHECK(mask.text("a hunter2-token, and hunter2-token") == "a ***, and ***");
  CHECK(mask.text("hunter2-tokenhunter2-token!") == "***!");
  CHECK(mask.text("hunter2-toke") == "hunter2-toke");
  CHECK(mask.text("") == "");
  CHECK(Mask().text("hunter2-token") == "hunter2-token");
}

TEST_CASE("a short secret is not masked: *** in every test would tell it", "[mask]") {
  CHECK(mask_of("12345").empty());
  CHECK(mask_of("123456").text("0123456789") == "0***789");
}

TEST_CASE("of two secrets that overlap nothing is left", "[mask]") {
  Mask mask;
  mask.add("abcdefgh");
  mask.add("efghijkl");
  mask.add("cdefgh");
  CHECK(mask.text("-abcdefghijkl-") == "-***-");
}

TEST_CASE("base64 of a secret is masked, also within base64 of more", "[mask]") {
  const std::string secret = "s3cr3t?>value";
  Mask mask = mask_of(secret);
  for (const char* before : {"", "u", "us", "user:"}) {
    for (const char* behind : {"", "x", "xy", "\n"}) {
      std::string text = base64(before + secret + behind);
      INFO(text);
      CHECK(mask.text(text).find("***") != std::string::npos);
      CHECK(mask.text(text).size() < text.size() - 8);
    }
  }
  CHECK(mask.text("dXNlcjpzM2NyM3Q_PnZhbHVl").find("***") != std::string::npos);
  std::string lines = base64(std::string(100, 'k') + secret);
  Mask longer = mask_of(std::string(100, 'k') + secret);
  CHECK(longer.text(lines.substr(0, 76) + "\n" + lines.substr(76)).find("a2tr") == std::string::npos);
}

TEST_CASE("percent-encoded and JSON-escaped secrets are masked", "[mask]") {
  Mask mask = mask_of("pa/ss w\"rd!\xc3\xa9");
  for (const char* form : {"pa%2Fss%20w%22rd%21%C3%A9", "pa%2fss%20w%22rd%21%c3%a9", "pa%2Fss+w%22rd%21%C3%A9",
                           "pa/ss%20w%22rd%21%C3%A9", "pa/ss%20w%22rd!%C3%A9",
                           R"(pa/ss w\"rd!)"
                           "\xc3\xa9",
                           R"(pa\/ss w\"rd!)"
                           "\xc3\xa9",
                           R"(pa/ss w\"rd!\u00e9)"}) {
    INFO(form);
    CHECK(mask.text(form) == "***");
  }
}

TEST_CASE("each line of a key is masked, and each text of a JSON document", "[mask]") {
  Mask key = mask_of("-----BEGIN KEY-----\r\nabcdefghij\r\nklm\r\n");
  CHECK(key.text("x abcdefghij klm") == "x *** klm");
  Mask document = mask_of(R"({"user": "jo", "nested": [{"key": "line one\nline two"}]})");
  CHECK(document.text("line one, line two, jo") == "***, ***, jo");
  CHECK(document.text(R"("line one\nline two")") == R"("***")");
}

TEST_CASE("a masked JSON text is a JSON text", "[mask]") {
  Mask mask = mask_of("12345678");
  CHECK(mask.json(R"({"a":12345678,"12345678":[1,"x 12345678"],"b":1.50})") ==
        R"({"a":"***","***":[1,"x ***"],"b":1.50})");
  CHECK(mask.json(R"(["1234\u0035678"])") == R"(["***"])");
  CHECK(mask.json(R"(["\\12345678"])") == R"(["\\***"])");
  CHECK(mask.json("12345678") == R"("***")");
  CHECK(mask.json("null") == "null");
  CHECK(mask_of("{\"a\":\"b\"}").json(R"([{"a":"b"},"{\"a\":\"b\"}"])") == R"([{"a":"b"},"***"])");
}

TEST_CASE("a text that was cut does not show the beginning of a secret", "[mask]") {
  Mask mask = mask_of("hunter2-token");
  CHECK(mask.text("is hunter2-tok", true) == "is ***");
  CHECK(mask.text("is h", true) == "is ***");
  CHECK(mask.text("is hunter2-token", true) == "is ***");
  CHECK(mask.text("is it", true) == "is it");
}

TEST_CASE("a secret is masked in a stream, whatever the pieces", "[mask]") {
  Mask mask;
  mask.add("hunter2-token");
  mask.add("token-of-more");
  mask.add("first line\nsecond line\n");
  const std::string text = "a hunter2-token-of-more b hunter2-tokehunter2-token first line\nsecond line\nfirst line\n" +
                           base64("hunter2-token") + " hunter2";
  const std::string wanted = mask.text(text);
  CHECK(wanted.find("***") != std::string::npos);
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    INFO("pieces of " << piece);
    CHECK(streamed(mask, text, piece) == wanted);
  }
}

TEST_CASE("a stream lets through at once what can be no secret", "[mask]") {
  Mask mask = mask_of("hunter2-token");
  Mask::Stream stream(mask);
  CHECK(stream.pass("hello hun") == "hello ");
  CHECK(stream.pass("gry") == "hungry");
  CHECK(stream.rest().empty());
  Mask none;
  Mask::Stream open(none);
  CHECK(open.pass("all") == "all");
}

}  // namespace flowrun::test::mask_test
