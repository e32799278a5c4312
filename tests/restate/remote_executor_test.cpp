// Attempts that others carry out: what every answer of the way there comes to, and how one is stopped.
#include "engine/restate/remote_executor.h"

#include <atomic>
#include <functional>
#include <map>

#include "tests/restate/fake_server.h"
#include "tests/support/catch.h"

namespace flowrun::test::remote_executor_test {
namespace {

using restate::StepCall;
using Answer = FakeServer::Answer;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Executor> executor_on(const FakeServer& server, std::set<std::string> begun = {}) {
  restate::RemoteOptions options;
  options.place = restate::place_from(server.place(), "on");
  options.run_id = "r";
  options.folder = "/home/ann";
  options.file = "/home/ann/w.yaml";
  options.begun = std::move(begun);
  return restate::make_remote_executor(std::move(options));
}

Task task_at(const std::string& path) {
  Process process;
  process.argv = {"true"};
  Task task;
  task.path = path;
  task.call = "seed/" + path;
  *task.work = process;
  return task;
}

/// All that |count| attempts end with, by path.
std::map<std::string, Result> results_of(Executor& executor, std::size_t count, seconds patience = seconds(60)) {
  std::map<std::string, Result> results;
  std::vector<Event> happened;
  const auto until = std::chrono::steady_clock::now() + patience;
  while (results.size() < count && std::chrono::steady_clock::now() < until) {
    happened.clear();
    executor.wait(happened, Duration{100});
    for (Event& event : happened)
      if (auto* ended = std::get_if<TaskEnded>(&event.fact)) results[ended->path] = std::move(ended->result);
    executor.acted();
  }
  REQUIRE(results.size() == count);
  return results;
}

std::string type_of(const Result& result) { return result.failure ? result.failure->type : ""; }

/// The first |times| calls are answered with |status|.
std::function<bool(const httplib::Request&, Answer&)> refusing(int times, int status, const std::string& message,
                                                               const std::string& source) {
  auto left = std::make_shared<int>(times);
  return [=](const httplib::Request&, Answer& answer) {
    if ((*left)-- <= 0) return false;
    FakeServer::refuse(answer, status, message, source);
    return true;
  };
}

}  // namespace

TEST_CASE("every answer to a call is a result, a failure of a documented type, or a reason to send it again",
          "[restate]") {
  struct Row {
    const char* what;
    int times, status;
    const char *message, *source;
    const char* type;  ///< none: it succeeds in the end
    std::size_t sent;
  };
  const std::vector<Row> rows = {
      {"well", 0, 0, "", "", "", 1},
      {"overloaded", 2, 429, "too many requests", "ingress", "", 3},
      {"no route yet", 2, 503, "internal routing error", "ingress", "", 3},
      {"broken", 1, 500, "cannot read body", "ingress", "", 2},
      {"a proxy without its server", 2, 502, "", "", "", 3},
      {"a proxy that was too slow", 1, 504, "", "", "", 2},
      {"a request that came too slowly", 1, 408, "", "", "", 2},
      {"no such service", 1, 404, "service 'flowrun' not found", "ingress", "restate.service", 1},
      {"a proxy that knows no such path", 1, 404, "", "", "restate.refused", 1},
      {"too large", 1, 413, "", "", "restate.size", 1},
      {"a private service", 1, 400, "the invoked service is not public", "ingress", "restate.refused", 1},
      {"forbidden", 1, 403, "", "", "restate.refused", 1},
      {"moved", 1, 302, "", "", "restate.refused", 1},
      {"killed by somebody", 1, 409, "killed", "invocation", "restate.killed", 1},
      {"cancelled by somebody", 1, 409, "canceled", "invocation", "restate.killed", 1},
      {"a worker that is too old", 1, 500, "the call has version 2", "invocation", "restate.worker", 1},
      {"a worker that refuses like a busy server", 1, 503, "no", "invocation", "restate.worker", 1},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    FakeServer server;
    server.instead = refusing(row.times, row.status, row.message, row.source);
    auto executor = executor_on(server);
    executor->begin(task_at("a"));
    const Result result = results_of(*executor, 1).at("a");
    CHECK(type_of(result) == row.type);
    if (!*row.type) CHECK(result.value.text() == "\"done\"");
    const std::vector<std::string> calls = server.calls();
    CHECK(calls.size() == row.sent);
    for (const std::string& key : calls) CHECK(key == "seed/a");
    CHECK(server.begun().size() == (*row.type ? 0 : 1));
  }
}

TEST_CASE("an answer that is no result of the attempt is told apart from all others", "[restate]") {
  for (const std::string text : {"", "hello", "{}", "[1]", R"({"path":"a"})", R"({"path":"b","attempt":1,"data":{}})",
                                 R"({"path":"a","attempt":2,"data":{"ok":true}})"}) {
    INFO(text);
    FakeServer server;
    server.work = [&](const StepCall&) { return text; };
    auto executor = executor_on(server);
    executor->begin(task_at("a"));
    CHECK(type_of(results_of(*executor, 1).at("a")) == "restate.answer");
  }
}

TEST_CASE("a call that a server can not take is not sent", "[restate]") {
  FakeServer server;
  auto executor = executor_on(server);
  Task task = task_at("a");
  std::get<Process>(*task.work).stdin_text = std::string(33 << 20, 'x');
  executor->begin(std::move(task));
  const Result result = results_of(*executor, 1).at("a");
  CHECK(type_of(result) == "restate.size");
  CHECK_FALSE(result.sent);
  CHECK(server.calls().empty());
}

TEST_CASE("a connection that breaks is no end of an attempt", "[restate]") {
  std::atomic<int> broken{0};
  RawServer server([&](int client, int) {
    const std::string request = RawServer::request(client);
    if (request.find("/restate/health") != request.npos)
      return RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    if (broken++ < 3) return;  // closed without a word
    StepCall step;
    step.task.path = "a";
    const std::string body = FakeServer::ended(step, Value::string("late"));
    RawServer::answer(client, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  restate::RemoteOptions options;
  options.place.ingress = "http://127.0.0.1:" + std::to_string(server.port());
  options.place.admin = options.place.ingress;
  options.run_id = "r";
  auto executor = restate::make_remote_executor(std::move(options));
  executor->begin(task_at("a"));
  const Result result = results_of(*executor, 1).at("a");
  CHECK(result.ok());
  CHECK(result.value.text() == "\"late\"");
  CHECK(broken == 4);
}

TEST_CASE("a server that is gone is told of, and an attempt does not wait for it beyond its timeout", "[restate]") {
  restate::RemoteOptions options;
  {
    FakeServer server;
    options.place = restate::place_from(server.place(), "on");
  }
  options.run_id = "r";
  auto executor = restate::make_remote_executor(std::move(options));
  Task task = task_at("a");
  task.timeout = Duration{200};
  executor->begin(std::move(task));
  executor->begin(task_at("b"));
  std::map<std::string, Result> results = results_of(*executor, 1, seconds(30));
  CHECK(type_of(results.at("a")) == "restate.unreachable");
  CHECK_FALSE(results.at("a").sent);
  CHECK(executor->in_line() == 1);
  CHECK(executor->trouble().find("1 attempt waits for it") != std::string::npos);
  // Nothing of it has reached anybody: no word of the server is waited for.
  executor->stop("b", 1);
  CHECK(type_of(results_of(*executor, 1, seconds(5)).at("b")) == "cancelled");
  CHECK(executor->trouble().empty() == false);
}

TEST_CASE("an attempt that is stopped is killed by its invocation, and its own end is awaited", "[restate]") {
  FakeServer server;
  server.hold();
  auto executor = executor_on(server);
  for (const char* path : {"a", "b", "c"}) executor->begin(task_at(path));
  std::vector<Event> nothing;
  while (server.begun().size() < 3) executor->wait(nothing, Duration{20});
  REQUIRE(nothing.empty());
  executor->stop("b", 2);  // no such attempt
  executor->stop("x", 1);
  executor->stop("b", 1);
  executor->stop("b", 1);
  CHECK(type_of(results_of(*executor, 1).at("b")) == "cancelled");
  CHECK(server.kills() == std::vector<std::string>{"seed/b"});
  executor->stop_all({});
  const auto rest = results_of(*executor, 2);
  CHECK(type_of(rest.at("a")) == "cancelled");
  CHECK(type_of(rest.at("c")) == "cancelled");
  CHECK(server.kills().size() == 3);
}

TEST_CASE("an attempt that ends before its kill arrives has its own result", "[restate]") {
  FakeServer server;
  server.hold();
  auto executor = executor_on(server);
  executor->begin(task_at("a"));
  std::vector<Event> nothing;
  while (server.begun().empty()) executor->wait(nothing, Duration{20});
  server.release();
  std::this_thread::sleep_for(milliseconds(100));
  executor->stop("a", 1);
  CHECK(results_of(*executor, 1).at("a").ok());
}

TEST_CASE("a reservation is granted at once, as nothing waits for a place of this machine", "[restate]") {
  FakeServer server;
  auto executor = executor_on(server);
  executor->reserve({"a", true, true});
  std::vector<Event> happened;
  executor->wait(happened, Duration{1000});
  REQUIRE(happened.size() == 1);
  CHECK(std::get<TaskReserved>(happened[0].fact).path == "a");
  executor->withdraw("");
  CHECK(executor->ahead() == 0);
}

TEST_CASE("a call says where secrets are read, where paths start and whether it may be begun again", "[restate]") {
  FakeServer server;
  restate::RemoteOptions options;
  options.place = restate::place_from(server.place(), "on");
  options.run_id = "r";
  options.folder = "/home/ann";
  options.secrets = {{"used", SecretSource::From::Env, "TOKEN", {}, false, 3},
                     {"other", SecretSource::From::File, "key", {}, false, 4}};
  auto executor = restate::make_remote_executor(std::move(options));
  Task task = task_at("a");
  task.pool = "";
  auto& process = std::get<Process>(*task.work);
  process.env = {{"T", ""}};
  process.placeholders = {{TaskPlaceholder::In::Variable, 0, {0, "used", {}}}};
  task.repeats = false;
  executor->begin(std::move(task));
  results_of(*executor, 1);
  const StepCall step = server.begun().at(0);
  CHECK(step.folder == "/home/ann");
  CHECK_FALSE(step.repeats);
  REQUIRE(step.secrets.size() == 2);
  CHECK(step.secrets[0].place == "TOKEN");
  CHECK(step.secrets[1].from == SecretSource::From::File);
}

TEST_CASE("what no worker takes is told after a while, until an attempt ends", "[restate]") {
  FakeServer server;
  server.hold();
  server.waiting = R"({"rows":[3,{"service":"x","why":"w"},{"service":"flowrun","why":"connection refused\nat 1"}]})";
  auto executor = executor_on(server);
  executor->begin(task_at("a"));
  std::vector<Event> happened;
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (executor->trouble().empty() && std::chrono::steady_clock::now() < until)
    executor->wait(happened, Duration{100});
  CHECK(executor->trouble().find("no worker of service `flowrun`, and tries again: connection refused") !=
        std::string::npos);
  CHECK(executor->trouble().find("at 1") == std::string::npos);
  server.release();
  CHECK(results_of(*executor, 1).at("a").ok());
  CHECK(executor->trouble().empty());
}

TEST_CASE("hundreds of attempts are in flight at once", "[restate]") {
  FakeServer server;
  server.hold();
  auto executor = executor_on(server);
  for (int i = 0; i < 200; ++i) executor->begin(task_at("s" + std::to_string(i)));
  std::vector<Event> nothing;
  while (server.begun().size() < 200) executor->wait(nothing, Duration{20});
  server.release();
  for (const auto& [path, result] : results_of(*executor, 200)) CHECK(result.ok());
}

}  // namespace flowrun::test::remote_executor_test
