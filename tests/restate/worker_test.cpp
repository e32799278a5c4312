// The worker as a server sees it: the real program over loopback.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/executor/processes.h"
#include "tests/executor/http_server.h"
#include "tests/restate/worker_process.h"

namespace flowrun::test::worker_test {
namespace {

using namespace std::chrono_literals;
using restate::StepCall;

TaskEnded ask(RawConnection& connection, const StepCall& call, const std::string& id = "inv_1",
              std::uint32_t retries = 0) {
  REQUIRE(connection.send(step_post(call, id, retries)));
  return end_in(connection.answer());
}

std::string content_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool comes(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

/// Waits for the number that a script has written into |file|.
int pid_in(const std::string& file) {
  comes([&] { return content_of(file).find('\n') != std::string::npos; });
  return std::atoi(content_of(file).c_str());
}

bool is_gone(int pid) {
  return comes([&] {
    const auto state = state_of(pid);
    return !state || state->dead;
  });
}

}  // namespace

TEST_CASE("a worker carries out processes and requests, one after the other on a connection") {
  TempDir folder;
  HttpServer shop;
  shop.Get("/price", [](const httplib::Request& request, httplib::Response& answer) {
    answer.set_content(R"({"price": 5, "key": ")" + request.get_header_value("Idempotency-Key") + "\"}",
                       "application/json");
  });
  shop.start();
  WorkerProcess worker(folder.path());
  RawConnection connection(worker.port());

  const TaskEnded shell = ask(connection, shell_call("echo one; echo two >&2"));
  CHECK(shell.path == "step");
  CHECK(shell.result.ok());
  CHECK(shell.result.value.json() == "one");
  CHECK(shell.result.began != Instant{});

  StepCall exec = shell_call("");
  std::get<Process>(*exec.task.work).argv = {"/bin/sh", "-c", "exit 7"};
  exec.task.attempt = 3;
  const TaskEnded failed = ask(connection, exec);
  CHECK(failed.attempt == 3);
  CHECK(failed.result.failure.value().type == "exit.7");

  StepCall get = shell_call("");
  HttpRequest request;
  request.url = shop.url("/price");
  request.headers = {{"Idempotency-Key", "k-1"}};
  get.task.work = request;
  CHECK(ask(connection, get).result.value.json() == Json::parse(R"({"price": 5, "key": "k-1"})"));

  get.task.work = [&] {
    HttpRequest nowhere;
    nowhere.url = "http://127.0.0.1:1/";
    return nowhere;
  }();
  CHECK(ask(connection, get).result.failure.value().type == "connect");
  CHECK(worker.end().code == 0);
}

TEST_CASE("paths below the folder of who asks are below the folder of the worker") {
  TempDir folder;
  std::filesystem::create_directory(folder.path() + "/sub");
  WorkerProcess worker(folder.path());
  RawConnection connection(worker.port());
  StepCall call = shell_call("pwd");
  call.folder = "/far/away";
  auto& process = std::get<Process>(*call.task.work);
  process.cwd = "/far/away/sub";
  CHECK(ask(connection, call).result.value.json() == folder.path() + "/sub");
  process.cwd = "/far/away";
  CHECK(ask(connection, call).result.value.json() == folder.path());
  process.cwd = "/tmp";
  CHECK(ask(connection, call).result.value.json() == "/tmp");
  process.cwd = "/far/awayer";
  CHECK(ask(connection, call).result.failure.value().type == "spawn");
}

TEST_CASE("a worker reads secrets from its own sources, masks them, and says which one it lacks") {
  TempDir folder;
  std::ofstream(folder.path() + "/token") << "file-secret-value\n";
  HowToRun how;
  how.env = {{"WORKER_TOKEN", "variable-secret-value"}};
  WorkerProcess worker(folder.path(), {}, how);
  RawConnection connection(worker.port());
  StepCall call = shell_call("echo \"$A $B\"; env | grep -c WORKER_TOKEN");
  const auto source = [](const char* name, SecretSource::From from, const char* place) {
    SecretSource one;
    one.name = name;
    one.from = from;
    one.place = place;
    return one;
  };
  call.secrets = {source("a", SecretSource::From::Env, "WORKER_TOKEN"), source("b", SecretSource::From::File, "token"),
                  source("c", SecretSource::From::Env, "NOT_HERE")};
  auto& process = std::get<Process>(*call.task.work);
  process.success_codes = {0, 1};
  process.env = {{"A", "<>"}, {"B", ""}};
  const auto put = [](std::size_t variable, const char* secret, std::size_t at) {
    TaskPlaceholder one;
    one.in = TaskPlaceholder::In::Variable;
    one.index = variable;
    one.placeholder.secret = secret;
    one.placeholder.at = at;
    return one;
  };
  process.placeholders = {put(0, "a", 1), put(1, "b", 0)};
  const TaskEnded ended = ask(connection, call);
  REQUIRE(ended.result.ok());
  CHECK(ended.result.value.json() == "<***> ***\n0");

  process.placeholders = {put(0, "c", 1)};
  const Failure failure = ask(connection, call).result.failure.value();
  CHECK(failure.type == "secret");
  CHECK(failure.message.find("secret c is not there on the worker's machine") != std::string::npos);
  CHECK(failure.message.find("NOT_HERE") != std::string::npos);
}

TEST_CASE("the end of a connection stops the processes of its attempt") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  auto connection = std::make_unique<RawConnection>(worker.port());
  StepCall call = shell_call(
      "echo $$ > leader; (trap '' TERM; echo x > stubborn_is; exec sleep 1000) & "
      "echo $! > stubborn; sleep 1000");
  std::get<Process>(*call.task.work).kill_grace = 300ms;
  REQUIRE(connection->send(step_post(call)));
  const int leader = pid_in(folder.path() + "/leader"), stubborn = pid_in(folder.path() + "/stubborn");
  REQUIRE(comes([&] { return content_of(folder.path() + "/stubborn_is") == "x\n"; }));
  REQUIRE(state_of(leader).has_value());
  connection.reset();
  CHECK(is_gone(leader));
  CHECK(is_gone(stubborn));
  CHECK(worker.says("the server does not wait for it any more"));

