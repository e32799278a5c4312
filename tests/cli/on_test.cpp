// `--on`: the real binary, whose steps a server with a worker of ours carries out. Killed, resumed, interrupted, moved.
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "engine/model/value.h"
#include "tests/restate/fake_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::on_test {
namespace {

using Words = std::vector<std::string>;

struct Desk {
  TempDir dir;
  std::string journal = dir.path("j.db");
  HowToRun how;

  Desk() { how.cwd = dir.path(""); }
  std::string write(const std::string& text) const { return dir.write("w.yaml", "flowrun: 1\n" + text); }
  Ran call(const Words& words) const { return flowrun(journal, words, how); }
  Background start(const Words& words) const {
    Words argv{FLOWRUN_BINARY, "--journal", journal};
    argv.insert(argv.end(), words.begin(), words.end());
    return Background(argv, how);
  }
};

bool soon(const std::function<bool()>& so) {
  for (int i = 0; i < 600; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return so();
}

/// An answer for each step: its path.
std::string path_of(const restate::StepCall& step) {
  return FakeServer::ended(step, Value::string("by " + step.task.path));
}

}  // namespace

TEST_CASE("steps are carried out elsewhere, and everything else is as at home", "[on]") {
  FakeServer server;
  server.services = {"flowrun", "flowrun-gpu"};
  server.work = path_of;
  Desk desk;
  const std::string file = desk.write(R"(
secrets: { token: { env: NOT_HERE } }
steps:
  a: { shell: echo a > here, env: { T: "${ $secrets.token }" } }
  b: { exec: [echo, "${ $steps.a }"], pool: gpu }
  c: { http: GET http://127.0.0.1:1/x, needs: b }
  d: { set: "${ $steps.b }" }
output: [ "${ $steps.a }", "${ $steps.c }", "${ $steps.d }" ]
)");
  const Ran ran = desk.call({"run", file, "--id", "r", "--on", server.place()});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(Value(Json::parse(ran.out)).text() == R"(["by a","by c","by b"])");
  CHECK(access(desk.dir.path("here").c_str(), F_OK) != 0);
  REQUIRE(server.begun().size() == 3);
  CHECK(server.begun()[0].secrets.at(0).place == "NOT_HERE");
  CHECK(std::get<Process>(*server.begun()[1].task.work).argv.at(1) == "by a");

  CHECK_THAT(desk.call({"show", "r"}).out, ContainsSubstring("carried out on " + server.place()));
  CHECK_THAT(desk.call({"journal", "show", "r"}).out, ContainsSubstring("started  on restate="));
  CHECK(desk.call({"journal", "verify", "r"}).code == 0);
  // A fork goes to the same place, a retry as well, and both may be told otherwise.
  CHECK(desk.call({"fork", "r", "--from", "c", "--id", "f"}).code == 0);
  CHECK(server.begun().size() == 4);
  CHECK(desk.call({"retry", "r", "b"}).code == 0);
  CHECK(server.begun().size() > 4);
  const std::size_t begun = server.begun().size();
  CHECK(desk.call({"retry", "r", "c", "--on", "here"}).code != 0);  // nobody listens at that port
  CHECK(server.begun().size() == begun);
  CHECK(desk.call({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("what can not be carried out elsewhere is said before anything begins", "[on]") {
  FakeServer server;
  Desk desk;
  const std::string file = desk.write("steps: { a: { shell: 'true' }, b: { shell: 'true', pool: gpu } }\n");
  const auto refused = [&](const Words& more, int code, const std::string& word) {
    Words words{"run", file};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = desk.call(words);
    INFO(ran.err);
    CHECK(ran.code == code);
    CHECK_THAT(ran.err, ContainsSubstring(word));
    CHECK(server.calls().empty());
  };
  refused({"--on", server.place()}, 8, "has no service `flowrun-gpu`, which carries out steps with `pool: gpu`");
  refused({"--on", server.place()}, 8, "flowrun worker --listen 127.0.0.1:9080 --name gpu");
  refused({"--on", "restate=http://127.0.0.1:1"}, 8, "the Restate server at http://127.0.0.1:1 does not answer");
  refused({"--on", "restate=" + server.ingress() + ",admin=http://127.0.0.1:1"}, 8, "the admin interface");
  refused({"--on", "restate=" + server.ingress() + ",admin=" + server.ingress()}, 8, "the admin interface");
  refused({"--on", server.ingress()}, 2, "did you mean restate=" + server.ingress());
  refused({"--on", server.place(), "-j", "4"}, 2, "-j bounds the processes of this machine");
  desk.how.env["FLOWRUN_ON"] = "there";
  refused({}, 2, "FLOWRUN_ON there: did you mean `here`?");
  desk.how.env.clear();
  server.services = {"flowrun", "flowrun-gpu"};
  server.version = R"({"version":"1.6.2"})";
  refused({"--on", server.place()}, 8, "is version 1.6.2; flowrun needs 1.7 or newer");
  server.version = "hello";
  refused({"--on", server.place()}, 8, "is not the admin interface of a Restate server");
  server.version = R"({"version":"2.0.0"})";
  CHECK(desk.call({"run", file, "--on", server.place()}).code == 0);
  // None of those before has left a run behind.
  const std::string list = desk.call({"list", "--json"}).out;
  CHECK(std::count(list.begin(), list.end(), '\n') == 1);
}

TEST_CASE("a run that was killed attaches to what goes on elsewhere, whatever on_crash says", "[on]") {
  FakeServer server;
  server.work = path_of;
  server.hold();
  Desk desk;
  const std::string file = desk.write(R"(
steps:
  a: { shell: one }
  b: { shell: two, on_crash: ask }
  c: { shell: three, on_crash: fail }
  first: { race: { x: { shell: x }, y: { shell: y } } }
output: [ "${ $steps.a }", "${ $steps.b }", "${ $steps.c }" ]
)");
  {
    Background flowrun = desk.start({"run", file, "--id", "r", "--on", server.place()});
    REQUIRE(soon([&] { return server.begun().size() == 5; }));
    flowrun.signal(SIGKILL);
    flowrun.wait();
  }
  SECTION("it may not go elsewhere meanwhile") {
    FakeServer other;
    const Ran ran = desk.call({"resume", "r", "--on", other.place()});
    CHECK(ran.code == 8);
    CHECK_THAT(ran.err,
               ContainsSubstring("has 5 attempts (a, first/x, first/y, b, c) under way at " + server.ingress()));
    CHECK(desk.call({"resume", "r", "--on", "here"}).code == 8);
    CHECK(other.calls().empty());
    server.release();
  }
  SECTION("what has ended meanwhile is taken") { server.release(); }
  SECTION("what has not is waited for") {}
  Background resumed = desk.start({"resume", "r", "--no-input"});
  CHECK(soon([&] { return server.calls().size() == 10; }));
  server.release();
  const Ran ran = resumed.wait();
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(Value(Json::parse(ran.out)).text() == R"(["by a","by b","by c"])");
  CHECK_THAT(ran.err, ContainsSubstring("under way at " + server.ingress()));
  CHECK(server.begun().size() == 5);
  const std::vector<std::string> all = server.calls();
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == 5);
  CHECK(desk.call({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("what a server has never had begins by its old key, and what was killed there was cut off", "[on]") {
  FakeServer server;
  server.work = path_of;
  server.hold();
  Desk desk;
  const std::string file = desk.write("steps: { a: { shell: one }, b: { shell: two, on_crash: ask } }\n");
  {
    Background flowrun = desk.start({"run", file, "--id", "r", "--on", server.place()});
    REQUIRE(soon([&] { return server.begun().size() == 2; }));
    flowrun.signal(SIGKILL);
    flowrun.wait();
  }
  SECTION("never had") {
    server.release();
    REQUIRE(soon([&] { return server.over() == 2; }));
    server.forget();
    CHECK(desk.call({"resume", "r", "--no-input"}).code == 0);
    const std::vector<std::string> all = server.calls();
    CHECK(std::set<std::string>(all.begin(), all.end()).size() == 2);
    CHECK(server.begun().back().task.rerun == 0);
  }
  SECTION("killed") {
    server.kill_all();
    server.release();
    const Ran asked = desk.call({"resume", "r", "--no-input"});
    CHECK(asked.code == 5);
    CHECK_THAT(asked.err, ContainsSubstring("--mark b=failed"));
    CHECK(desk.call({"resume", "r", "--mark", "b=rerun"}).code == 0);
    CHECK(server.begun().back().task.rerun == 1);
  }
  CHECK(server.begun().size() == 4);
  CHECK(desk.call({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("an interrupt kills what runs elsewhere, and the run goes on from there, here or there", "[on]") {
  for (const char* where : {"there", "here"}) {
    INFO(where);
    FakeServer server;
    server.work = path_of;
    server.hold();
    Desk desk;
    const std::string file = desk.write("steps: { a: { shell: echo one }, b: { exec: [echo, two] } }\n");
    {
      Background flowrun = desk.start({"run", file, "--id", "r", "--grace", "200ms", "--on", server.place()});
      REQUIRE(soon([&] { return server.begun().size() == 2; }));
      flowrun.signal(SIGINT);
      const Ran ran = flowrun.wait();
      INFO(ran.err);
      CHECK(ran.code == 130);
    }
    CHECK(server.kills().size() == 2);
    server.release();
    Words words{"resume", "r"};
    if (std::string(where) == "here") words.insert(words.end(), {"--on", "here"});
    const Ran ran = desk.call(words);
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(server.begun().size() == (std::string(where) == "here" ? 2 : 4));
    CHECK(desk.call({"journal", "verify", "r"}).code == 0);
  }
}

TEST_CASE("losers, timeouts and a run that is cancelled while nobody drives it are killed elsewhere", "[on]") {
  FakeServer server;
  server.work = path_of;
  Desk desk;
  server.hold();
  const std::string file = desk.write(R"(
steps:
  slow: { parallel: { x: { shell: x } }, timeout: 300ms, continue_on_error: true }
)");
  const Ran ran = desk.call({"run", file, "--id", "t", "--on", server.place()});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(server.kills().size() == 1);

  const std::string other = desk.write("steps: { a: { shell: one }, b: { shell: two } }\n");
  {
    Background flowrun = desk.start({"run", other, "--id", "r", "--on", server.place()});
    REQUIRE(soon([&] { return server.begun().size() == 3; }));
    flowrun.signal(SIGKILL);
    flowrun.wait();
  }
  CHECK(desk.call({"cancel", "--now", "r"}).code == 0);
  CHECK(server.kills().size() == 3);
}

TEST_CASE("FLOWRUN_ON is for runs that begin, steps do not inherit it, and each goes there, too", "[on]") {
  FakeServer server;
  server.work = path_of;
  Desk desk;
  desk.how.env["FLOWRUN_ON"] = server.place();
  const std::string file = desk.write("steps: { a: { shell: 'echo \"[${FLOWRUN_ON:-}]\"' } }\noutput: ${ $steps.a }\n");
  CHECK(desk.call({"run", file}).out == "by a\n");
  const Ran logs = desk.call({"logs"});
  CHECK(logs.out.empty());
  CHECK_THAT(logs.err, ContainsSubstring("what they said has stayed with their workers"));
  CHECK(desk.call({"run", file, "--on", "here"}).out == "[]\n");
  desk.how.env["FLOWRUN_JOBS"] = "3";  // of this machine
  CHECK(desk.call({"run", file}).out == "by a\n");
  desk.how.env["FLOWRUN_ON"] = "";
  CHECK(desk.call({"run", file}).out == "[]\n");
  desk.how.stdin_text = "1\n2\n3\n";
  const Ran each = desk.call({"each", "-P", "2", "--ordered", "--on", server.place(), "--", "not-here", "{}"});
  INFO(each.err);
  CHECK(each.code == 0);
  CHECK_THAT(each.out, ContainsSubstring("by each"));
  CHECK(server.begun().size() == 5);
}

}  // namespace flowrun::test::on_test
