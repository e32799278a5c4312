// Requests as bytes: what is read, what is refused, and that it does not matter in which pieces they come.
#include "engine/restate/http_parser.h"

#include <fmt/format.h>

#include <random>

#include "tests/support/catch.h"

namespace flowrun::test::http_parser_test {
namespace {

using restate::HttpMessage;
using restate::HttpParser;

constexpr restate::HttpLimits kSmall{200, 100};

/// All requests in |bytes|, given in pieces of |piece|, as `METHOD TARGET [body]`; a refusal as its status at the end.
std::string read(std::string_view bytes, std::size_t piece) {
  std::string text;
  HttpParser parser(kSmall);
  while (!bytes.empty()) {
    const std::size_t taken = parser.feed(bytes.substr(0, piece));
    bytes.remove_prefix(taken);
    if (parser.refusal()) return text + std::to_string(parser.refusal());
    if (parser.complete()) {
      const HttpMessage message = parser.take();
      text += fmt::format("{} {} [{}]{} ", message.method, message.target, message.body,
                          message.keep_alive ? "" : " close");
    } else if (taken == 0) {
      return text + "stuck";
    }
  }
  return text + (parser.begun() ? "more" : "");
}

struct Row {
  std::string_view bytes, read;
};

constexpr Row kTable[] = {
    // Read.
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / [] "},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / [] "},
    {"GET /?q=a%20b HTTP/1.1\r\nhOsT:a\r\n\r\n", "GET /?q=a%20b [] "},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "GET / [] close "},
    {"GET / HTTP/1.0\r\n\r\n", "GET / [] close "},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / [] "},
    {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET", "POST /a [abc] more"},
    {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST /a [] "},
    {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST /a [abc] "},
    {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
     "1;x=y\r\na\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "POST /a [a0123456789] GET / [] "},
    {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "POST /a [a] GET / [] "},
    {"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", "POST /a [a] "},
    {"GET / HTTP/1.1\r\nHost: a\r\n", "more"},
    // Refused: the request line.
    {"GET /\r\n\r\n", "400"},
    {"GET  HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET / a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400"},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "505"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
    {"\x16\x03\x01\x02\n", "400"},
    // Lines.
    {"GET / HTTP/1.1\nHost: a\n\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\n x: y\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nx: a\x01\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "400"},
    // How long it is.
    {"GET / HTTP/1.1\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "413"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", "413"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", "400"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: money\r\n\r\n", "417"},
    // Chunks.
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\ra\r\na\r\n0\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: \r1\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n", "400"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", "413"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "400"},
};

}  // namespace

TEST_CASE("a request is read or refused, in whatever pieces it comes") {
  for (const Row& row : kTable) {
    INFO(row.bytes);
    for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, row.bytes.size()})
      CHECK(read(row.bytes, piece) == row.read);
  }
}

TEST_CASE("headers without an end, and lines between chunks without an end, are refused") {
  CHECK(read("GET / HTTP/1.1\r\nx: " + std::string(300, 'a'), 10) == "431");
  CHECK(read("GET /" + std::string(300, 'a'), 300) == "431");
  // What is wrong behind the limit is not looked at, in whatever pieces it comes.
  for (std::size_t piece : {1, 50, 400}) CHECK(read("GET /" + std::string(300, 'a') + "\n", piece) == "431");
  std::string many = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
  CHECK(read(many + std::string(5000, 'x'), 100) == "400");
  for (int i = 0; i < 100; ++i) many += "x: y\r\n";
  CHECK(read(many, 100) == "431");
}

TEST_CASE("who waits for a 100 is known once its headers are there") {
  HttpParser parser;
  parser.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(parser.takes_expectation());
  CHECK_FALSE(parser.takes_expectation());
  parser.feed("ab");
  CHECK(parser.complete());
}

TEST_CASE("random bytes and changed requests are read the same in all pieces") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 dice(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(kTable[dice() % std::size(kTable)].bytes);
    for (unsigned changes = dice() % 4; changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = dice() % bytes.size();
      if (dice() % 2)
        bytes[at] = static_cast<char>(dice());
      else
        bytes.insert(at, kTable[dice() % std::size(kTable)].bytes.substr(0, dice() % 40));
    }
    const std::string whole = read(bytes, bytes.size() + 1);
    INFO(bytes);
    CHECK(read(bytes, 1) == whole);
    CHECK(read(bytes, 1 + dice() % 9) == whole);
    CHECK(whole.find("stuck") == std::string::npos);
  }
}

}  // namespace flowrun::test::http_parser_test