  // The same place and the same step may be asked for again.
  RawConnection again(worker.port());
  CHECK(ask(again, shell_call("echo back")).result.value.json() == "back");
  CHECK(worker.end().code == 0);
}

TEST_CASE("an invocation that is asked for again ends its first attempt before it begins the second") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  RawConnection first(worker.port()), second(worker.port());
  REQUIRE(first.send(step_post(shell_call("echo $$ > pid; sleep 1000"))));
  const int pid = pid_in(folder.path() + "/pid");
  CHECK(ask(second, shell_call("kill -0 " + std::to_string(pid) + " 2>/dev/null || echo alone")).result.value.json() ==
        "alone");
  CHECK(first.answer().status == 503);
}

TEST_CASE("what may have begun and must not be repeated fails instead of beginning again") {
  TempDir folder;
  StepCall call = shell_call("echo x >> effects");
  call.repeats = false;
  {
    WorkerProcess worker(folder.path());
    RawConnection connection(worker.port());
    CHECK(ask(connection, call, "inv_a", 2).result.failure.value().type == "crash");
    CHECK_FALSE(std::filesystem::exists(folder.path() + "/effects"));
    CHECK(ask(connection, call, "inv_b").result.ok());
    CHECK(ask(connection, call, "inv_b").result.failure.value().type == "crash");
    worker.program().signal(SIGKILL);
    worker.program().wait();
  }
  WorkerProcess worker(folder.path());
  RawConnection connection(worker.port());
  CHECK(ask(connection, call, "inv_b").result.failure.value().type == "crash");
  CHECK(content_of(folder.path() + "/effects") == "x\n");
  call.repeats = true;
  CHECK(ask(connection, call, "inv_b", 5).result.ok());
}

TEST_CASE("what a killed worker leaves running is ended by the next one") {
  TempDir folder;
  int stray = 0, meant_to_stay = 0, leaving = 0;
  {
    WorkerProcess worker(folder.path());
    RawConnection connection(worker.port()), other(worker.port()), third(worker.port());
    REQUIRE(connection.send(step_post(shell_call("setsid sleep 1000 & echo $! > stray; sleep 1000"))));
    StepCall leaves = shell_call("setsid sleep 1000 >/dev/null 2>&1 & echo $! > stays", "leaves");
    std::get<Process>(*leaves.task.work).leave = true;
    CHECK(ask(other, leaves, "inv_2").result.ok());
    leaves = shell_call("setsid sleep 1000 >/dev/null 2>&1 & echo $! > leaving; sleep 1000", "leaving");
    std::get<Process>(*leaves.task.work).leave = true;
    REQUIRE(third.send(step_post(leaves, "inv_3")));
    leaving = pid_in(folder.path() + "/leaving");
    stray = pid_in(folder.path() + "/stray");
    meant_to_stay = pid_in(folder.path() + "/stays");
    worker.program().signal(SIGKILL);
    worker.program().wait();
  }
  REQUIRE(state_of(stray).has_value());
  WorkerProcess worker(folder.path());
  CHECK(is_gone(stray));
  CHECK(is_gone(leaving));
  CHECK(state_of(meant_to_stay).has_value());
  CHECK(worker.says("ended what a worker had left running: sleep 1000"));
  ::kill(meant_to_stay, SIGKILL);
}

