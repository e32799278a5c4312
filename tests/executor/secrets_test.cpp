// Secrets are read, put where they belong, and taken out of what comes back: real processes, files and servers.
#include "engine/executor/secrets.h"

#include <sys/stat.h>

#include <cstdlib>

#include "engine/model/encode.h"
#include "engine/model/error.h"
#include "tests/executor/http_server.h"
#include "tests/executor/pool.h"

namespace flowrun::test::secrets_test {
namespace {

using From = SecretSource::From;
const std::string kToken = "s3cr3t/tok\"en";

SecretSource env(const std::string& name, const std::string& variable) {
  return {name, From::Env, variable, {}, false, 1};
}
SecretSource command(const std::string& name, std::vector<std::string> argv) {
  return {name, From::Command, "", std::move(argv), false, 1};
}

std::string refusal(const std::vector<SecretSource>& sources) {
  try {
    Secrets secrets(sources, "/tmp", "w.yaml");
  } catch (const Error& error) {
    CHECK(error.problem() == Problem::Invalid);
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// One secret, `token`, from the variable SECRET_TEST_TOKEN.
class Known {
 public:
  explicit Known(const std::string& value = kToken) {
    setenv("SECRET_TEST_TOKEN", value.c_str(), 1);
    secrets = Secrets({env("token", "SECRET_TEST_TOKEN")}, "/tmp", "w.yaml");
  }
  ~Known() { unsetenv("SECRET_TEST_TOKEN"); }
  Secrets secrets;
};

TaskPlaceholder placeholder(TaskPlaceholder::In in, std::size_t at, Placeholder::Form form = Placeholder::Form::Plain,
                            std::size_t index = 0) {
  return {in, index, {at, "token", form}};
}

std::string all_of(const Result& result) {
  std::string text = result.value.text();
  if (result.failure) text += result.failure->message + result.failure->detail.text();
  return text;
}

}  // namespace

TEST_CASE("a secret is read from a variable, a file or a command, without its last line break", "[secrets]") {
  TempDir dir;
  dir.write("key", "from a file\n\n");
  setenv("SECRET_TEST_TOKEN", "from env\n", 1);
  Secrets secrets({env("a", "SECRET_TEST_TOKEN"),
                   {"b", From::File, "key", {}, false, 2},
                   command("c", {"sh", "-c", "echo from $PWD; echo no >&2"})},
                  dir.path(), "w.yaml");
  unsetenv("SECRET_TEST_TOKEN");
  Task task = exec({"true"});
  process_of(task).stdin_text = "|||";
  for (const auto& [at, name] : {std::pair<std::size_t, const char*>{0, "a"}, {1, "b"}, {2, "c"}})
    process_of(task).placeholders.push_back({TaskPlaceholder::In::Stdin, 0, {at, name, Placeholder::Form::Plain}});
  secrets.fill(task);
  CHECK(process_of(task).stdin_text == "from env\n|from a file\n|from " + dir.path() + "|");
  CHECK(secrets.brought_by("SECRET_TEST_TOKEN"));
  CHECK_FALSE(secrets.brought_by("PATH"));
}

TEST_CASE("all secrets that are missing are told at once, and nothing of what a command says", "[secrets]") {
  setenv("SECRET_TEST_EMPTY", "", 1);
  std::string told = refusal({env("a", "SECRET_TEST_NONE"),
                              env("b", "SECRET_TEST_EMPTY"),
                              {"c", From::File, "/no/such/file", {}, false, 7},
                              command("d", {"sh", "-c", "echo out-text; echo err-text >&2; exit 3"}),
                              command("e", {"no-such-program-here"}),
                              command("f", {"true"})});
  unsetenv("SECRET_TEST_EMPTY");
  INFO(told);
  CHECK(has(told, "w.yaml:1: error: secret a: the environment variable SECRET_TEST_NONE is not set"));
  CHECK(has(told, "secret b: the environment variable SECRET_TEST_EMPTY is empty"));
  CHECK(has(told, "w.yaml:7: error: secret c: cannot read /no/such/file: No such file"));
  CHECK(has(told, "secret d: `sh` exited with 3"));
  CHECK(has(told, "secret e: "));
  CHECK(has(told, "secret f: what `true` prints is empty"));
  CHECK(has(told, "nothing was started"));
  CHECK_FALSE(has(told, "out-text"));
  CHECK_FALSE(has(told, "err-text"));
}

TEST_CASE("an optional secret may be absent", "[secrets]") {
  Secrets secrets({{"a", From::Env, "SECRET_TEST_NONE", {}, true, 1}}, "/tmp", "w.yaml");
  CHECK(secrets.marks("salt") == std::vector<SecretMark>{{"a", "", true}});
  CHECK(secrets.mask().empty());
}

TEST_CASE("a fingerprint tells a change, depends on the salt, and is not made of what is short", "[secrets]") {
  CHECK(fingerprint("a-long-token", "salt") == fingerprint("a-long-token", "salt"));
  CHECK(fingerprint("a-long-token", "salt").size() == 4);
  CHECK(fingerprint("a-long-token", "salt") != fingerprint("a-long-tokem", "salt"));
  CHECK(fingerprint("a-long-token", "salt") != fingerprint("a-long-token", "pepper"));
  CHECK(fingerprint("1234567", "salt").empty());
}

TEST_CASE("a secret is written as its place wants it", "[secrets]") {
  Known known;
  Task task;
  task.work = HttpRequest();
  HttpRequest& request = request_of(task);
  request.url = "https://h/?q=&r=1";
  request.headers = {{"A", "Bearer "}, {"Authorization", "user:"}};
  request.body = R"({"a":""})";
  request.placeholders = {placeholder(TaskPlaceholder::In::Url, 13, Placeholder::Form::Percent),
                          placeholder(TaskPlaceholder::In::Header, 7),
                          placeholder(TaskPlaceholder::In::Basic, 5, Placeholder::Form::Plain, 1),
                          placeholder(TaskPlaceholder::In::Body, 6, Placeholder::Form::Json)};
  known.secrets.fill(task);
  CHECK(request.url == "https://h/?q=s3cr3t%2Ftok%22en&r=1");
  CHECK(request.headers[0].second == "Bearer " + kToken);
  CHECK(request.headers[1].second == "Basic " + base64("user:" + kToken));
  CHECK(request.body == R"({"a":"s3cr3t/tok\"en"})");
}

TEST_CASE("a secret that can not go where it is wanted is not named with its value", "[secrets]") {
  Known known;
  for (const auto& [url, form] : {std::pair{"", Placeholder::Form::Plain}, {"https:///x", Placeholder::Form::Host}}) {
    Task task;
    task.work = HttpRequest();
    request_of(task).url = url;
    request_of(task).placeholders = {placeholder(TaskPlaceholder::In::Url, *url ? 8 : 0, form)};
    std::string told;
    try {
      known.secrets.fill(task);
    } catch (const std::runtime_error& error) {
      told = error.what();
    }
    CHECK_FALSE(told.empty());
    CHECK_FALSE(has(told, "s3cr3t"));
  }
}

TEST_CASE("a process has its secret, not the variable it came from, and what it says of it is masked", "[secrets]") {
  Known known;
  Pool pool(known.secrets);
  Task task =
      shell("echo \"${SECRET_TEST_TOKEN:-gone} $T\"; cat; echo \"err $T\" >&2; [ \"$T\" = 's3cr3t/tok\"en' ]; exit 4");
  process_of(task).env = {{"T", ""}};
  process_of(task).stdin_text = "in: ";
  process_of(task).placeholders = {placeholder(TaskPlaceholder::In::Variable, 0),
                                   placeholder(TaskPlaceholder::In::Stdin, 4)};
  Result result = pool.run(task);
  REQUIRE(result.failure);
  CHECK(result.failure->type == "exit.4");
  CHECK(result.value.json() == "gone ***\nin: ***");
  CHECK(result.failure->detail.json()["stderr_tail"] == "err ***");
}

TEST_CASE("a variable that `env` gives by name is given", "[secrets]") {
  Known known;
  Pool pool(known.secrets);
  Task task = exec({"sh", "-c", "[ -n \"$SECRET_TEST_TOKEN\" ] && echo there"});
  process_of(task).env = {{"SECRET_TEST_TOKEN", ""}};
  process_of(task).placeholders = {placeholder(TaskPlaceholder::In::Variable, 0)};
  CHECK(pool.run(task).value.json() == "there");
  Task listed = exec({"sh", "-c", "echo \"${SECRET_TEST_TOKEN:-gone}\""}, "listed");
  process_of(listed).inherit = Process::Inherit::Listed;
  process_of(listed).inherited = {"SECRET_TEST_TOKEN", "PATH"};
  CHECK(pool.run(listed).value.json() == "gone");
}

TEST_CASE("the output log has no secret, however it was written", "[secrets]") {
  Known known("abcdefghijklmnopqrstuvwxyz");
  Pool pool(known.secrets);
  Task task = exec({"bash", "-c",
                    "for i in {1..300}; do printf 'x abcdefghijklm'; printf 'x abcdefghijklm' >&2; "
                    "[ $i = 300 ] && sleep 0.1; printf nopqrstuvwxyz; printf nopqrstuvwxyz >&2; done"});
  process_of(task).capture = Process::Capture::None;
  CHECK(pool.run(task).ok());
  std::map<std::string, std::string> said = logged(pool.run_dir());
  for (const std::string& text : {said["step out"], said["step err"]}) {
    CHECK_FALSE(has(text, "abcdefghijklm"));
    CHECK_FALSE(has(text, "nopqrstuvwxyz"));
    CHECK(text.size() == 300 * 5);
  }
}

TEST_CASE("output that is cut, or is no JSON, shows no part of a secret", "[secrets]") {
  Known known("abcdefghijklmnopqrstuvwxyz");
  Pool pool(known.secrets);
  Task cut = exec({"printf", "12345 abcdefghijklmnopqrstuvwxyz"}, "cut");
  process_of(cut).max_output = 20;
  CHECK_FALSE(has(all_of(pool.run(cut)), "abc"));
  Task broken =
      exec({"printf", "12345678901234567890123456789012345678901234567890 abcdefghijklmnopqrstuvwxyz"}, "broken");
  process_of(broken).capture = Process::Capture::Json;
  Result result = pool.run(broken);
  CHECK(result.failure->type == "parse");
  CHECK_FALSE(has(all_of(result), "abc"));
  Task good = exec({"printf", R"({"b": "abcdefghijklmnopqrstuvwxyz", "a": 1.50})"}, "good");
  process_of(good).capture = Process::Capture::Json;
  CHECK(pool.run(good).value.text() == R"({"b":"***","a":1.50})");
}

TEST_CASE("a server that sends everything back gives no secret away", "[secrets]") {
  Known known;
  Pool pool(known.secrets);
  HttpServer server;
  std::string seen;
  server.Post("/echo/.*", [&](const httplib::Request& request, httplib::Response& answer) {
    seen = request.get_header_value("X-Token") + "|" + request.target + "|" + request.body;
    answer.set_header("X-Back", request.get_header_value("X-Token"));
    answer.status = request.has_param("bad") ? 500 : 200;
    answer.set_content("got " + seen + " " + base64("u:" + kToken), "text/plain");
  });
  server.start();
  for (const char* query : {"", "?bad=1"}) {
    Task task;
    task.path = "step";
    task.keep_raw = true;
    HttpRequest request;
    request.method = "POST";
    request.url = server.url("/echo/") + query;
    request.headers = {{"X-Token", ""}};
    request.body = "t=";
    request.expect = {{200, 299}};
    request.placeholders = {
        placeholder(TaskPlaceholder::In::Url, server.url("/echo/").size(), Placeholder::Form::Percent),
        placeholder(TaskPlaceholder::In::Header, 0), placeholder(TaskPlaceholder::In::Body, 2)};
    task.work = request;
    Result result = pool.run(task);
    INFO(all_of(result));
    CHECK(seen == kToken + "|/echo/s3cr3t%2Ftok%22en" + query + "|t=" + kToken);
    CHECK(has(all_of(result), "***"));
    CHECK_FALSE(has(all_of(result), "s3cr3t"));
    CHECK_FALSE(has(all_of(result), base64("u:" + kToken).substr(4, 12)));
    CHECK(result.ok() == (*query == 0));
  }
}

TEST_CASE("a short secret in a URL is not shown either", "[secrets]") {
  Known known("pin4");
  Pool pool(known.secrets);
  Task task;
  task.path = "step";
  HttpRequest request;
  request.url = "http://127.0.0.1:1/hook/";
  request.placeholders = {placeholder(TaskPlaceholder::In::Url, 24, Placeholder::Form::Percent)};
  task.work = request;
  Result result = pool.run(task);
  CHECK(has(result.failure->message, "http://127.0.0.1:1/hook/***"));
  CHECK_FALSE(has(all_of(result), "pin4"));
}

TEST_CASE("no secret goes to another host", "[secrets]") {
  Known known;
  Pool pool(known.secrets);
  HttpServer here, there;
  std::string got = "nothing", body = "nothing";
  there.Get("/", [&](const httplib::Request& request, httplib::Response&) {
    got = request.get_header_value("User-Agent") + request.get_header_value("X-Token");
  });
  there.Post("/", [&](const httplib::Request& request, httplib::Response&) { body = request.body; });
  there.start();
  here.Get("/", [&](const httplib::Request&, httplib::Response& answer) { answer.set_redirect(there.url("/"), 302); });
  here.Post("/", [&](const httplib::Request&, httplib::Response& answer) { answer.set_redirect(there.url("/"), 307); });
  here.start();
  Task task;
  task.path = "step";
  HttpRequest request;
  request.url = here.url("/");
  request.headers = {{"User-Agent", "me "}, {"X-Token", ""}};
  request.placeholders = {placeholder(TaskPlaceholder::In::Header, 3),
                          placeholder(TaskPlaceholder::In::Header, 0, Placeholder::Form::Plain, 1)};
  task.work = request;
  CHECK(pool.run(task).ok());
  CHECK_FALSE(has(got, "s3cr3t"));
  request.method = "POST";
  request.body = "";
  request.headers.clear();
  request.placeholders = {placeholder(TaskPlaceholder::In::Body, 0)};
  task.work = request;
  Result result = pool.run(task);
  REQUIRE(result.failure);
  CHECK(has(result.failure->message, "another host"));
  CHECK(body == "nothing");
}

TEST_CASE("an answer that is streamed into a file is masked on its way", "[secrets]") {
  Known known;
  Pool pool(known.secrets);
  HttpServer server;
  server.Get("/", [&](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(std::string(70000, 'x') + kToken + std::string(70000, 'y') + "s3cr3t",
                       "application/octet-stream");
  });
  server.start();
  Task task;
  task.path = "step";
  HttpRequest request;
  request.url = server.url("/");
  request.response = HttpRequest::Response::File;
  request.max_response = 1 << 20;
  task.work = request;
  Result result = pool.run(task);
  REQUIRE(result.ok());
  std::ifstream in(pool.run_dir() + "/" + result.value.json()["path"].get<std::string>());
  std::string content(std::istreambuf_iterator<char>(in), {});
  CHECK(content == std::string(70000, 'x') + "***" + std::string(70000, 'y') + "s3cr3t");
  CHECK(result.value.json()["size"] == content.size());
}

}  // namespace flowrun::test::secrets_test
