// HTTP calls against servers of this machine, with good manners and without.
#include <atomic>
#include <map>
#include <mutex>

#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"

namespace flowrun::test::http_test {
namespace {

Task get(const std::string& url, const std::string& path = "call") {
  Task task;
  task.path = path;
  HttpRequest request;
  request.url = url;
  request.expect = {{200, 299}};
  task.work = std::move(request);
  return task;
}

Task post(const std::string& url, const std::string& body) {
  Task task = get(url);
  request_of(task).method = "POST";
  request_of(task).body = body;
  return task;
}

/// What came in, as JSON: method, path, body and headers in lower case.
void echo(const httplib::Request& request, httplib::Response& response) {
  Json headers = Json::object();
  for (const auto& [name, value] : request.headers) {
    std::string small;
    for (char c : name) small += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    headers[small] = value;
  }
  response.set_content(
      Json{{"method", request.method}, {"path", request.path}, {"body", request.body}, {"headers", headers}}.dump(),
      "application/json");
}

}  // namespace

TEST_CASE("a JSON answer is its value, and the raw result tells what came with it") {
  HttpServer server;
  server.Get("/json", [](const auto&, auto& response) {
    response.set_header("X-Two", "a");
    response.set_content("{ \"id\": 12345678901234567890, \"list\": [1, \"a b\\\"c\"] }", "application/problem+json");
  });
  server.start();
  Pool pool;
  Task task = get(server.url("/json"));
  Result result = pool.run(task);
  REQUIRE(result.ok());
  CHECK(result.value.text() == R"({"id":12345678901234567890,"list":[1,"a b\"c"]})");
  CHECK(result.code == 200);
  CHECK(result.sent);
  task.keep_raw = true;
  task.attempt = 3;
  Json raw = pool.run(task).value.json();
  CHECK(raw["status"] == 200);
  CHECK(raw["headers"]["x-two"] == "a");
  CHECK(raw["headers"]["content-type"] == "application/problem+json");
  CHECK(raw["body"]["list"][0] == 1);
  CHECK(raw["url"] == server.url("/json"));
  CHECK(raw["attempt"] == 3);
  CHECK(raw["duration_ms"].is_number());
}

TEST_CASE("answers become what their type or `response` says") {
  using Response = HttpRequest::Response;
  HttpServer server;
  server.Get("/text", [](const auto&, auto& response) { response.set_content("plain", "text/plain"); });
  server.Get("/binary", [](const auto&, auto& response) {
    response.set_content(std::string("\xff\x00\x01", 3), "application/octet-stream");
  });
  server.Get("/number", [](const auto&, auto& response) { response.set_content("12", "text/plain"); });
  server.Get("/broken", [](const auto&, auto& response) { response.set_content("{\"a\":", "application/json"); });
  server.Get("/nothing", [](const auto&, auto& response) { response.status = 204; });
  server.start();
  Pool pool;
  auto value = [&](const std::string& path, Response response) {
    Task task = get(server.url(path));
    request_of(task).response = response;
    return pool.run(task);
  };
  CHECK(value("/text", Response::Auto).value.json() == "plain");
  CHECK(value("/binary", Response::Auto).value.json() == "/wAB");
  CHECK(value("/text", Response::Base64).value.json() == "cGxhaW4=");
  CHECK(value("/number", Response::Json).value.json() == 12);
  CHECK(value("/number", Response::Text).value.json() == "12");
  CHECK(value("/text", Response::None).value.is_null());
  CHECK(value("/nothing", Response::Auto).ok());
  Result broken = value("/broken", Response::Auto);
  CHECK(broken.failure->type == "parse");
  CHECK(broken.code == 200);
  CHECK(value("/broken", Response::Text).ok());
  CHECK(value("/text", Response::Json).failure->type == "parse");
}

