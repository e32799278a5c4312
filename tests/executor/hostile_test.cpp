// A server that says what no server should: each time a value or an error of a documented type, soon, and no more
// memory than max_response has. What follows from bodies alone is in answer_test.cpp.
#include <fmt/format.h>
#include <signal.h>

#include <array>

#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"
#include "tests/support/program.h"

namespace flowrun::test::hostile_test {
using namespace std::string_literals;

namespace {

using Response = HttpRequest::Response;
constexpr std::array kModes{Response::Auto,   Response::Json, Response::Text,
                            Response::Base64, Response::None, Response::File};

struct Case {
  std::string what;          ///< an answer, or what begins one
  std::string type;          ///< of the error; empty: it is a good answer
  std::string goes_on = "";  ///< again and again, until the client has had enough
};

Task get(const std::string& url, Response response) {
  Task task;
  task.path = "call";
  HttpRequest request;
  request.url = url;
  request.expect = {{200, 299}};
  request.response = response;
  request.max_response = 100'000;
  task.work = std::move(request);
  task.keep_raw = true;
  task.timeout = Duration{30000};
  return task;
}

void check(const Case& one, Response response) {
  INFO(one.what.substr(0, 80) << " as " << static_cast<int>(response));
  RawServer server([&](int client, int) {
    RawServer::request(client);
    const auto say = [&](const std::string& text) {
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t sent = send(client, text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += static_cast<std::size_t>(sent);
      }
      return true;
    };
    if (!say(one.what)) return;
    while (!one.goes_on.empty() && say(one.goes_on)) continue;
  });
  Pool pool(0, 64, 1);
  const Result result = pool.run(get(server.url(), response));
  if (one.type.empty()) {
    INFO((result.failure ? result.failure->message : ""));
    CHECK(result.ok());
  } else {
    REQUIRE(result.failure);
    INFO(result.failure->message);
    CHECK(result.failure->type == one.type);
    CHECK(result.failure->message.size() < 3000);
    CHECK(result.value.text().size() < 200'000);
  }
  CHECK(result.sent);
  pool.close();
  // Whatever became of it, nothing incomplete is left.
  std::size_t files = 0;
  if (std::filesystem::exists(pool.run_dir()))
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(pool.run_dir())) ++files;
  CHECK(files == (response == Response::File && result.ok() ? 1u : 0u));
}

const std::string kOk = "HTTP/1.1 200 OK\r\n", kEmpty = "Content-Length: 0\r\n\r\n";

}  // namespace

TEST_CASE("hostile answers are errors with a name, under every `response`") {
  const std::vector<Case> cases{
      // The first line.
      {"nonsense\r\n\r\n", "parse"},
      {"hello", "parse"},
      {std::string(300'000, 'a'), "parse"},
      {"HTTP/1.1\r\n\r\n", "parse"},
      {"HTTP/7.1 200 OK\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 000 OK\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 -20 OK\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 99999999999 OK\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 999 what\r\n" + kEmpty, "http.999"},
      {"HTTP/1.1 200 " + std::string(200'000, 'a') + "\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 200 ", "parse", std::string(10'000, 'a')},
      // Headers.
      {kOk + "no colon here\r\n" + kEmpty, "parse"},
      {kOk + "X: a\0b\r\n"s + kEmpty, "parse"},
      {kOk + "X: " + std::string(200'000, 'a') + "\r\n" + kEmpty, "parse"},
      {kOk + "X: ", "parse", std::string(10'000, 'a')},
      {kOk, "parse", "X: a\r\n"},
      {kOk, "parse", "X: " + std::string(50'000, 'a') + "\r\n"},
      {"", "parse", "HTTP/1.1 102 Processing\r\n\r\n"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "http.101", "x"},
      // Where it ends.
      {kOk + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "parse"},
      {kOk + "Content-Length: 1, 2\r\n\r\nab", "parse"},
      {kOk + "Content-Length: -5\r\n\r\nab", "parse"},
      {kOk + "Content-Length: +2\r\n\r\nab", "parse"},
      {kOk + "content-length: 99999999999999999999999\r\n\r\nab", "parse"},
      {kOk + "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "parse"},
      {kOk + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "parse"},
      {kOk + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nab", "parse"},
      {kOk + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", "parse"},
      // It was lost, and may come another time.
      {"", "connect"},
      {"HTTP/1.1 200 OK\r\nContent-Le", "connect"},
      {kOk + "Content-Length: 100\r\n\r\n{", "connect"},
      {kOk + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "connect"},
      // Too much.
      {kOk + "\r\n", "parse", std::string(10'000, 'a')},
      {kOk + "Transfer-Encoding: chunked\r\n\r\n", "parse", "5\r\naaaaa\r\n"},
      {"HTTP/1.1 500 no\r\n\r\n", "http.500", std::string(10'000, 'a')},
      {"HTTP/1.1 302 there\r\nLocation: /x\r\n\r\n", "parse", std::string(10'000, 'a')},
      // Elsewhere.
      {"HTTP/1.1 302 there\r\nLocation: file:///etc/hostname\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 302 there\r\nLocation: gopher://127.0.0.1/\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 302 there\r\nLocation: http://[::1\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 302 there\r\nLocation:\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 302 there\r\nLocation: /again\r\nConnection: close\r\n" + kEmpty, "parse"},
      {"HTTP/1.1 302 there\r\nLocation: /" + std::string(90'000, 'a') + "\r\nConnection: close\r\n" + kEmpty, "parse"},
  };
  for (const Case& one : cases) check(one, Response::Auto);
  for (const Case& one : cases)
    if (!one.goes_on.empty() || one.type == "http.101" || one.type.empty())
      for (const Response response : kModes) check(one, response);
}

TEST_CASE("odd answers that say what they mean are taken, under every `response`") {
  const std::vector<Case> cases{
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: 1\r\n\r\n" + kOk + kEmpty, ""},
      {"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n", ""},
      {kOk + "Content-Length: 2\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]", ""},
      {kOk + "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n[]trailing garbage", ""},
      {kOk + "Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", ""},
      {kOk + "Content-Encoding: gzip\r\n" + kEmpty, ""},
  };
  for (const Case& one : cases)
    for (const Response response : kModes) check(one, response);
}

TEST_CASE("time in which flowrun was stopped counts against no request", "[timing]") {
  HttpServer server;
  server.Get("/", [](const auto&, auto& response) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    response.set_content("ok", "text/plain");
  });
  server.start();
  TempDir dir;
  const std::string file = dir.write("w.yaml", fmt::format(R"(flowrun: 1
steps:
  a: {{ http: "{0}", timeout: 4s, retry: none }}
  b: {{ http: "{0}", idle_timeout: 4s, retry: none }}
)",
                                                           server.url("/")));
  Background run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db")});
  REQUIRE(soon([&] { return run.err().find(" b ") != std::string::npos; }));
  run.signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(6));
  run.signal(SIGCONT);
  const Ran ran = run.wait();
  INFO(ran.err);
  CHECK(ran.code == 0);
}

}  // namespace flowrun::test::hostile_test
