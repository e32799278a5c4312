// Workers as a real Restate server uses them: what it asks through its ingress is carried out, what it takes back is
// stopped, and a worker that is gone is replaced by another.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "engine/model/task_text.h"
#include "engine/restate/step_call.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_worker_test {
namespace {

bool missing() {
  const std::string why = why_no_restate();
  if (!why.empty()) WARN("skipped: " << why);
  return !why.empty();
}

/// The body of a call of `step` that runs |script|.
std::string step(const std::string& script) {
  restate::StepCall call;
  call.run_id = "r";
  call.task.path = "a";
  Process process;
  process.argv = {"sh", "-c", script};
  process.max_output = 64 << 20;
  call.task.work = std::move(process);
  return to_text(call);
}

Json value_of(const std::string& answer) {
  INFO(answer);
  REQUIRE(answer.starts_with("200 "));
  return Json::parse(answer.substr(4)).at("value");
}

bool soon(const std::function<bool()>& so) {
  for (int i = 0; i < 3000; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// What has ended and that nobody has waited for lives no more.
bool lives(const std::string& pid) {
  if (pid.empty()) return false;
  std::ifstream in("/proc/" + std::to_string(std::stoi(pid)) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const auto behind = text.rfind(") ");
  return behind != text.npos && text[behind + 2] != 'Z';
}

}  // namespace

TEST_CASE("a real server has steps carried out by workers behind nginx, once for a key", "[restate]") {
  if (missing()) return;
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  // The version that a server speaks by itself, and the newest.
  const std::string newest = GENERATE("false", "true");
  CAPTURE(newest);
  Fleet fleet({}, how, {{"RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7", newest}});
  const std::string url = fleet.server.ingress() + "/restate/call/flowrun/step";
  CHECK(value_of(asked("POST", url, step("pwd; echo x >> effects"))) == dir.path());
  for (int i = 0; i < 3; ++i)
    CHECK(value_of(asked("POST", url, step("echo $$; echo x >> effects"), {{"idempotency-key", "k"}})).is_string());
  CHECK(dir.read("effects") == "x\nx\n");

  for (const Json& row : fleet.server.query("SELECT pinned_service_protocol_version AS version FROM sys_invocation"))
    CHECK(row.at("version") == (newest == "true" ? 7 : 6));

  // One of two workers is enough, without a pause.
  fleet.one.kill();
  for (int i = 0; i < 10; ++i) CHECK(value_of(asked("POST", url, step("echo well"))) == "well");
  fleet.one.start();

  // The server is killed, comes back, and still knows the answer.
  const Json before = value_of(asked("POST", url, step("echo $$"), {{"idempotency-key", "l"}}));
  fleet.server.kill();
  fleet.server.start();
  CHECK(value_of(asked("POST", url, step("echo $$"), {{"idempotency-key", "l"}})) == before);
}

TEST_CASE("what a real server takes back is stopped at the worker, and what a worker dies of begins again",
          "[restate]") {
  if (missing()) return;
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  Fleet fleet({}, how);
  const std::string send = fleet.server.ingress() + "/restate/send/flowrun/step";

  const std::string sent = asked("POST", send, step("sleep 300 & echo $! > child; echo $$ > parent; wait"));
  INFO(sent);
  REQUIRE(sent.starts_with("202 "));
  const std::string id = Json::parse(sent.substr(4)).at("invocationId");
  REQUIRE(soon([&] { return lives(dir.read("parent")); }));
  CHECK(asked("PATCH", fleet.server.admin() + "/invocations/" + id + "/kill").starts_with("20"));
  CHECK(soon([&] { return !lives(dir.read("parent")) && !lives(dir.read("child")); }));

  // Whichever of the two has it is killed.
  asked("POST", send, step("echo $PPID >> workers; echo $$ >> steps; sleep 1; echo over >> over"));
  REQUIRE(soon([&] { return !dir.read("workers").empty(); }));
  const std::string first = dir.read("steps");
  StepWorker& victim = std::stoi(dir.read("workers")) == fleet.one.process().pid() ? fleet.one : fleet.two;
  victim.kill();
  victim.start();
  REQUIRE(soon([&] { return !dir.read("over").empty(); }));
  CHECK(dir.read("over") == "over\n");
  CHECK_FALSE(lives(first));
  CHECK(soon([&] { return fleet.server.query("SELECT id FROM sys_invocation WHERE status != 'completed'").empty(); }));
}

TEST_CASE("a worker that is told to end lets its steps end first", "[restate]") {
  if (missing()) return;
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  Restate server;
  StepWorker worker({}, how);
  server.deploy(worker.url());
  std::string answer;
  std::thread client([&] {
    answer = asked("POST", server.ingress() + "/restate/call/flowrun/step", step("touch begun; sleep 1; echo over"));
  });
  CHECK(soon([&] { return std::filesystem::exists(dir.path("begun")); }));
  worker.process().signal(SIGTERM);
  CHECK(worker.process().wait().code == 0);
  client.join();
  CHECK(value_of(answer) == "over");
}

TEST_CASE("a result that a real server would not take is a failure, and what just fits arrives", "[restate]") {
  if (missing()) return;
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path();
  how.env["XDG_STATE_HOME"] = dir.path("state");
  Fleet fleet({}, how);
  const std::string url = fleet.server.ingress() + "/restate/call/flowrun/step";
  const auto of = [&](int bytes) {
    return asked("POST", url, step(fmt::format("echo x >> starts; head -c {} /dev/zero | tr '\\0' x", bytes)));
  };
  CHECK(value_of(of((32 << 20) - 4096 - 300)).get_ref<const std::string&>().size() == (32 << 20) - 4096 - 300);
  const std::string large = of(32 << 20);
  CHECK(large.find("\"restate.size\"") != large.npos);
  CHECK(large.size() < 2000);
  CHECK(dir.read("starts") == "x\nx\n");
}

TEST_CASE("a worker with a key answers the real server that signs with it, and nobody else", "[restate]") {
  if (missing()) return;
  if (run({"/usr/bin/env", "openssl", "version"}).code != 0) {
    WARN("skipped: there is no openssl to make a key with");
    return;
  }
  TempDir dir;
  const std::string pem = dir.path("key.pem");
  REQUIRE(run({"/usr/bin/env", "openssl", "genpkey", "-algorithm", "ed25519", "-out", pem}).code == 0);
  Restate server({{"RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE", pem}});
  const std::string log = server.log();
  const std::size_t at = log.find("publickeyv1_");
  REQUIRE(at != log.npos);
  HowToRun how;
  how.env["XDG_STATE_HOME"] = dir.path("state");
  StepWorker worker({"--key", log.substr(at, log.find('"', at) - at)}, how);
  server.deploy(worker.url());
  CHECK(value_of(asked("POST", server.ingress() + "/restate/call/flowrun/step", step("echo well"))) == "well");
  CHECK(asked("GET", worker.url() + "/discover").starts_with("401"));
  Restate other;
  CHECK_THROWS(other.deploy(worker.url()));
}

}  // namespace flowrun::test::restate_worker_test