TEST_CASE("an answer nested without end is refused, not walked into") {
  HttpServer server;
  server.Get("/", [](const auto&, auto& response) {
    response.set_content(std::string(500000, '[') + std::string(500000, ']'), "application/json");
  });
  server.start();
  Pool pool;
  CHECK(pool.run(get(server.url("/"))).failure->type == "parse");
}

TEST_CASE("an unexpected status is a failure that shows the answer") {
  HttpServer server;
  server.Get("/404", [](const auto&, auto& response) {
    response.status = 404;
    response.set_content("{\"why\": \"none\"}", "application/json");
  });
  server.Get("/503", [](const auto&, auto& response) {
    response.status = 503;
    response.set_header("Retry-After", "7");
    response.set_content("later", "text/plain");
  });
  server.Get("/429", [](const auto&, auto& response) {
    response.status = 429;
    response.set_header("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT");
  });
  server.start();
  Pool pool;
  Result missing = pool.run(get(server.url("/404")));
  CHECK(missing.failure->type == "http.404");
  CHECK(missing.code == 404);
  CHECK(missing.failure->detail.json()["http"]["status"] == 404);
  CHECK(missing.failure->detail.json()["http"]["body"]["why"] == "none");
  CHECK(missing.failure->detail.json()["http"]["headers"]["content-type"] == "application/json");
  CHECK(missing.value.text() == R"({"why":"none"})");
  CHECK_FALSE(missing.retry_after);
  Result later = pool.run(get(server.url("/503")));
  CHECK(later.failure->type == "http.503");
  CHECK(later.retry_after == Duration{7000});
  CHECK(later.value.json() == "later");
  CHECK(pool.run(get(server.url("/429"))).retry_after > Duration{1000});
  Task any = get(server.url("/404"));
  request_of(any).expect.clear();
  CHECK(pool.run(any).ok());
  request_of(any).expect = {{200, 299}, {404, 404}};
  CHECK(pool.run(any).ok());
}

TEST_CASE("requests go out as they were written, with nothing that libcurl thinks of") {
  HttpServer server;
  server.Get(".*", echo);
  server.Post(".*", echo);
  server.Put(".*", echo);
  server.Delete(".*", echo);
  server.start();
  Pool pool;
  Json plain = pool.run(get(server.url("/a"))).value.json();
  CHECK(plain["headers"]["accept"] == "application/json, */*;q=0.5");
  CHECK(plain["headers"]["user-agent"] == "flowrun/" FLOWRUN_VERSION);
  Task task = post(server.url("/b"), std::string(2 << 20, 'x'));
  request_of(task).headers = {{"Accept", "text/csv"}, {"user-agent", "me"}};
  Json posted = pool.run(task).value.json();
  CHECK(posted["method"] == "POST");
  CHECK(posted["body"].get_ref<const std::string&>().size() == 2u << 20);
  CHECK(posted["headers"]["accept"] == "text/csv");
  CHECK(posted["headers"]["user-agent"] == "me");
  CHECK_FALSE(posted["headers"].contains("expect"));
  CHECK_FALSE(posted["headers"].contains("content-type"));
  request_of(task).method = "PUT";
  request_of(task).body = "";
  Json put = pool.run(task).value.json();
  CHECK(put["method"] == "PUT");
  CHECK(put["headers"]["content-length"] == "0");
  request_of(task).body = std::nullopt;
  CHECK(pool.run(task).value.json()["headers"]["content-length"] == "0");
  Task removed = get(server.url("/c"));
  request_of(removed).method = "DELETE";
  CHECK(pool.run(removed).value.json()["method"] == "DELETE");
  Task upload = get(server.url("/d"));
  request_of(upload).method = "PUT";
  request_of(upload).body_file = pool.folder().write("upload", "from a file");
  CHECK(pool.run(upload).value.json()["body"] == "from a file");
  request_of(upload).body_file = pool.folder().path("not there");
  Result result = pool.run(upload);
  CHECK(result.failure->type == "internal");
  CHECK_FALSE(result.sent);
  Task head = get(server.url("/e"));
  request_of(head).method = "HEAD";
  CHECK(pool.run(head).ok());
}

