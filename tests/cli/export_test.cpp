// flowrun export: a run is the same in another journal and goes on there, also when that one was only copied.
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/journal/sqlite.h"
#include "tests/cli/machines.h"

namespace flowrun::test::export_test {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("a run that was imported answers every question as it did where it ran", "[export]") {
  const Computer here, there;
  const std::string file = everything(here, "r");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
  const Ran imported = there.call({"import", file});
  INFO(imported.err);
  REQUIRE(imported.code == 0);
  CHECK(imported.out == "r\n");
  for (const std::vector<std::string>& question :
       std::vector<std::vector<std::string>>{{"show", "r"},
                                             {"show", "r", "--json"},
                                             {"output", "r"},
                                             {"output", "r", "--step", "large"},
                                             {"logs", "r"},
                                             {"logs", "r", "--failed", "--stderr"},
                                             {"journal", "show", "r", "--full"},
                                             {"journal", "verify", "--all"},
                                             {"report", "r", "--format", "junit"},
                                             {"report", "r", "--format", "perfetto"},
                                             {"why", "r", "each[7]"},
                                             {"eval", "--run", "r", "$steps.sub"},
                                             {"list", "--json"}}) {
    const Ran ours = here.ask(question), theirs = there.ask(question);
    CAPTURE(question);
    CHECK(theirs.code == ours.code);
    CHECK((theirs.out == ours.out));
    CHECK(theirs.err == ours.err);
  }
  CHECK(files_below(there.dir, "home/runs") == files_below(here.dir, "home/runs"));
  CHECK(access(there.dir.path("home/runs/r/tool").c_str(), X_OK) == 0);
  CHECK(access(there.dir.path("home/runs/r/a/b/c d").c_str(), X_OK) != 0);