TEST_CASE("a worker that is told to end lets what runs finish, and takes nothing new") {
  TempDir folder;
  WorkerProcess worker(folder.path(), {"-j", "1"});
  RawConnection busy(worker.port()), kept(worker.port()), in_line(worker.port());
  REQUIRE(ask(kept, shell_call("true", "before")).result.ok());
  REQUIRE(busy.send(step_post(shell_call("echo > begun; until [ -e go ]; do sleep 0.02; done; echo done"))));
  REQUIRE(comes([&] { return std::filesystem::exists(folder.path() + "/begun"); }));
  REQUIRE(in_line.send(step_post(shell_call("echo > too_much", "other"), "inv_2")));
  std::this_thread::sleep_for(100ms);
  worker.program().signal(SIGTERM);
  REQUIRE(worker.says("takes nothing new"));
  CHECK(in_line.answer().status == 503);
  CHECK_FALSE(RawConnection(worker.port()).connected());
  std::ofstream(folder.path() + "/go") << "";
  CHECK(end_in(busy.answer()).result.value.json() == "done");
  CHECK(worker.program().wait(10s).code == 0);
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/too_much"));
}

TEST_CASE("a worker that is told to end twice stops what runs, and nobody takes that for a result") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  RawConnection busy(worker.port());
  REQUIRE(busy.send(step_post(shell_call("trap '' TERM; echo $$ > pid; sleep 1000; sleep 1000"))));
  const int pid = pid_in(folder.path() + "/pid");
  worker.program().signal(SIGTERM);
  REQUIRE(worker.says("takes nothing new"));
  worker.program().signal(SIGTERM);
  CHECK(busy.answer().status == 503);
  CHECK(is_gone(pid));
  CHECK(worker.program().wait(10s).code == 0);
}

TEST_CASE("-j bounds the processes of all runs together, and not requests") {
  TempDir folder;
  WorkerProcess worker(folder.path(), {"-j", "2"});
  std::vector<RawConnection> connections;
  for (int i = 0; i < 8; ++i) {
    StepCall call =
        shell_call("mkdir " + std::to_string(i) + " && ls -d [0-9] | wc -l; sleep 0.1; rmdir " + std::to_string(i));
    call.run_id = "run-" + std::to_string(i % 3);
    call.task.path = "step-" + std::to_string(i);
    connections.emplace_back(worker.port());
    REQUIRE(connections.back().send(step_post(call, "inv_" + std::to_string(i))));
  }
  for (RawConnection& one : connections) {
    const Json seen = end_in(one.answer()).result.value.json();
    CHECK((seen == "1" || seen == "2"));
  }
}

TEST_CASE("2,000 requests at once are all answered, and nothing is left") {
  TempDir folder;
  WorkerProcess worker(folder.path());
  std::vector<RawConnection> connections;
  StepCall call = shell_call("");
  HttpRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(worker.port()) + "/discover";
  request.headers = {{"Accept", "*/*"}};
  call.task.work = request;
  for (int i = 0; i < 2000; ++i) {
    call.task.path = "items[" + std::to_string(i) + "]";
    connections.emplace_back(worker.port());
    REQUIRE(connections.back().connected());
    REQUIRE(connections.back().send(step_post(call, "inv_" + std::to_string(i))));
  }
  for (RawConnection& one : connections) {
    const TaskEnded ended = end_in(one.answer(60'000));
    REQUIRE((ended.result.failure ? ended.result.failure->message : "") == "");
  }
  connections.clear();
  CHECK(worker.end().code == 0);
  // Requests need no folder.
  const std::string runs = folder.path() + "/worker/1/runs";
  CHECK((!std::filesystem::exists(runs) || std::filesystem::is_empty(runs)));
}

}  // namespace flowrun::test::worker_test