TEST_CASE("nothing of a request is left for the next one over the same connection") {
  HttpServer server;
  server.Get("/moved", [](const auto&, auto& response) { response.set_redirect("/a", 303); });
  server.Post("/moved", [](const auto&, auto& response) { response.set_redirect("/a", 303); });
  server.Get(".*", echo);
  server.Post(".*", echo);
  server.Put(".*", echo);
  server.Patch(".*", echo);
  server.Delete(".*", echo);
  server.start();
  Pool pool(0, 64, 1);
  auto with = [&](const std::string& method, std::optional<std::string> body = {}, const std::string& where = "/a") {
    Task task = get(server.url(where));
    request_of(task).method = method;
    request_of(task).body = std::move(body);
    task.keep_raw = true;
    return task;
  };
  std::vector<Task> tasks{with("GET"),
                          with("POST", "posted"),
                          with("POST"),
                          with("PUT", "put"),
                          with("DELETE"),
                          with("HEAD"),
                          with("DELETE", "gone"),
                          with("PATCH", "p"),
                          with("GET", {}, "/moved"),
                          with("POST", "moved", "/moved"),
                          with("GET"),
                          with("GET"),
                          with("PUT")};
  request_of(tasks[10]).headers = {{"X-Own", "1"}, {"Content-Type", "text/own"}, {"Accept-Encoding", "identity"}};
  tasks[11].timeout = Duration{30000};
  request_of(tasks[12]).body_file = pool.folder().write("upload", "from a file");
  auto told = [&](Pool& by, const Task& task) {
    Json raw = by.run(task).value.json();
    // What the library says of the connection.
    if (raw["body"].is_object())
      for (const char* name : {"remote_port", "local_port"}) raw["body"]["headers"].erase(name);
    return std::pair{raw["status"], raw["body"]};
  };
  std::vector<std::pair<Json, Json>> alone;
  for (const Task& task : tasks) {
    Pool fresh(0, 64, 1);
    alone.push_back(told(fresh, task));
    REQUIRE(alone.back().first == 200);
  }
  for (std::size_t first = 0; first < tasks.size(); ++first)
    for (std::size_t second = 0; second < tasks.size(); ++second) {
      INFO("task " << second << " after task " << first);
      told(pool, tasks[first]);
      CHECK(told(pool, tasks[second]) == alone[second]);
    }
}

TEST_CASE("the headers of an answer are trimmed, and told together when they have one name") {
  RawServer server([&](int client, int) {
    RawServer::request(client);
    RawServer::answer(
        client,
        "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Empty:\r\nX-Blank:   \r\nX-Two: a\r\n"
        "x-two:  b \r\nContent-Length: 2\r\n\r\nhi");
  });
  Pool pool;
  Task task = get(server.url());
  task.keep_raw = true;
  for (int i = 0; i < 2; ++i) {
    Json raw = pool.run(task).value.json();
    CHECK(raw["headers"] == Json{{"x-empty", ""}, {"x-blank", ""}, {"x-two", "a, b"}, {"content-length", "2"}});
  }
}

