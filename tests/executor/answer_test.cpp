// Every answer, good or hostile, under every `response`: a value or an error of a documented type.
#include "engine/executor/answer.h"

#include <fmt/format.h>
#include <zlib.h>

#include <map>

#include "engine/model/json_text.h"
#include "tests/support/catch.h"

namespace flowrun::test::answer_test {
using namespace std::string_literals;

namespace {

using Response = HttpRequest::Response;

const std::map<std::string, Response> kModes{{"auto", Response::Auto},
                                             {"json", Response::Json},
                                             {"text", Response::Text},
                                             {"base64", Response::Base64},
                                             {"none", Response::None}};

std::string packed(const std::string& text, int window = MAX_WBITS + 16) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 200, 0);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Sent {
  std::string type, body;
  std::string coding = "";
  long status = 200;
};

Result result(const Sent& sent, Response response, std::int64_t most = 8 << 20, std::size_t piece = 7) {
  Task task;
  HttpRequest request;
  request.response = response;
  request.expect = {{200, 299}};
  request.max_response = most;
  task.work = std::move(request);
  Body body(sent.status == 200 ? Body::For::Value : Body::For::People, sent.coding, most);
  for (std::size_t at = 0; at < sent.body.size(); at += piece)
    if (!body.take(std::string_view(sent.body).substr(at, piece))) break;
  body.finish();
  HttpAnswer answer;
  answer.status = sent.status;
  answer.method = "GET";
  answer.url = "http://shop/";
  answer.content_type = sent.type;
  answer.body = body.text();
  answer.cut = body.cut();
  answer.broken = body.broken();
  if (body.too_long()) answer.broken = "is too long";
  return result_of(task, answer, Mask(), from_millis(1'800'000'000'000));
}

/// The value as JSON, or the type of the error.
std::string shown(const Sent& sent, const std::string& mode) {
  const Result got = result(sent, kModes.at(mode));
  return got.failure ? got.failure->type : got.value.text();
}

/// By mode in the order of their names: auto, base64, json, none, text.
std::string row(const Sent& sent) {
  std::string all;
  for (const auto& [mode, response] : kModes) all += (all.empty() ? "" : " | ") + shown(sent, mode);
  return all;
}

}  // namespace

