// Runs that go on by themselves on a real Restate server: nobody who has started or carried out a part of one has to
// stay, what is read back is what a run at home would have written, and it is answered and cancelled from anywhere.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include "engine/restate/messages.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_detached_test {
namespace {

bool missing() {
  const std::string why = why_no_restate();
  if (!why.empty()) WARN("skipped: " << why);
  return !why.empty();
}

/// Two workers behind nginx, and a person elsewhere.
class Elsewhere {
 public:
  explicit Elsewhere(std::map<std::string, std::string> env = {}) : fleet({}, how_of(workers_), std::move(env)) {}

  std::string journal() const { return here_.path("journal.db"); }
  std::string effects() const {
    return std::filesystem::exists(workers_.path("effects")) ? workers_.read("effects") : "";
  }
  Ran ask(std::vector<std::string> args) const {
    args.insert(args.end(), {"--on", fleet.server.on()});
    return flowrun(journal(), std::move(args));
  }
  Ran here(std::vector<std::string> args) const { return flowrun(journal(), std::move(args)); }
  /// Starts the run |id| of |text|.
  void start(const std::string& id, const std::string& text) const {
    const std::string file = here_.write(id + ".yaml", "flowrun: 1\n" + text);
    const Ran ran = ask({"run", file, "--detach", "--id", id, "-q"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    CHECK(ran.out == id + "\n");
  }
  Ran watch(const std::string& id) const { return ask({"watch", id, "--progress", "plain"}); }
  /// The run is brought here, and is good.
  void bring_home(const std::string& id) const {
    const Ran ran = ask({"import", id});
    INFO(ran.err);
    CHECK(ran.code == 0);
    const Ran verified = here({"journal", "verify", id});
    CHECK(verified.out.find("good") != std::string::npos);
    CHECK(here({"journal", "show", id, "--json"}).out == ask({"journal", "show", id, "--json"}).out);
  }
  bool soon(const std::string& id, const std::string& wanted) const {
    for (int i = 0; i < 300; ++i) {
      if (ask({"show", id}).out.find(wanted) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

 private:
  static HowToRun how_of(const TempDir& dir) {
    HowToRun how;
    how.cwd = dir.path();
    how.env["XDG_STATE_HOME"] = dir.path("state");
    return how;
  }
  TempDir workers_, here_;

 public:
  Fleet fleet;
};

}  // namespace

TEST_CASE("a detached run survives its client and one of two workers, and is good when it comes home", "[restate]") {
  if (missing()) return;
  const std::string newest = GENERATE("false", "true");
  CAPTURE(newest);
  Elsewhere at({{"RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7", newest}});
  at.start("many", R"(steps:
  - id: all
    for_each: "${ [range(60)] }"
    as: i
    do: { shell: 'sleep 0.2; echo $I >> effects', env: { I: "${ $i }" } }
  - { id: last, shell: 'sort -un effects | wc -l', capture: json }
output: "${ $steps.last }"
)");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  at.fleet.one.kill();
  const Ran watched = at.watch("many");
  INFO(watched.err);
  CHECK(watched.code == 0);
  CHECK(at.ask({"output", "many"}).out == "60\n");
  // Only what the dead worker had in flight may have been done twice.
  const std::string effects = at.effects();
  const auto done = std::count(effects.begin(), effects.end(), '\n');
  CHECK(done >= 60);
  CHECK(done <= 90);
  at.bring_home("many");
  const Ran again = at.ask({"import", "many"});
  CHECK(again.code == 8);
  CHECK_THAT(again.err, ContainsSubstring("already"));
}

TEST_CASE("a detached run comes out as the same run at home does", "[restate]") {
  if (missing()) return;
  Elsewhere at;
  const std::map<std::string, std::string> workflows = {
      {"won", R"(steps:
  - id: first
    race: { slow: { shell: sleep 60 }, fast: { shell: 'sleep 0.3; echo 1', capture: json } }
output: "${ $steps.first }"
)"},
      {"late",
       "steps:\n  - { id: a, shell: sleep 60, timeout: 300ms, continue_on_error: true }\n"
       "  - { id: b, parallel: { c: { shell: sleep 60 } }, timeout: 300ms }\n"},
      {"quorum", R"(steps:
  - id: votes
    parallel: { a: { shell: 'true' }, b: { shell: sleep 60 }, c: { shell: 'true' } }
    join: { quorum: 2 }
)"},
      {"again", R"(steps:
  - { id: a, shell: 'echo x >> tries; test $(wc -l < tries) = 3', retry: { attempts: 3, delay: 100ms } }
)"},
      {"undone", R"(steps:
  - { id: a, shell: 'true', undo: { shell: 'true' } }
  - { id: b, shell: 'exit 3' }
on_failure: [ { id: c, shell: 'true' } ]
finally: [ { id: d, shell: 'true' } ]
)"},
      {"rated", R"(limits: { slow: { rate: 20/s, max: 2 } }
steps:
  - { id: all, for_each: "${ [range(5)] }", as: i, do: { shell: 'echo $I', env: { I: "${ $i }" }, limit: slow } }
output: "${ $steps.all }"
)"},
      {"strict",
       "concurrency: 2\nsteps:\n  - { id: a, parallel: { b: { shell: 'true' }, c: { shell: 'true' } } }\n"
       "output: \"${ $run.name }\"\n"},
  };
  for (const auto& [id, text] : workflows) {
    CAPTURE(id, text);
    at.start(id, text);
    const Ran watched = at.watch(id);
    INFO(watched.err);
    TempDir home;
    HowToRun how;
    how.cwd = home.path();
    const Ran ran =
        flowrun(home.path("j.db"), {"run", home.write(id + ".yaml", "flowrun: 1\n" + text), "--id", id}, how);
    CHECK(watched.code == ran.code);
    const Json away = Json::parse(at.ask({"show", id, "--json"}).out);
    const Json near = Json::parse(flowrun(home.path("j.db"), {"show", id, "--json"}).out);
    CHECK(away.at("state") == near.at("state"));
    CHECK(away.at("output") == near.at("output"));
    CHECK(away.at("counts") == near.at("counts"));
    CHECK(away.at("steps").size() == near.at("steps").size());
    for (std::size_t i = 0; i < away.at("steps").size(); ++i) {
      CHECK(away["steps"][i].at("path") == near["steps"][i].at("path"));
      CHECK(away["steps"][i].at("state") == near["steps"][i].at("state"));
      CHECK(away["steps"][i].at("attempts") == near["steps"][i].at("attempts"));
    }
    at.bring_home(id);
  }
}

TEST_CASE("a detached run is answered and cancelled from anywhere, with the words of home", "[restate]") {
  if (missing()) return;
  Elsewhere at;
  const std::string text = R"(steps:
  - { id: a, shell: 'echo done >> effects', undo: { shell: 'echo undone >> effects' } }
  - { id: ok, wait: go, accept: { type: integer } }
  - { id: b, shell: sleep 60 }
output: "${ $steps.ok }"
)";
  at.start("asked", text);
  REQUIRE(at.soon("asked", "waiting"));
  CHECK_THAT(at.ask({"signal", "asked", "went"}).err, ContainsSubstring("it waits for go"));
  CHECK(at.ask({"signal", "asked", "go", "--data", "\"x\""}).code == 3);
  const Ran early = at.ask({"import", "asked"});
  CHECK(early.code == 8);
  CHECK_THAT(early.err, ContainsSubstring("has not ended"));
  CHECK(at.ask({"approve", "asked", "--data", "7"}).code == 0);
  REQUIRE(at.soon("asked", "running  b"));
  CHECK(at.ask({"approve", "asked"}).code == 8);
  const Ran cancelled = at.ask({"cancel", "asked", "--undo"});
  CHECK(cancelled.code == 0);
  CHECK_THAT(cancelled.err, ContainsSubstring("has been cancelled"));
  CHECK(at.effects() == "done\nundone\n");
  CHECK(at.ask({"signal", "asked", "go"}).code == 8);
  CHECK(at.watch("asked").code == 1);
  at.bring_home("asked");

  // The server's own cancel is heard, too, and its kill leaves a run without an end.
  at.start("two", text);
  REQUIRE(at.soon("two", "waiting"));
  const auto id_of = [&](const std::string& run) {
    const Json rows = at.fleet.server.query("SELECT id FROM sys_invocation WHERE idempotency_key = '" + run + "'");
    return rows.at(0).at("id").get<std::string>();
  };
  CHECK(at.ask({"show", id_of("two")}).out.starts_with("two  running"));
  asked("PATCH", at.fleet.server.admin() + "/invocations/" + id_of("two") + "/cancel");
  CHECK(at.watch("two").code == 1);
  CHECK_THAT(at.ask({"show", "two"}).out, ContainsSubstring("two  cancelled"));
  at.start("three", text);
  REQUIRE(at.soon("three", "waiting"));
  asked("PATCH", at.fleet.server.admin() + "/invocations/" + id_of("three") + "/kill");
  const Ran killed = at.watch("three");
  CHECK(killed.code == 4);
  CHECK_THAT(killed.err, ContainsSubstring("the server has ended it before its end"));

  const Ran list = at.ask({"list"});
  CHECK_THAT(list.out, ContainsSubstring("three  completed"));
  CHECK(at.ask({"show", "no-such"}).code == 8);
  CHECK(at.ask({"show", "inv_nosuch"}).code == 8);
}

TEST_CASE("the same id is started once on a server, and another run of that id is refused", "[restate]") {
  if (missing()) return;
  Elsewhere at;
  at.start("one", "steps: [ { id: a, shell: 'echo x >> effects' } ]\n");
  at.start("one", "steps: [ { id: a, shell: 'echo x >> effects' } ]\n");
  CHECK(at.watch("one").code == 0);
  CHECK(at.effects() == "x\n");
  TempDir dir;
  const std::string other = dir.write("w.yaml", "flowrun: 1\nsteps: [ { id: b, shell: 'true' } ]\n");
  const Ran ran = at.ask({"run", other, "--detach", "--id", "one"});
  CHECK(ran.code == 8);
  CHECK_THAT(ran.err, ContainsSubstring("from another text of the workflow"));
  for (const char* option : {"--json", "--no-wait"}) CHECK(at.ask({"run", other, "--detach", option}).code == 2);
  CHECK(flowrun(at.journal(), {"run", other, "--detach"}).code == 2);
  const std::string stream =
      dir.write("s.yaml", "flowrun: 1\nsteps: [ { id: b, for_each: stdin, do: { shell: 'true' } } ]\n");
  CHECK(at.ask({"run", stream, "--detach"}).code == 2);
}

}  // namespace flowrun::test::restate_detached_test