TEST_CASE("a header without a value goes out too") {
  std::string seen;
  RawServer server([&](int client, int) {
    seen = RawServer::request(client);
    RawServer::answer(client, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  Pool pool;
  Task task = get(server.url());
  request_of(task).headers = {{"X-Empty", ""}};
  CHECK(pool.run(task).ok());
  CHECK(seen.find("X-Empty:\r\n") != seen.npos);
}

TEST_CASE("a header can not smuggle another one in") {
  HttpServer server;
  server.Get(".*", echo);
  server.start();
  Pool pool;
  Task task = get(server.url("/"));
  using Header = std::pair<std::string, std::string>;
  for (const Header& header : {Header{"X-Name", "value\r\nX-Admin: yes"},
                               {"X-Admin: yes\r\nX-Name", "value"},
                               {"X Name", "value"},
                               {"", "value"},
                               {"X-Name", " value"},
                               {"X-Name", "value\t"},
                               {"X-Name", "  "},
                               {"X-Name", std::string("a\0b", 3)},
                               {"Content-Length", "3"},
                               {"TRANSFER-ENCODING", "chunked"}}) {
    INFO(header.first << ": " << header.second);
    request_of(task).headers = {header};
    Result result = pool.run(task);
    REQUIRE_FALSE(result.ok());
    CHECK(result.failure->type == "expression");
    CHECK_FALSE(result.sent);
  }
}

TEST_CASE("what can not stand in a URL goes out percent-encoded, behind `?` as before it") {
  std::string seen;
  RawServer server([&](int client, int) {
    seen = RawServer::request(client);
    RawServer::answer(client, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  Pool pool;
  CHECK(pool.run(get(server.url("/\xC3\xA4%2F\"<>^`{|}\\[1]?q=\xC3\xA4%2F\"<>^`{|}\\[1]&a=b+c"))).ok());
  CHECK(seen.starts_with(
      "GET /%C3%A4%2F%22%3C%3E%5E%60%7B%7C%7D%5C[1]?q=%C3%A4%2F%22%3C%3E%5E%60%7B%7C%7D%5C[1]&a=b+c "));
}

TEST_CASE("compressed answers are unpacked, and their length counts unpacked") {
  // gzip of a thousand letters x.
  const char* const packed = "1f8b0800000000000203aba81805a360140c770000e6c9413be8030000";
  std::string bytes;
  for (const char* at = packed; *at; at += 2) bytes += static_cast<char>(std::stoi(std::string(at, 2), nullptr, 16));
  HttpServer server;
  server.Get("/", [&](const auto&, auto& response) {
    response.set_header("Content-Encoding", "gzip");
    response.set_content(bytes, "application/octet-stream");  // which newer versions do not compress by themselves
  });
  server.start();
  Pool pool;
  Task task = get(server.url("/"));
  CHECK(pool.run(task).value.json() == std::string(1000, 'x'));
  request_of(task).max_response = 500;
  CHECK(pool.run(task).failure->type == "parse");
}

TEST_CASE("an answer that is too long is refused, whether its length was announced or not") {
  HttpServer server;
  server.Get("/known", [](const auto&, auto& response) { response.set_content(std::string(5000, 'x'), "text/plain"); });
  server.start();
  Pool pool;
  RawServer unannounced([](int client, int) {
    RawServer::request(client);
    RawServer::answer(client, "HTTP/1.1 200 OK\r\n\r\n" + std::string(5000, 'x'));
  });
  for (const std::string& url : {server.url("/known"), unannounced.url()}) {
    Task task = get(url);
    request_of(task).max_response = 4000;
    Result result = pool.run(task);
    INFO(result.failure->message);
    CHECK(result.failure->type == "parse");
    CHECK(result.failure->message.find("max_response") != std::string::npos);
    CHECK(result.code == 200);
  }
}

TEST_CASE("an answer can be streamed into a file of the run") {
  HttpServer server;
  server.Get("/good", [](const auto&, auto& response) { response.set_content("hello\n", "text/plain"); });
  server.Get("/bad", [](const auto&, auto& response) {
    response.status = 500;
    response.set_content("sorry", "text/plain");
  });
  server.start();
  Pool pool;
  Task task = get(server.url("/good"));
  request_of(task).response = HttpRequest::Response::File;
  Json body = pool.run(task).value.json();
  CHECK(body["size"] == 6);
  CHECK(body["sha256"] == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  CHECK(pool.folder().read("runs/run-1/" + body["path"].get<std::string>()) == "hello\n");
  task.path = "other";
  request_of(task).url = server.url("/bad");
  Result bad = pool.run(task);
  CHECK(bad.failure->type == "http.500");
  CHECK(bad.value.json() == "sorry");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(pool.run_dir())) ++files;
  CHECK(files == 1);
}

TEST_CASE("redirects are followed as RFC 9110 has it, so often as allowed") {
  HttpServer server;
  for (int status : {301, 302, 303, 307, 308}) {
    auto redirect = [status](const auto&, auto& response) { response.set_redirect("/end", status); };
    server.Get("/" + std::to_string(status), redirect);
    server.Post("/" + std::to_string(status), redirect);
    server.Put("/" + std::to_string(status), redirect);
  }
  server.Get("/round", [](const auto&, auto& response) { response.set_redirect("round"); });
  server.Get("/file", [](const auto&, auto& response) { response.set_redirect("file:///etc/hostname"); });
  server.Get("/end", echo);
  server.Post("/end", echo);
  server.Put("/end", echo);
  server.start();
  Pool pool;
  auto seen = [&](const std::string& method, int status) {
    Task task = get(server.url("/" + std::to_string(status)));
    request_of(task).method = method;
    request_of(task).headers = {{"Content-Type", "text/plain"}, {"Authorization", "Bearer 1"}, {"X-Key", "2"}};
    if (method != "GET") request_of(task).body = "content";
    return pool.run(task).value.json();
  };
  for (int status : {301, 302, 303, 307, 308}) {
    Json json = seen("GET", status);
    CHECK(json["method"] == "GET");
    CHECK(json["headers"]["authorization"] == "Bearer 1");
    CHECK(json["headers"]["x-key"] == "2");
  }
  for (int status : {301, 302, 303}) {
    Json json = seen("POST", status);
    CHECK(json["method"] == "GET");
    CHECK(json["body"] == "");
    CHECK_FALSE(json["headers"].contains("content-type"));
  }
  for (int status : {307, 308}) {
    Json json = seen("POST", status);
    CHECK(json["method"] == "POST");
    CHECK(json["body"] == "content");
  }
  CHECK(seen("PUT", 301)["method"] == "PUT");
  CHECK(seen("PUT", 303)["method"] == "GET");
  CHECK(seen("PUT", 307)["body"] == "content");

  Result round = pool.run(get(server.url("/round")));
  CHECK(round.failure->type == "parse");
  CHECK(round.failure->message.find("10 times") != std::string::npos);
  CHECK(pool.run(get(server.url("/file"))).failure->type == "parse");
  Task not_followed = get(server.url("/302"));
  request_of(not_followed).max_redirects = 0;
  CHECK(pool.run(not_followed).failure->type == "http.302");
  Task raw = get(server.url("/302"));
  raw.keep_raw = true;
  CHECK(pool.run(raw).value.json()["url"] == server.url("/end"));
}

TEST_CASE("a redirect to another host takes no credentials along, whatever they are called") {
  HttpServer other, server;
  other.Get(".*", echo);
  other.start();
  server.Get(".*", [&](const auto&, auto& response) { response.set_redirect(other.url("/end")); });
  server.start();
  Pool pool;
  Task task = get(server.url("/"));
  request_of(task).headers = {
      {"Authorization", "Bearer 1"}, {"Cookie", "a=b"}, {"X-Api-Key", "2"}, {"Accept", "text/plain"}};
  Json headers = pool.run(task).value.json()["headers"];
  CHECK(headers["accept"] == "text/plain");
  for (const char* name : {"authorization", "cookie", "x-api-key"}) {
    INFO(name);
    CHECK_FALSE(headers.contains(name));
  }
}

TEST_CASE("a request that a closed connection swallowed is not sent again") {
  std::atomic<int> requests{0};
  // Answers once, keeps the connection, reads the next request and hangs up on it.
  RawServer server([&](int client, int) {
    if (!RawServer::request(client).empty()) ++requests;
    RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (!RawServer::request(client).empty()) ++requests;
  });
  Pool pool(0, 64, 1);
  REQUIRE(pool.run(post(server.url(), "first")).ok());
  Result result = pool.run(post(server.url(), "second"));
  REQUIRE_FALSE(result.ok());
  CHECK(result.failure->type == "connect");
  CHECK(result.sent);
  CHECK(requests == 2);
}

TEST_CASE("what keeps a request from getting through has a name, and nothing was sent") {
  int port = 0;
  {
    port = RawServer([](int, int) {}).port();
  }
  Pool pool;
  Result refused = pool.run(get("http://127.0.0.1:" + std::to_string(port) + "/"));
  CHECK(refused.failure->type == "connect");
  CHECK_FALSE(refused.sent);
  CHECK(refused.code == 0);
  Result unknown = pool.run(get("http://no-such-host.invalid/"));
  CHECK(unknown.failure->type == "dns");
  CHECK_FALSE(unknown.sent);
  RawServer talks_nonsense([](int client, int) { RawServer::answer(client, "nonsense\r\n\r\n"); });
  Result tls = pool.run(get("https://127.0.0.1:" + std::to_string(talks_nonsense.port()) + "/"));
  CHECK(tls.failure->type == "tls");
  CHECK_FALSE(tls.sent);
  for (const char* url : {"file:///etc/hostname", "gopher://127.0.0.1/", "http://", "no url at all"}) {
    Result result = pool.run(get(url));
    INFO(url);
    CHECK_FALSE(result.ok());
    CHECK_FALSE(result.sent);
  }
}

TEST_CASE("answers that break off or are none fail") {
  for (const char* text :
       {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawServer server([&](int client, int) {
      RawServer::request(client);
      RawServer::answer(client, text);
    });
    Pool pool;
    Result result = pool.run(get(server.url()));
    INFO(text);
    REQUIRE_FALSE(result.ok());
    CHECK(result.sent);
    CHECK((result.failure->type == "connect" || result.failure->type == "parse"));
  }
}

TEST_CASE("time that is over is told as what it was") {
  std::atomic<bool> over{false};
  RawServer silent([&](int client, int) {
    RawServer::request(client);
    soon([&] { return over.load(); });
  });
  Pool pool;
  Task task = get(silent.url());
  task.timeout = Duration{200};
  Result result = pool.run(task);
  CHECK(result.failure->type == "timeout");
  CHECK(result.failure->message.find("200ms") != std::string::npos);
  CHECK(result.sent);
  over = true;
}

TEST_CASE("a server that says no more is left after the idle timeout, one that keeps talking is not") {
  std::atomic<bool> over{false};
  RawServer stalls([&](int client, int) {
    RawServer::request(client);
    RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    soon([&] { return over.load(); });
  });
  RawServer drips([](int client, int) {
    RawServer::request(client);
    RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    for (char c : std::string("drip")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(600));
      RawServer::answer(client, std::string(1, c));
    }
  });
  Pool pool;
  Task stalled = get(stalls.url(), "stalled"), dripping = get(drips.url(), "dripping");
  request_of(stalled).idle_timeout = request_of(dripping).idle_timeout = Duration{3000};
  pool.executor().begin(stalled);
  pool.executor().begin(dripping);
  auto results = pool.ended(2);
  over = true;
  REQUIRE_FALSE(results["stalled"].ok());
  CHECK(results["stalled"].failure->type == "timeout");
  CHECK(results["dripping"].value.json() == "drip");
}

TEST_CASE("a transfer can be stopped, and the others of its host go on") {
  std::atomic<bool> over{false};
  HttpServer server;
  server.Get("/slow", [&](const auto&, auto& response) {
    soon([&] { return over.load(); });
    response.set_content("late", "text/plain");
  });
  server.Get("/fast", [](const auto&, auto& response) { response.set_content("fast", "text/plain"); });
  server.start();
  Pool pool;
  pool.executor().begin(get(server.url("/slow"), "slow"));
  pool.executor().begin(get(server.url("/fast"), "fast"));
  CHECK(pool.ended(1).at("fast").ok());
  pool.executor().stop("slow", 1);
  Result result = pool.ended(1).at("slow");
  CHECK(result.failure->type == "cancelled");
  pool.executor().begin(get(server.url("/slow"), "slow"));
  pool.executor().stop_all(Duration{0});
  CHECK(pool.ended(1).at("slow").failure->type == "cancelled");
  over = true;
}

TEST_CASE("transfers that wait for the first to their host to connect can be stopped, or end with it") {
  // Nobody accepts: one connection fits in the line, later ones do not get through.
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listening, reinterpret_cast<sockaddr*>(&address), length);
  listen(listening, 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length);
  int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(filler, reinterpret_cast<sockaddr*>(&address), length);

  Pool pool(0, 64, 1);
  std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  for (int i = 0; i < 3; ++i) {
    Task task = get(url, "s" + std::to_string(i));
    request_of(task).connect_timeout = Duration{300};
    pool.executor().begin(task);
  }
  pool.executor().stop("s1", 1);
  auto results = pool.ended(3);
  CHECK(results["s1"].failure->type == "cancelled");
  CHECK(results["s0"].failure->type == "connect");
  CHECK(results["s2"].failure->type == "connect");
  for (auto& [path, result] : results) CHECK_FALSE(result.sent);
  ::close(filler);
  ::close(listening);
}

TEST_CASE("time runs for a request that waits for another to its host, from the moment it is taken") {
  // A name that takes long: nobody answers where the resolver asks. Without one, a host that nobody answers for.
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listening, reinterpret_cast<sockaddr*>(&address), length);
  listen(listening, 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length);
  int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(filler, reinterpret_cast<sockaddr*>(&address), length);

  Pool pool(0, 64, 1);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  Task first = get(url, "first"), hedge = get(url, "hedge");
  request_of(first).connect_timeout = request_of(hedge).connect_timeout = Duration{20000};
  hedge.timeout = Duration{300};
  const auto before = std::chrono::steady_clock::now();
  pool.executor().begin(first);
  pool.executor().begin(hedge);
  const Result result = pool.ended(1).at("hedge");
  CHECK(result.failure->type == "timeout");
  CHECK(result.took >= Duration{300});
  CHECK_FALSE(result.sent);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
  pool.executor().stop("first", 1);
  CHECK(pool.ended(1).at("first").failure->type == "cancelled");
  ::close(filler);
  ::close(listening);
}

TEST_CASE("two thousand calls end, 64 in flight, each with its own answer") {
  HttpServer server;
  // Each connection has a thread there while it is kept: two workers may have 64 each.
  server.new_task_queue = [] { return new httplib::ThreadPool(160); };
  server.Get("/item/(\\d+)", [](const auto& request, auto& response) {
    response.set_content("{\"n\":" + request.matches[1].str() + "}", "application/json");
  });
  server.start();
  Pool pool;
  int begun = 0, right = 0;
  auto begin = [&] {
    std::string n = std::to_string(begun++);
    pool.executor().begin(get(server.url("/item/" + n), n));
  };
  while (begun < 64) begin();
  for (int over = 0; over < 2000; ++over) {
    auto one = pool.ended(1);
    for (auto& [path, result] : one) right += result.ok() && result.value.text() == "{\"n\":" + path + "}";
    over += static_cast<int>(one.size()) - 1;
    for (std::size_t i = 0; i < one.size() && begun < 2000; ++i) begin();
  }
  CHECK(right == 2000);
}

TEST_CASE("a process that starts while connections are open sees none of them") {
  HttpServer server;
  server.Get("/", [](const auto&, auto& response) { response.set_content("ok", "text/plain"); });
  server.start();
  Pool pool(0, 64, 1);
  REQUIRE(pool.run(get(server.url("/"))).ok());
  CHECK(pool.run(exec({"ls", "/proc/self/fd"})).value.json() == "0\n1\n2\n3");
}

}  // namespace flowrun::test::http_test