TEST_CASE("a body is what its type and `response` say, in every mode") {
  CHECK(row({"application/json", R"({"a": 1})"}) == R"({"a":1} | "eyJhIjogMX0=" | {"a":1} | null | "{\"a\": 1}")");
  CHECK(row({"text/plain", "hi"}) == R"("hi" | "aGk=" | parse | null | "hi")");
  CHECK(row({"", "\xff\xfe"s}) == "\"//4=\" | \"//4=\" | parse | null | \"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  // Nothing reads alike, whatever the status: HEAD, 204 and an empty body are the same here.
  CHECK(row({"application/json", ""}) == R"(null | "" | null | null | "")");
  CHECK(row({"text/plain", ""}) == R"("" | "" | null | null | "")");
  CHECK(row({"", ""}) == R"("" | "" | null | null | "")");
  CHECK(row({"application/json", "", "gzip"}) == R"(null | "" | null | null | "")");
  // The library's parser would stop at a NUL.
  CHECK(row({"application/json", "{\"a\":1}\0"s}) == R"(parse | "eyJhIjoxfQA=" | parse | null | "{\"a\":1}\u0000")");
  CHECK(row({"application/json", "123\0rest"s}) == R"(parse | "MTIzAHJlc3Q=" | parse | null | "123\u0000rest")");
  CHECK(row({"text/plain", "a\0b"s}) == R"("a\u0000b" | "YQBi" | parse | null | "a\u0000b")");
  CHECK(row({"application/json", "\xEF\xBB\xBF[]"}).starts_with("[] | "));
  CHECK(row({"application/json", "\xEF\xBB\xBF\xEF\xBB\xBF[]"}).starts_with("parse | "));
  CHECK(row({"application/json", "\xEF\xBB\xBF"}).starts_with("parse | "));
}

TEST_CASE("types of one JSON value are JSON, those of a sequence are text") {
  for (const char* type :
       {"application/json", "APPLICATION/JSON ; charset=utf-8", "text/json", "application/problem+json",
        "application/x-json", "application/vnd.api+json;v=1", "application/x-amz-json-1.1", "application/json-rpc"})
    CHECK(says_json(type));
  for (const char* type :
       {"application/x-ndjson", "application/ndjson", "application/json-seq", "application/geo+json-seq",
        "application/jsonl", "application/x-jsonlines", "application/stream+json", "text/plain", "application/json5",
        "json", "", "/", "text/html; profile=json", "application/javascript"})
    CHECK_FALSE(says_json(type));
  CHECK(row({"application/x-ndjson", "{}\n{}\n"}) == R"("{}\n{}\n" | "e30Ke30K" | parse | null | "{}\n{}\n")");
  CHECK(shown({"application/json-seq", "\x1e{}\n"}, "auto") == R"("\u001e{}\n")");
}

TEST_CASE("lines of JSON are a list, and the line that is none is named") {
  auto lines = [](const Sent& sent) {
    const Result got = result(sent, Response::Jsonl);
    return got.failure ? got.failure->type + ": " + got.failure->message : got.value.text();
  };
  CHECK(lines({"application/x-ndjson", "{\"a\": 1}\n\n2\r\n"}) == R"([{"a":1},2])");
  CHECK(lines({"", "[]"}) == "[[]]");
  CHECK(lines({"", ""}) == "[]");
  CHECK(lines({"text/plain; charset=iso-8859-1", "\"\xe9\"\n1"}) == "[\"é\",1]");
  CHECK(lines({"", "1\nno\n"}) == "parse: line 2 of the answer to GET http://shop/ is not JSON: no");
}

TEST_CASE("text is taken in the charset that it names") {
  CHECK(row({"text/plain; charset=iso-8859-1", "caf\xe9"}) == "\"café\" | \"Y2Fm6Q==\" | parse | null | \"café\"");
  CHECK(shown({"text/html;Charset=\"windows-1252\"", "\x80"}, "auto") == "\"€\"");
  CHECK(shown({"application/xml; charset=utf-16le", "h\0i\0"s}, "auto") == "\"hi\"");
  CHECK(shown({"text/plain; x=\";charset=utf-16\"; charset=koi8-r", "\xc1"}, "text") == "\"а\"");
  CHECK(shown({"text/plain; charset=utf-8", "\xff"}, "auto") == "\"/w==\"");
  // JSON is UTF-8; what is not may still be what its type says.
  CHECK(shown({"application/json; charset=iso-8859-1", "\"é\""}, "auto") == "\"é\"");
  CHECK(shown({"application/json; charset=iso-8859-1", "\"\xe9\""}, "auto") == "\"é\"");
  CHECK(shown({"text/plain; charset=us-ascii", "é"}, "auto") == "\"é\"");
  for (const char* charset : {"x-klingon", "", "utf-16//IGNORE", "../../x", "\"a b\""}) {
    const Sent sent{fmt::format("text/plain; charset={}", charset), "abc"};
    INFO(sent.type);
    const bool none = *charset == 0;
    CHECK(shown(sent, "auto") == (none ? "\"abc\"" : "parse"));
    CHECK(shown(sent, "text") == (none ? "\"abc\"" : "parse"));
    CHECK(shown(sent, "base64") == "\"YWJj\"");
  }
  CHECK(result({"text/plain; charset=x-klingon", "abc"}, Response::Auto).failure->message.find("x-klingon") !=
        std::string::npos);
  CHECK(shown({"text/plain; charset=us-ascii", "\xff"}, "auto") == "parse");
  // Of other types the charset is not the last word.
  CHECK(shown({"application/octet-stream; charset=binary", "\xff"}, "auto") == "\"/w==\"");
}

TEST_CASE("what is packed is unpacked to its end, or is an error") {
  const std::string json = R"({"a":[1,2,3]})", type = "application/json";
  for (const char* coding : {"gzip", "X-GZIP", " gzip "}) CHECK(shown({type, packed(json), coding}, "auto") == json);
  CHECK(shown({type, packed(json, MAX_WBITS), "deflate"}, "auto") == json);
  CHECK(shown({type, json, "identity"}, "auto") == json);
  CHECK(shown({type, packed(R"({"a":)") + packed("[1,2,3]}"), "gzip"}, "auto") == json);
  const std::string whole = packed(json);
  for (std::size_t size = 1; size < whole.size(); ++size)
    for (const auto& [mode, response] : kModes) {
      if (response == Response::None) continue;
      INFO(size << " bytes, " << mode);
      REQUIRE(shown({type, whole.substr(0, size), "gzip"}, mode) == "parse");
    }
  CHECK(shown({type, whole + "x", "gzip"}, "auto") == "parse");
  CHECK(shown({type, json, "gzip"}, "auto") == "parse");
  for (const char* coding : {"br", "zstd", "gzip, gzip", "\xff"}) CHECK(shown({type, json, coding}, "text") == "parse");
  // A bomb goes off within its limit.
  const Result bomb = result({type, packed(std::string(5'000'000, ' ')), "gzip"}, Response::Text, 1000, 100000);
  CHECK(bomb.failure->message.find("too long") != std::string::npos);
  CHECK(bomb.value.text().size() <= 1002);
}

TEST_CASE("an error keeps the beginning of its body, whatever it is packed in, and asks for no more") {
  Body body(Body::For::People, "", 8 << 20);
  std::size_t taken = 0;
  const std::string piece(10000, 'x');
  while (taken < 1'000'000'000 && body.take(piece)) taken += piece.size();
  CHECK(taken <= 8 << 20);
  CHECK(body.text().size() == 64 << 10);
  CHECK(body.cut());
  Body file(Body::For::People, "", std::int64_t{64} << 30);
  for (taken = 0; taken < 1'000'000'000 && file.take(piece);) taken += piece.size();
  CHECK(taken <= 8 << 20);

  Result bad = result({"application/json", R"({"why":"no"})", "", 500}, Response::Auto);
  CHECK(bad.failure->type == "http.500");
  CHECK(bad.failure->detail.json()["http"]["body"]["why"] == "no");
  CHECK(result({"application/json", packed("[1]"), "gzip", 500}, Response::Auto).value.text() == "[1]");
  CHECK(result({"text/plain; charset=iso-8859-1", "\xe9", "", 500}, Response::Json).value.text() == "\"é\"");
  for (const Sent& odd : {Sent{"application/json", "{\0"s, "", 500}, Sent{"text/plain; charset=x-y", "\xff", "", 500},
                          Sent{"text/plain", "\x1f\x8b", "gzip", 500}, Sent{"", "abc", "br", 500}}) {
    bad = result(odd, Response::File);
    CHECK(bad.failure->type == "http.500");
    CHECK(is_json(bad.failure->detail.text()));
  }
}

TEST_CASE("Retry-After is a count or a date, and is waited for a day at most") {
  auto waits = [](const std::string& after) {
    Task task;
    HttpRequest request;
    request.expect = {{200, 299}};
    task.work = std::move(request);
    HttpAnswer answer;
    answer.status = 503;
    answer.retry_after = after;
    return result_of(task, answer, Mask(), from_millis(1'800'000'000'000));  // 2027-01-15 08:00:00
  };
  CHECK(waits("7").retry_after == Duration{7000});
  for (const char* date :
       {"Fri, 15 Jan 2027 08:01:00 GMT", "Friday, 15-Jan-27 08:01:00 GMT", "Fri Jan 15 08:01:00 2027"})
    CHECK(waits(date).retry_after == Duration{60000});
  CHECK(waits("Fri, 15 Jan 2027 07:00:00 GMT").retry_after == Duration{0});
  for (const char* none : {"", "soon", "-1", "1.5", "15 Jan", "Fri, 15 Jan 2027 08:01:00 GMT and more"})
    CHECK_FALSE(waits(none).retry_after);
  for (const char* absurd : {"86401", "999999999", "99999999999999999999999", "Fri, 15 Jan 9999 08:00:00 GMT"}) {
    const Result result = waits(absurd);
    CHECK(result.retry_after == kLongestRetryAfter);
    CHECK(result.failure->message.find("1d are waited") != std::string::npos);
  }
  CHECK(waits("86400").failure->message == waits("7").failure->message);
}

}  // namespace flowrun::test::answer_test