  // What is exported again is the same to the byte.
  const Ran again = there.call({"export", "r", "-o", "-"});
  CHECK(again.code == 0);
  CHECK(again.out == here.dir.read("work/r.flowrun"));
  // And goes on like any other.
  fs::copy(here.how.cwd, there.how.cwd, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  CHECK(there.call({"retry", "r", "own", "-q"}).code == 0);
  CHECK(there.call({"fork", "r", "--id", "f", "-q"}).code == 0);
  CHECK(there.call({"diff", "r", "f"}).code == 1);
  CHECK(there.call({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("a run that was killed goes on elsewhere: in another folder, HOME and host, by hand or by an archive",
          "[export]") {
  const bool by_archive = GENERATE(true, false);
  CAPTURE(by_archive);
  auto here = std::make_unique<Computer>();
  const Computer there;
  const TempDir effects;
  const std::string workflow = here->write("w.yaml", fmt::format(R"(steps:
  - id: once
    shell: echo x >> {0}/once; echo mine > "$FLOWRUN_RUN_DIR/mine"; seq 10000
  - id: hold
    shell: while ! [ -e {0}/go ]; do sleep 0.02; done; cat "$FLOWRUN_RUN_DIR/mine" >> {0}/hold; echo "$PWD" >> {0}/where
    undo: {{ shell: 'echo "$PWD" >> {0}/undone' }}
output: ${{ $run.dir }}
)",
                                                                 effects.path()));
  Background job({FLOWRUN_BINARY, "--journal", here->journal, "run", workflow, "--id", "r", "-i", "x=1"}, here->how);
  job.wait();  // no such input: nothing was started
  Background cut({FLOWRUN_BINARY, "--journal", here->journal, "run", workflow, "--id", "r"}, here->how);
  while (cut.err().find("start     hold") == std::string::npos && cut.running()) usleep(5000);
  cut.signal(SIGKILL);
  cut.wait();
  const std::string archive = there.dir.path("r.flowrun");
  if (by_archive) {
    CHECK(here->call({"export", "r", "-o", archive}).code == 0);
    CHECK(there.call({"import", archive}).code == 0);
  } else {
    fs::copy(here->dir.path("home"), there.dir.path("home"), fs::copy_options::recursive);
  }
  here.reset();  // that machine is gone
  effects.write("go", "");
  // Without the right to be another host the rest is tried all the same.
  const bool other_host = run({"unshare", "-ru", "true"}).code == 0;
  const auto elsewhere = [&](std::vector<std::string> args) {
    std::vector<std::string> argv;
    if (other_host) argv = {"unshare", "-ru", "sh", "-c", R"(hostname elsewhere; exec "$0" "$@")"};
    argv.insert(argv.end(), {FLOWRUN_BINARY, "--journal", there.journal});
    argv.insert(argv.end(), args.begin(), args.end());
    return run(argv, there.how);
  };
  const Ran lost = elsewhere({"resume", "r"});
  CHECK(lost.code == 8);
  CHECK(lost.err.find("is gone; --workdir DIR names another") != std::string::npos);
  const Ran again = elsewhere({"resume", "r", "--workdir", "."});
  INFO(again.err);
  CHECK(again.code == 0);
  const std::string run_dir = fs::canonical(there.dir.path("home")).string() + "/runs/r";
  CHECK(again.out == run_dir + "\n");
  CHECK(effects.read("once") == "x\n");
  CHECK(effects.read("hold") == "mine\n");
  const std::string work = fs::canonical(there.how.cwd).string();
  CHECK(effects.read("where") == work + "\n");
  // The folder stays the one that was named last.
  CHECK(elsewhere({"retry", "r", "hold"}).code == 0);
  CHECK(effects.read("where") == work + "\n" + work + "\n");
  CHECK(elsewhere({"undo", "r"}).code == 0);
  CHECK(effects.read("undone") == work + "\n");
  CHECK(elsewhere({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("what runs again in another folder keeps its key, unless a server would be sent something else", "[export]") {
  struct Case {
    const char* step;
    bool same;
  };
  const auto one = GENERATE(from_range(std::vector<Case>{
      {"exec: [sh, -c, sleep 1000, '${ $run.dir + \"/x\" }']", true},
      {"exec: [sleep, 1000]\n    env: { AT: '${ $run.dir }', KEY: mine }", true},
      {"http: POST URL\n    file: upload", true},
      {"http: POST URL\n    file: '${ $run.dir + \"/own\" }'", true},
      {"http: POST URL\n    json: { at: '${ $run.dir }' }", false},
  }));
  CAPTURE(one.step);
  // Takes connections and never answers.
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(bind(server, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(listen(server, 10) == 0);
  REQUIRE(getsockname(server, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  std::string step = one.step;
  if (const std::size_t url = step.find("URL"); url != std::string::npos)
    step.replace(url, 3, fmt::format("http://127.0.0.1:{}/", ntohs(at.sin_port)));
  auto here = std::make_unique<Computer>();
  const Computer there;
  const std::string text =
      "steps:\n  - { id: own, shell: 'echo x > \"$FLOWRUN_RUN_DIR/own\"' }\n  - id: a\n    " + step + "\n";
  for (const Computer* machine : std::initializer_list<const Computer*>{here.get(), &there})
    machine->dir.write("work/upload", "bytes");
  const std::string workflow = here->write("w.yaml", text);
  const auto keys = [](const std::string& journal) {
    std::vector<std::string> all;
    Database database(journal, SQLITE_OPEN_READONLY, journal);
    Statement select(database, "SELECT data ->> 'key' FROM entries WHERE kind = 'start' AND path = 'a' ORDER BY id");
    auto row = select.use();
    while (row.next()) all.emplace_back(row.text(0));
    return all;
  };
  const auto drive = [&](const Computer& machine, std::vector<std::string> args, std::size_t starts) {
    args.insert(args.begin(), {FLOWRUN_BINARY, "--journal", machine.journal});
    Background job(args, machine.how);
    while (job.running() && (!fs::exists(machine.journal) || job.err().find("start     a") == std::string::npos))
      usleep(5000);
    INFO(job.err());
    CHECK(keys(machine.journal).size() == starts);
    job.signal(SIGKILL);
    job.wait();
  };
  drive(*here, {"run", workflow, "--id", "r"}, 1);
  fs::copy(here->dir.path("home"), there.dir.path("home"), fs::copy_options::recursive);
  here.reset();
  drive(there, {"resume", "r", "--workdir", "."}, 2);
  close(server);
  const auto all = keys(there.journal);
  REQUIRE(all.size() == 2);
  CHECK(!all[0].empty());
  CHECK((all[0] == all[1]) == one.same);
  CHECK(there.call({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("whatever goes on with a run takes --workdir when its folder is gone", "[export]") {
  struct Case {
    const char* how;
    std::vector<std::string> command;
    int code;
  };
  const auto one = GENERATE(from_range(std::vector<Case>{{"fails", {"retry", "r"}, 1},
                                                         {"fails", {"retry", "r", "a"}, 1},
                                                         {"goes", {"undo", "r"}, 0},
                                                         {"waits", {"cancel", "r"}, 0}}));
  CAPTURE(one.how, one.command);
  const Computer machine;
  fs::create_directories(machine.dir.path("work/old"));
  fs::create_directories(machine.dir.path("work/new"));
  const std::map<std::string, std::string> workflows = {
      {"fails", "steps: { a: { shell: pwd; exit 1 } }\nfinally: { f: { shell: 'pwd > where' } }\n"},
      {"goes", "steps: { a: { shell: pwd, undo: { shell: 'pwd > where' } } }\n"},
      {"waits", "steps: { a: { wait: go }, b: { shell: 'pwd > where' } }\nfinally: { f: { shell: 'pwd > where' } }\n"}};
  const std::string file = machine.dir.write("work/old/w.yaml", "flowrun: 1\n" + workflows.at(one.how));
  machine.call({"run", file, "--id", "r", "--no-wait"});
  fs::remove_all(machine.dir.path("work/old"));
  const Ran gone = machine.call(one.command);
  CHECK(gone.code == 8);
  CHECK(gone.err.find("--workdir DIR names another") != std::string::npos);
  auto command = one.command;
  command.insert(command.end(), {"--workdir", "new"});
  const Ran there = machine.call(command);
  INFO(there.err);
  CHECK(there.code == one.code);
  CHECK(machine.dir.read("work/new/where") == fs::canonical(machine.dir.path("work/new")).string() + "\n");
  CHECK(machine.call({"journal", "verify", "r"}).code == 0);
  // The next drive finds it there, too.
  if (one.command[0] == "retry") CHECK(machine.call({"retry", "r"}).code == 1);
  command.back() = "w.txt";
  machine.dir.write("work/w.txt", "");
  CHECK(machine.call(command).code == 2);
}

TEST_CASE("a run whose folder is gone can be ended with --now, and its line with --id goes on where the file is",
          "[export]") {
  const Computer machine;
  fs::create_directories(machine.dir.path("work/old"));
  const std::string text = "flowrun: 1\nsteps: [ { id: a, wait: go }, { id: b, shell: pwd } ]\noutput: ${ $steps.b }\n";
  const std::string file = machine.dir.write("work/old/w.yaml", text);
  for (const char* id : {"r", "s"}) CHECK(machine.call({"run", file, "--id", id, "--no-wait"}).code == 4);
  fs::rename(machine.dir.path("work/old"), machine.dir.path("work/new"));
  CHECK(machine.call({"cancel", "s", "--now"}).code == 0);
  CHECK(machine.call({"approve", "r", "go"}).code == 0);
  const Ran again = machine.call({"run", "new/w.yaml", "--id", "r"});
  CHECK(again.code == 0);
  CHECK(again.err.find("is gone; steps run in") != std::string::npos);
  CHECK(again.out == fs::canonical(machine.dir.path("work/new")).string() + "\n");
}

TEST_CASE("what was said to a run that waits goes along with it", "[export]") {
  const Computer here, there;
  const std::string file = here.write("w.yaml", "steps: { a: { wait: go } }\noutput: ${ $steps.a }\n");
  CHECK(here.call({"run", file, "--id", "r", "--no-wait"}).code == 4);
  CHECK(here.call({"signal", "r", "go", "--data", "{\"n\":7}"}).code == 0);
  const Ran exported = here.call({"export", "-o", "-"});
  CHECK(exported.err.find("has not ended") != std::string::npos);
  CHECK(there.call({"import", "-"}, exported.out).err.find("resume r") != std::string::npos);
  const Ran resumed = there.call({"resume", "r", "--workdir", "."});
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "{\"n\":7}\n");
}

TEST_CASE("a fork that was cut off takes its results over elsewhere, too", "[export]") {
  const bool origin_is_there = GENERATE(false, true);
  CAPTURE(origin_is_there);
  const Computer here, there;
  const TempDir effects;
  const std::string workflow = here.write("w.yaml", fmt::format(R"(steps:
  - {{ id: first, shell: 'echo first >> {0}/log' }}
  - {{ id: go, wait: go }}
  - {{ id: second, shell: 'echo second >> {0}/log' }}
  - {{ id: third, shell: 'echo third >> {0}/log; test -e {0}/good' }}
)",
                                                                effects.path()));
  CHECK(here.call({"run", workflow, "--id", "r", "--no-wait"}).code == 4);
  CHECK(here.call({"approve", "r", "go"}).code == 0);
  CHECK(here.call({"resume", "r"}).code == 1);
  const std::string changed =
      here.write("v.yaml", here.dir.read("work/w.yaml").substr(11) + "  - { id: last, set: 1 }\nconcurrency: 3\n");
  // Stopped before it has asked for anything: what it takes over is still to come.
  CHECK(here.call({"fork", "r", "--file", changed, "--id", "f", "--from", "third"}).code == 1);
  if (origin_is_there) {
    CHECK(here.call({"export", "r", "-o", there.dir.path("r")}).code == 0);
    CHECK(there.call({"import", there.dir.path("r")}).code == 0);
  }
  CHECK(here.call({"export", "f", "-o", there.dir.path("f")}).err.find("note: run r, whose") != std::string::npos);
  const Ran imported = there.call({"import", there.dir.path("f")});
  INFO(imported.err);
  CHECK(imported.code == 0);
  CHECK(imported.out == "f\n");
  CHECK(imported.err.find(origin_is_there ? "was here already" : "came along") != std::string::npos);
  effects.write("log", "");
  effects.write("good", "");
  const Ran retried = there.call({"retry", "f", "--workdir", "."});
  INFO(retried.err);
  CHECK(retried.code == 0);
  CHECK(effects.read("log") == "third\n");
  CHECK(there.call({"journal", "verify", "--all"}).code == 0);
}

TEST_CASE("a run that is exported while it is driven is one of some moment", "[export]") {
  const Computer here;
  const std::string file =
      here.write("w.yaml",
                 "steps: { m: { for_each: '${ [range(400)] }', concurrency: 4, do: { shell: 'seq 200; echo e >&2; [ "
                 "$FLOWRUN_INDEX != 200 ] || while ! [ -e go ]; do sleep 0.02; done' } } }\n");
  Background run({FLOWRUN_BINARY, "--journal", here.journal, "run", file, "--id", "r", "-q"}, here.how);
  std::set<std::string> sizes;
  std::string last;
  while (run.running()) {
    const Ran exported = here.call({"export", "r", "-o", "-"});
    if (exported.code == 8) continue;  // not begun yet
    REQUIRE(exported.code == 0);
    const Computer there;
    const Ran imported = there.call({"import", "-"}, exported.out);
    INFO(imported.err);
    REQUIRE(imported.code == 0);
    CHECK(there.call({"logs", "r"}).code == 0);
    sizes.insert(there.call({"journal", "show", "r", "--json"}).out);
    last = exported.out;
    here.dir.write("work/go", "");
  }
  CHECK(run.wait().code == 0);
  sizes.insert(here.call({"journal", "show", "r", "--json"}).out);
  CHECK(sizes.size() > 1);
  const Computer there;
  REQUIRE(there.call({"import", "-"}, last).code == 0);
  CHECK(there.call({"resume", "r", "-q", "--workdir", "."}).code == 0);
  CHECK(there.call({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("export writes over nothing that it was not asked to, and import takes in no run twice", "[export]") {
  const Computer here, there;
  const std::string file = everything(here, "r");
  const std::string bytes = here.dir.read("work/r.flowrun");
  CHECK(here.call({"export", "r", "-o", file}).code == 2);
  CHECK(here.call({"export", "r", "-o", file}).err.find("--force writes over it") != std::string::npos);
  CHECK(here.call({"export", "r", "-o", file, "--force"}).code == 0);
  CHECK(here.dir.read("work/r.flowrun") == bytes);
  CHECK(here.call({"export", "r", "-o", "/dev/null"}).code == 0);
  CHECK(here.call({"export", "r", "-o", here.dir.path("no/such/folder/x")}).code == 2);
  CHECK(here.call({"export", "none", "-o", here.dir.path("x")}).code == 8);
  CHECK(here.call({"export", "r"}).code == 2);
  fs::permissions(file, fs::perms::owner_read);
  CHECK(here.call({"export", "r", "-o", file, "--force"}).code == 2);
  HowToRun closed = here.how;
  closed.close_stdout = true;
  CHECK(flowrun(here.journal, {"export", "r", "-o", "-"}, closed).code == 74);
  CHECK(files_below(here.dir, "work").size() == 3);  // nothing is left behind beside it

  const Ran twice = here.call({"import", file});
  CHECK(twice.code == 8);
  CHECK(twice.err.find("prune r") != std::string::npos);
  there.call({"run", there.write("w.yaml", "steps: { a: { set: 1 } }\n"), "--id", "r"});
  const Ran other = there.call({"import", file});
  CHECK(other.code == 8);
  CHECK(other.err.find("has another run r") != std::string::npos);
  CHECK(there.call({"prune", "r"}).code == 0);
  fs::remove_all(there.dir.path("home/runs"));
  there.dir.write("home/runs", "");
  CHECK(there.call({"import", file}).code == 9);
  fs::remove(there.dir.path("home/runs"));
  fs::create_directories(there.dir.path("home/runs/r"));
  fs::permissions(there.dir.path("home/runs"), fs::perms::owner_all);
  there.dir.write("home/runs/r/of another", "");
  const Ran occupied = there.call({"import", file});
  CHECK(occupied.code == 8);
  CHECK(occupied.err.find("move them away") != std::string::npos);
  CHECK(there.dir.read("home/runs/r/of another").empty());
  fs::remove(there.dir.path("home/runs/r/of another"));
  CHECK(there.call({"import", file}).code == 0);
  CHECK(there.call({"import", "nowhere"}).code == 2);
  CHECK(there.call({"import", "."}).code == 2);
}

}  // namespace flowrun::test::export_test
