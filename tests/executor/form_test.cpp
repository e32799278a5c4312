// Forms with files, and sockets in the file system, as servers see them.
#include <sys/stat.h>

#include <mutex>

#include "engine/executor/secrets.h"
#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"

namespace flowrun::test::form_test {
namespace {

Task post(const std::string& url, std::vector<FormPart> parts) {
  Task task;
  task.path = "call";
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.expect = {{200, 299}};
  request.parts = std::move(parts);
  task.work = std::move(request);
  return task;
}

/// The fields that came in, in order, as JSON.
void echo(const httplib::Request& request, httplib::Response& response) {
  Json fields = Json::array();
  for (const auto& [name, field] : request.files)
    fields.push_back(
        {{"name", name}, {"content", field.content}, {"filename", field.filename}, {"type", field.content_type}});
  response.set_content(Json{{"method", request.method},
                            {"type", request.get_header_value("Content-Type").substr(0, 30)},
                            {"fields", std::move(fields)}}
                           .dump(),
                       "application/json");
}

}  // namespace

TEST_CASE("a form arrives with its texts, its files and what they are") {
  HttpServer server;
  server.Post("/", echo);
  server.Put("/", echo);
  server.start();
  Pool pool;
  const std::string bytes("a\0b\r\n--", 7);
  pool.folder().write("report.pdf", bytes);
  const std::string file = pool.folder().path() + "/report.pdf";
  Task task = post(server.url("/"), {{"a", "one\ntwo", "", "", ""},
                                     {"b", "{\"x\":1}", "", "", "application/json"},
                                     {"c", "", file, "", ""},
                                     {"d", "", file, "other \"name\".bin", "application/x-own"},
                                     {"e", "", "", "", ""}});
  const Json got = pool.run(task).value.json();
  CHECK(got["type"] == "multipart/form-data; boundary=");
  const Json fields = got["fields"];
  REQUIRE(fields.size() == 5);
  CHECK(fields[0] == Json{{"name", "a"}, {"content", "one\ntwo"}, {"filename", ""}, {"type", ""}});
  CHECK(fields[1]["content"] == "{\"x\":1}");
  CHECK(fields[1]["type"] == "application/json");
  CHECK(fields[2] == Json{{"name", "c"}, {"content", bytes}, {"filename", "report.pdf"}, {"type", "application/pdf"}});
  CHECK(fields[3]["type"] == "application/x-own");
  CHECK(fields[3]["filename"].get<std::string>().starts_with("other "));
  CHECK(fields[4]["content"] == "");

  request_of(task).method = "PUT";
  task.path = "put";
  CHECK(pool.run(task).value.json()["method"] == "PUT");
}

TEST_CASE("a file of a form that can not be read is named, and nothing is sent") {
  HttpServer server;
  std::atomic<int> asked{0};
  server.Post("/", [&](const auto&, auto&) { ++asked; });
  server.start();
  Pool pool;
  const std::string pipe = pool.folder().path() + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& file : {pool.folder().path() + "/none", pool.folder().path(), pipe}) {
    const Result result = pool.run(post(server.url("/"), {{"a", "", file, "", ""}}));
    REQUIRE(result.failure);
    CHECK(result.failure->message.find("cannot read the file " + file) != std::string::npos);
    CHECK_FALSE(result.sent);
  }
  CHECK(asked == 0);
}

TEST_CASE("a redirect keeps a form, becomes a GET without it, or is refused because of a secret in it") {
  HttpServer server, other;
  std::string body;
  server.Post("/keep", [](const auto&, auto& response) { response.set_redirect("/there", 307); });
  server.Post("/see", [](const auto&, auto& response) { response.set_redirect("/got", 303); });
  server.Post("/away", [&](const auto&, auto& response) { response.set_redirect(other.url("/"), 307); });
  server.Post("/there", echo);
  server.Get("/got", [](const auto& request, auto& response) {
    response.set_content(request.has_header("Content-Type") ? "typed" : "bare", "text/plain");
  });
  std::atomic<int> asked{0};
  other.Post("/", [&](const auto&, auto&) { ++asked; });
  server.start();
  other.start();
  setenv("FLOWRUN_TEST_PART", "hush-hush", 1);
  SecretSource source;
  source.name = "token";
  source.place = "FLOWRUN_TEST_PART";
  Secrets secrets({source}, "/", "w.yaml");
  unsetenv("FLOWRUN_TEST_PART");
  Pool pool(secrets);

  CHECK(pool.run(post(server.url("/keep"), {{"a", "1", "", "", ""}})).value.json()["fields"][0]["content"] == "1");
  CHECK(pool.run(post(server.url("/see"), {{"a", "1", "", "", ""}})).value.json() == "bare");

  Task secret = post(server.url("/keep"), {{"a", "one", "", "", ""}, {"b", "is ", "", "", ""}});
  request_of(secret).placeholders = {{TaskPlaceholder::In::Part, 1, {3, "token", Placeholder::Form::Plain}}};
  CHECK(to_json_text(secret).find("hush") == std::string::npos);
  CHECK(pool.run(secret).value.text().find("is ***") != std::string::npos);  // it arrived, and its echo is masked
  request_of(secret).url = server.url("/away");
  secret.path = "away";
  const Result refused = pool.run(secret);
  REQUIRE(refused.failure);
  CHECK(refused.failure->message.find("must not get the secret") != std::string::npos);
  CHECK(asked == 0);
}

TEST_CASE("a request goes to a socket in the file system, past every proxy") {
  Pool pool;
  const std::string path = pool.folder().path() + "/api.sock";
  std::mutex mutex;
  std::string seen;
  RawServer server(
      [&](int client, int) {
        const std::string request = RawServer::request(client);
        {
          std::lock_guard lock(mutex);
          seen = request;
        }
        RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
      },
      path);
  Task task = post("http://docker/containers/json", {});
  request_of(task).method = "GET";
  request_of(task).unix_socket = path;
  CHECK(pool.run(task).value.json() == "hi");
  {
    std::lock_guard lock(mutex);
    CHECK(seen.starts_with("GET /containers/json HTTP/1.1\r\nHost: docker\r\n"));
  }
  // The next one by TCP has nothing of it.
  HttpServer by_tcp;
  by_tcp.Get("/", [](const auto&, auto& response) { response.set_content("tcp", "text/plain"); });
  by_tcp.start();
  Task other = post(by_tcp.url("/"), {});
  request_of(other).method = "GET";
  other.path = "other";
  CHECK(pool.run(other).value.json() == "tcp");

  task.path = "gone";
  request_of(task).unix_socket = pool.folder().path() + "/gone.sock";
  const Result gone = pool.run(task);
  REQUIRE(gone.failure);
  CHECK(gone.failure->type == "connect");
  CHECK(gone.failure->message.find("gone.sock") != std::string::npos);
  task.path = "long";
  request_of(task).unix_socket = "/" + std::string(200, 's');
  const Result longer = pool.run(task);
  REQUIRE(longer.failure);
  CHECK(longer.failure->type == "internal");
}

}  // namespace flowrun::test::form_test
