// Runs on a real Restate server as a user has them: the four commands of README.md, two workers behind nginx, and what
// goes wrong. Skipped where there is no server; `./dev test --restate` has one.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

bool missing() {
  const std::string why = why_no_restate();
  if (!why.empty()) WARN("skipped: " << why);
  return !why.empty();
}

struct Desk {
  TempDir dir;
  HowToRun how;

  explicit Desk(const std::string& on = "") {
    how.cwd = dir.path();
    if (!on.empty()) how.env["FLOWRUN_ON"] = on;
  }
  std::string write(const std::string& text) const { return dir.write("w.yaml", "flowrun: 1\nname: w\n" + text); }
  Ran call(Words words) const { return flowrun(dir.path("j.db"), std::move(words), how); }
  std::unique_ptr<Background> start(Words words) const {
    words.insert(words.begin(), {FLOWRUN_BINARY, "--journal", dir.path("j.db")});
    return std::make_unique<Background>(words, how);
  }
};

bool soon(const std::function<bool()>& so) {
  for (int i = 0; i < 3000; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Numbers of payments and parcels are given as they come.
std::string without_numbers(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }), text.end());
  return text;
}

}  // namespace

TEST_CASE("the order workflow over two workers behind nginx puts out what it does at home", "[restate]") {
  if (missing()) return;
  Shop shop;
  Fleet fleet;
  Desk home, there(fleet.server.on());
  const Words words{"run", FLOWRUN_SOURCE_DIR "/workflows/order.yaml", "--id", "order", "-i", "api=" + shop.url()};
  const Ran one = home.call(words), two = there.call(words);
  INFO(one.err << two.err);
  CHECK(one.code == 0);
  CHECK(two.code == 0);
  CHECK(without_numbers(two.out) == without_numbers(one.out));
  CHECK(there.call({"journal", "verify", "order"}).code == 0);
  // Both workers had something to do in a few more of them.
  for (int i = 0; i < 3; ++i) CHECK(there.call({"run", words[1], "-i", words[5]}).code == 0);
}

TEST_CASE("what is missing before a run begins is told, and nothing is started", "[restate]") {
  if (missing()) return;
  Restate server;
  Desk desk;
  const std::string file = desk.write("steps: { a: { shell: echo > began, pool: gpu } }\n");
  const Ran nobody = desk.call({"run", file, "--on", fmt::format("restate=http://127.0.0.1:{}", listening_port())});
  INFO(nobody.err);
  CHECK(nobody.code == 8);
  const Ran nothing = desk.call({"run", file, "--on", server.on()});
  INFO(nothing.err);
  CHECK(nothing.code == 8);
  CHECK(nothing.err.find("flowrun worker") != std::string::npos);
  // Of two pools only one is there.
  StepWorker worker;
  server.deploy(worker.url());
  const Ran other = desk.call({"run", file, "--on", server.on()});
  INFO(other.err);
  CHECK(other.code == 8);
  CHECK(other.err.find("flowrun-gpu") != std::string::npos);
  CHECK(desk.call({"list"}).out.find("w-") == std::string::npos);
  StepWorker special({"--name", "gpu", "--workdir", desk.dir.path()});
  server.deploy(special.url());
  const Ran ran = desk.call({"run", file, "--on", server.on()});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(std::filesystem::exists(desk.dir.path("began")));
}

TEST_CASE("a server that goes away in the middle and comes back is waited for", "[restate]") {
  if (missing()) return;
  Fleet fleet;
  Desk desk(fleet.server.on());
  const std::string file = desk.write(
      "steps:\n  - { id: a, shell: 'echo x >> \"$LOG\"; sleep 1; echo A', env: { LOG: " + desk.dir.path("log") +
      " } }\n  - { id: b, shell: echo B }\noutput: ${ [$steps.a, $steps.b] }\n");
  const auto run = desk.start({"run", file});
  REQUIRE(soon([&] { return !desk.dir.read("log").empty(); }));
  fleet.server.kill();
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  CHECK(run->running());
  fleet.server.start();
  const Ran ran = run->wait();
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "[\"A\",\"B\"]\n");
  CHECK(desk.dir.read("log") == "x\nx\n");  // it was in flight
  CHECK(desk.call({"journal", "verify"}).code == 0);
}

TEST_CASE("what is too large for a server fails, and says so", "[restate]") {
  if (missing()) return;
  Fleet fleet;
  Desk desk(fleet.server.on());
  const Ran ran = desk.call({"run", desk.write(R"(
steps:
  out: { shell: 'head -c 34000000 /dev/zero | tr "\0" x', max_output: 64MiB, continue_on_error: true }
output: ${ $status.out.error.type }
)")});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out == "restate.size\n");
}

TEST_CASE("a server that has enough is asked again when it says, and its pool is held back", "[restate]") {
  if (missing()) return;
  std::atomic<int> asked_for{0};
  HttpServer busy;
  busy.Get("/.*", [&](const httplib::Request&, httplib::Response& answer) {
    if (asked_for++ == 0) {
      answer.status = 429;
      answer.set_header("Retry-After", "1");
    }
    answer.set_content("{}", "application/json");
  });
  busy.start();
  Fleet fleet;
  Desk desk(fleet.server.on());
  const auto began = std::chrono::steady_clock::now();
  const Ran ran =
      desk.call({"run", desk.write("limits: { l: 1 }\nsteps: { e: { for_each: 4, do: { http: \"" + busy.url("/x") +
                                   "\", limit: l, retry: { attempts: 3, delay: 10ms } } } }\n")});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(asked_for == 5);
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::seconds(1));
}

TEST_CASE("a secret is read by the worker, and the server never has it", "[restate]") {
  if (missing()) return;
  Restate server;
  HowToRun how;
  how.env["TOKEN"] = "s3cr3t-and-long";
  StepWorker worker({}, how);
  server.deploy(worker.url());
  Desk desk(server.on());
  const std::string file = desk.write(R"(
secrets: { t: { env: TOKEN } }
steps:
  a: { shell: '[ "$T" = s3cr3t-and-lon""g ] && echo "it is $T"', env: { T: "${ $secrets.t }" } }
output: ${ $steps.a }
)");
  const Ran ran = desk.call({"run", file});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.out.find("s3cr3t") == std::string::npos);
  CHECK(ran.out.find("it is") == 0);
  // What the server keeps of it, as bytes: the output, and not the secret.
  std::string kept;
  for (const Json& row : server.query("SELECT raw FROM sys_journal"))
    if (row.contains("raw") && row["raw"].is_string()) kept += row["raw"].get<std::string>();
  const auto keeps = [&](std::string_view text) {
    std::string hex;
    for (const char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return kept.find(hex) != kept.npos;
  };
  CHECK(keeps("it is $T"));
  CHECK_FALSE(keeps("s3cr3t-and-long"));
  StepWorker without;
  server.deploy(without.url());
  const Ran lacks = desk.call({"run", file});
  INFO(lacks.err);
  CHECK(lacks.code == 1);
  CHECK(lacks.err.find("TOKEN") != std::string::npos);
}

}  // namespace flowrun::test::restate_test
