// Processes as they behave and misbehave, really started.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "engine/executor/leftovers.h"
#include "tests/executor/pool.h"

namespace flowrun::test::process_test {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

int pid_in(const TempDir& folder, const std::string& name) {
  int pid = 0;
  soon([&] { return (pid = std::atoi(folder.read(name).c_str())) > 0; });
  return pid;
}

}  // namespace

TEST_CASE("a process gives its standard output, without the last line break") {
  Pool pool;
  Result result = pool.run(exec({"printf", "two\nlines\n\n"}));
  REQUIRE(result.ok());
  CHECK(result.value.json() == "two\nlines\n");
  CHECK(result.code == 0);
  CHECK(result.sent);
}

TEST_CASE("a failing process tells its code, the end of its standard error, and what it had captured") {
  Pool pool;
  Result result = pool.run(shell("echo half; for i in {1..30}; do echo line $i >&2; done; exit 3"));
  REQUIRE_FALSE(result.ok());
  CHECK(result.failure->type == "exit.3");
  CHECK(result.failure->message == "exited with 3");
  CHECK(result.code == 3);
  const Json& detail = result.failure->detail.json();
  CHECK(detail["exit_code"] == 3);
  std::string tail = detail["stderr_tail"];
  CHECK(tail.substr(0, 7) == "line 11");
  CHECK(tail.substr(tail.size() - 7) == "line 30");
  CHECK(result.value.json() == "half");
}

TEST_CASE("a tail of standard error is at most 4 KiB, however long its lines are") {
  Pool pool;
  Result result = pool.run(shell("head -c 7000 /dev/zero | tr '\\0' x >&2; exit 1"));
  CHECK(result.failure->detail.json()["stderr_tail"].get<std::string>().size() == 4096);
}

TEST_CASE("codes that count as success do") {
  Pool pool;
  Task task = shell("exit 2");
  process_of(task).success_codes = {0, 2};
  Result result = pool.run(task);
  CHECK(result.ok());
  CHECK(result.code == 2);
}

TEST_CASE("a process that a signal ended says which") {
  Pool pool;
  Result result = pool.run(shell("kill -KILL $$"));
  CHECK(result.failure->type == "killed");
  CHECK(result.code == -SIGKILL);
  CHECK(result.failure->detail.json()["exit_code"].is_null());
}

TEST_CASE("programs that are not there, are no programs or may not run fail as spawn, and nothing has been sent") {
  Pool pool;
  for (const std::string& name : {std::string("surely-no-such-program"), std::string("/no/such/program"),
                                  pool.folder().write("plain.txt", "echo hello\n"), pool.folder().path()}) {
    Result result = pool.run(exec({name}));
    INFO(name);
    REQUIRE_FALSE(result.ok());
    CHECK(result.failure->type == "spawn");
    CHECK(result.failure->message.find(name) != std::string::npos);
    CHECK_FALSE(result.sent);
  }
  std::string script = pool.folder().write("no-first-line", "\x01\x02");
  chmod(script.c_str(), 0700);
  Result broken = pool.run(exec({script}));
  CHECK(broken.failure->type == "spawn");
  Task nowhere = exec({"true"});
  process_of(nowhere).cwd = "/no/such/folder";
  Result result = pool.run(nowhere);
  CHECK(result.failure->type == "spawn");
  CHECK(result.failure->message.find("/no/such/folder") != std::string::npos);
}

TEST_CASE("a program that is there, but not what runs it, is told so") {
  Pool pool;
  auto message = [&](const std::string& first_line) {
    const std::string file = pool.folder().write("s.sh", first_line + "\necho hi\n");
    chmod(file.c_str(), 0700);
    Result result = pool.run(exec({file}));
    REQUIRE(result.failure);
    CHECK(result.failure->type == "spawn");
    return result.failure->message;
  };
  CHECK_THAT(message("#!/bin/sh\r"), ContainsSubstring("has line ends of CR LF"));
  CHECK_THAT(message("#! /no/such/interpreter -x"), ContainsSubstring("the interpreter /no/such/interpreter of "));
}

TEST_CASE("arguments that can not be passed on fail as spawn instead of being cut") {
  Pool pool;
  CHECK(pool.run(exec({"echo", std::string("a\0b", 3)})).failure->type == "spawn");
  Result huge = pool.run(exec({"echo", std::string(3 << 20, 'x')}));
  CHECK(huge.failure->type == "spawn");
  CHECK(huge.failure->message.find("too long") != std::string::npos);
  Task task = exec({"true"});
  process_of(task).env = {{"A=B", "c"}};
  CHECK(pool.run(task).failure->type == "spawn");
}

TEST_CASE("megabytes go in and come out, on both streams at once, without a stop") {
  Pool pool;
  Task task = shell("tee /dev/stderr");
  process_of(task).stdin_text = std::string(6 << 20, 'x');
  process_of(task).max_output = 16 << 20;
  Result result = pool.run(task);
  REQUIRE(result.ok());
  CHECK(result.value.json().get_ref<const std::string&>().size() == 6u << 20);
}

TEST_CASE("a process that does not read what it is given ends as it likes") {
  Pool pool;
  Task task = exec({"true"});
  process_of(task).stdin_text = std::string(4 << 20, 'x');
  CHECK(pool.run(task).ok());
  Result result = pool.run(shell("cat; echo end"));
  CHECK(result.value.json() == "end");
}

TEST_CASE("more output than may be captured is an error, and the process is not held up by it") {
  Pool pool;
  Task task = shell("head -c 3000000 /dev/zero; echo done >&2");
  Result result = pool.run(task);
  CHECK(result.failure->type == "parse");
  CHECK(result.failure->message.find("max_output") != std::string::npos);
  CHECK(result.failure->detail.json()["stderr_tail"] == "done");
  process_of(task).capture = Process::Capture::None;
  Result unheard = pool.run(task);
  CHECK(unheard.ok());
  CHECK(unheard.value.is_null());
}

TEST_CASE("output is taken as what `capture` says") {
  Pool pool;
  auto run = [&](Process::Capture capture, const std::string& script) {
    Task task = shell(script);
    process_of(task).capture = capture;
    return pool.run(task);
  };
  using Capture = Process::Capture;
  CHECK(run(Capture::Json, "echo '{ \"a\" : [1, 2.50] }'").value.text() == R"({"a":[1,2.50]})");
  CHECK(run(Capture::Json, "echo nonsense").failure->type == "parse");
  CHECK(run(Capture::Json, "true").failure->message.find("empty") != std::string::npos);
  CHECK(run(Capture::Lines, "printf 'a\\nb\\n\\nc'").value.json() == Json({"a", "b", "", "c"}));
  CHECK(run(Capture::Jsonl, "printf '1\\n\\n{\"a\": 2}\\n'").value.text() == R"([1,{"a":2}])");
  CHECK(run(Capture::Jsonl, "printf '1\\n?\\n'").failure->message.find("line 2") != std::string::npos);
  CHECK(run(Capture::File, "echo noise; echo '[true]' > \"$FLOWRUN_OUTPUT\"").value.text() == "[true]");
  CHECK(run(Capture::File, "true").failure->type == "parse");
  CHECK(run(Capture::Text, "printf 'a\\377b'").value.json() ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a failed process keeps the JSON it wrote to its output file") {
  Pool pool;
  Result result = pool.run(shell("echo text; echo '{\"n\": 1}' > \"$FLOWRUN_OUTPUT\"; exit 1"));
  CHECK(result.value.text() == R"({"n":1})");
}

TEST_CASE("an output file that is a pipe is nothing, and nobody waits for it") {
  Pool pool;
  CHECK(pool.run(shell("mkfifo \"$FLOWRUN_OUTPUT\"")).ok());
  CHECK(pool.run(shell("ln -s /dev/zero \"$FLOWRUN_OUTPUT\"")).ok());
}

TEST_CASE("the raw result tells everything") {
  Pool pool;
  Task task = shell("echo out; echo err >&2");
  task.keep_raw = true;
  task.attempt = 4;
  Json raw = pool.run(task).value.json();
  CHECK(raw["exit_code"] == 0);
  CHECK(raw["stdout"] == "out\n");
  CHECK(raw["stderr_tail"] == "err");
  CHECK(raw["value"] == "out");
  CHECK(raw["attempt"] == 4);
  CHECK(raw["duration_ms"].is_number());
}

TEST_CASE("a process gets the environment it should have") {
  Pool pool;
  Task task = exec({"env"}, "batch[3]/load");
  task.attempt = 2;
  task.rerun = 3;
  task.idempotency_key = "key-1";
  Process& process = process_of(task);
  process.inherit = Process::Inherit::Listed;
  process.inherited = {"PATH"};
  process.env = {{"ADDED", "yes"}, {"FLOWRUN_STEP", "another"}};
  process.capture = Process::Capture::Lines;
  std::set<std::string> lines = pool.run(task).value.json().get<std::set<std::string>>();
  for (const std::string& line :
       {std::string("ADDED=yes"), std::string("FLOWRUN_STEP=batch[3]/load"), std::string("FLOWRUN_ATTEMPT=2"),
        std::string("FLOWRUN_RERUN=1"), std::string("FLOWRUN_IDEMPOTENCY_KEY=key-1"),
        "FLOWRUN_RUN_TOKEN=" + pool.options().token, "FLOWRUN_RUN_DIR=" + pool.run_dir()}) {
    INFO(line);
    CHECK(lines.count(line) == 1);
  }
  CHECK(lines.size() == 10);  // PATH, ADDED, and eight of flowrun
  struct stat status {};
  REQUIRE(stat(pool.run_dir().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a variable can be taken out of the environment") {
  Pool pool;
  Task task = shell("echo ${HOME-gone}");
  process_of(task).env = {{"HOME", std::nullopt}};
  CHECK(pool.run(task).value.json() == "gone");
}

TEST_CASE("what one process has in its environment does not reach the next") {
  setenv("FLOWRUN_STEP", "of a flowrun around us", 1);
  setenv("SHARED", "as it came", 1);
  Pool pool;
  unsetenv("FLOWRUN_STEP");
  unsetenv("SHARED");
  const std::string tell = "env | grep -c ^FLOWRUN_STEP=; echo $FLOWRUN_STEP ${SHARED-gone} ${SHAR-none}";
  Task first = shell(tell, "one");
  process_of(first).env = {{"SHARED", "changed"}, {"SHAR", "shorter"}};
  Task second = shell(tell, "two");
  process_of(second).env = {{"SHARED", std::nullopt}};
  CHECK(pool.run(first).value.json() == "1\none changed shorter");
  CHECK(pool.run(second).value.json() == "1\ntwo gone none");
  CHECK(pool.run(shell(tell, "three")).value.json() == "1\nthree as it came none");
}

TEST_CASE("a script too long for an argument goes through a file, which is gone afterwards") {
  Pool pool;
  Task task = shell("echo long enough\n# " + std::string(200 << 10, 'x'));
  CHECK(pool.run(task).value.json() == "long enough");
  for (const auto& left : std::filesystem::directory_iterator(pool.run_dir()))
    if (left.path().filename() != "output.log") FAIL(left.path());
}

TEST_CASE("an attempt that runs again does not inherit the output file of before the crash") {
  Pool pool;
  Task task = shell("echo $FLOWRUN_OUTPUT");
  std::string file = pool.run(task).value.json();
  std::ofstream(file) << "\"stale\"";
  process_of(task).capture = Process::Capture::File;
  CHECK(pool.run(task).failure->type == "parse");
}

TEST_CASE("a process sees nothing of ours: no descriptor, no ignored or blocked signal, its own group and session") {
  Pool pool;
  // The shell itself opens nothing here; ls opens one for the folder.
  Result result = pool.run(exec({"ls", "/proc/self/fd"}));
  CHECK(result.value.json() == "0\n1\n2\n3");
  // What was ignored before us, as by nohup, stays so; that these two are, is our doing.
  auto ignored = [](const std::string& status) {
    return std::stoull(status.substr(status.find("SigIgn:") + 8), nullptr, 16);
  };
  std::ifstream in("/proc/self/status");
  std::string ours((std::istreambuf_iterator<char>(in)), {});
  std::string theirs = pool.run(exec({"cat", "/proc/self/status"})).value.json();
  CHECK(ignored(theirs) == (ignored(ours) & ~(1ULL << (SIGPIPE - 1) | 1ULL << (SIGXFSZ - 1))));
  CHECK(theirs.find("SigBlk:\t0000000000000000\n") != std::string::npos);
  Result ids = pool.run(shell("echo $$ $(ps -o pgid= -p $$)"));
  std::string text = ids.value.json();
  CHECK(text.substr(0, text.find(' ')) == text.substr(text.find(' ') + 1));
  CHECK(pool.run(shell("[ $(ps -o sid= -p $$) = $$ ]")).ok());
}

TEST_CASE("a zombie that nobody buries does not count as alive when a process is stopped", "[timing]") {
  Pool pool;
  // The inner program leaves the group and never asks for the end of its child, which stays in it.
  Task task = shell(
      "perl -MPOSIX -e 'if (!fork) { exit } POSIX::setsid(); open F, \">pid\"; print F $$; close F; sleep 60' & wait");
  process_of(task).cwd = pool.folder().path();
  pool.executor().begin(task);
  const int pid = pid_in(pool.folder(), "pid");
  const auto told = std::chrono::steady_clock::now();
  pool.executor().stop("step", 1);
  CHECK(pool.ended(1).at("step").failure->type == "cancelled");
  CHECK(std::chrono::steady_clock::now() - told < std::chrono::seconds(8));  // of 10
  CHECK(alive(pid));
  kill(pid, SIGKILL);
}

TEST_CASE("orphans are buried, and no end of a step is lost by it") {
  Pool pool(4);
  for (int i = 0; i < 200; ++i) pool.executor().begin(shell("(setsid sleep 0.01 &)", "s" + std::to_string(i)));
  auto results = pool.ended(200);
  CHECK(std::all_of(results.begin(), results.end(), [](const auto& one) { return one.second.ok(); }));
  CHECK(soon([&] {
    pool.listen(Duration{10});
    return left_behind(pool.options().token).empty();
  }));
}

TEST_CASE("the kill_grace of each holds when everything is stopped, and less when there is less patience", "[timing]") {
  Pool pool;
  for (const char* grace : {"long", "short"}) {
    Task task = shell(
        "trap 'sleep 1; echo tidy > tidy-$FLOWRUN_STEP; exit' TERM; echo ready > ready-$FLOWRUN_STEP; while :; do "
        "sleep "
        "0.05; done",
        grace);
    process_of(task).cwd = pool.folder().path();
    process_of(task).kill_grace = Duration{std::string(grace) == "long" ? 20000 : 200};
    pool.executor().begin(task);
    REQUIRE(soon([&] { return !pool.folder().read(std::string("ready-") + grace).empty(); }));
  }
  SECTION("as written") {
    pool.executor().stop_all({});
    pool.ended(2);
    CHECK(pool.folder().read("tidy-long") == "tidy\n");
  }
  SECTION("in a hurry") {
    pool.executor().stop_all({});
    pool.executor().stop_all(Duration{300});
    pool.ended(2);
    CHECK(pool.folder().read("tidy-long").empty());
  }
  CHECK(pool.folder().read("tidy-short").empty());
}

TEST_CASE("a grandchild that keeps the pipe open does not keep the step") {
  Pool pool;
  Task task = shell("(trap '' TERM; echo $BASHPID > pid; exec sleep 300) & echo started");
  process_of(task).cwd = pool.folder().path();
  Result result = pool.run(task);
  CHECK(result.value.json() == "started");
  int pid = pid_in(pool.folder(), "pid");
  CHECK(alive(pid));
  kill(pid, SIGKILL);
}

TEST_CASE("a grandchild that writes for ever does not keep the step either") {
  Pool pool;
  Task task = shell("(echo $BASHPID > pid; exec yes) & while [ ! -s pid ]; do sleep 0.01; done; exit 4");
  process_of(task).cwd = pool.folder().path();
  Result result = pool.run(task);
  CHECK(result.failure->type == "exit.4");
  int pid = pid_in(pool.folder(), "pid");
  kill(pid, SIGKILL);
}

TEST_CASE("a process over its time ends as timeout, with all of its group") {
  Pool pool;
  Task task = shell("sleep 300 & echo $! > pid; wait");
  process_of(task).cwd = pool.folder().path();
  task.timeout = Duration{300};
  Result result = pool.run(task);
  CHECK(result.failure->type == "timeout");
  CHECK(result.failure->message == "timed out after 300ms");
  CHECK(soon([&] { return !alive(pid_in(pool.folder(), "pid")); }));
}

TEST_CASE("a process that ignores TERM is killed after its grace") {
  Pool pool;
  Task task = shell("trap '' TERM; echo ready > ready; while :; do sleep 0.1; done");
  process_of(task).cwd = pool.folder().path();
  process_of(task).kill_grace = Duration{200};
  pool.executor().begin(task);
  REQUIRE(soon([&] { return !pool.folder().read("ready").empty(); }));
  pool.executor().stop("step", 1);
  Result result = pool.ended(1).at("step");
  CHECK(result.failure->type == "cancelled");
  CHECK(result.code == -SIGKILL);
}

TEST_CASE("what a shell has started may tidy up though the shell itself dies at once") {
  Pool pool;
  // The inner one needs a moment after TERM; the outer one dies of it.
  Task task = shell(
      "bash -c 'trap \"sleep 0.5; echo tidy > tidy; exit\" TERM; echo ready > ready; while :; do sleep 0.05; done'; "
      "true");
  process_of(task).cwd = pool.folder().path();
  pool.executor().begin(task);
  REQUIRE(soon([&] { return !pool.folder().read("ready").empty(); }));
  pool.executor().stop("step", 1);
  Result result = pool.ended(1).at("step");
  CHECK(result.failure->type == "cancelled");
  CHECK(pool.folder().read("tidy") == "tidy\n");
}

TEST_CASE("a grace that is under way is not cut short by the timeout of the attempt") {
  Pool pool;
  Task task = shell("trap 'sleep 0.6; echo tidy > tidy; exit' TERM; echo ready > ready; while :; do sleep 0.05; done");
  process_of(task).cwd = pool.folder().path();
  task.timeout = Duration{1500};
  pool.executor().begin(task);
  REQUIRE(soon([&] { return !pool.folder().read("ready").empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  pool.executor().stop("step", 1);
  pool.ended(1);
  CHECK(pool.folder().read("tidy") == "tidy\n");
}

TEST_CASE("stopping everything ends what runs and what waits, and each says so") {
  Pool pool(2);
  for (int i = 0; i < 6; ++i) pool.executor().begin(exec({"sleep", "300"}, "s" + std::to_string(i)));
  pool.executor().stop_all(Duration{5000});
  auto results = pool.ended(6);
  for (const auto& [path, result] : results) {
    INFO(path);
    CHECK(result.failure->type == "cancelled");
  }
  CHECK(std::count_if(results.begin(), results.end(), [](const auto& one) { return !one.second.sent; }) == 4);
}

TEST_CASE("stopping what is not there does nothing") {
  Pool pool;
  pool.executor().stop("nobody", 1);
  pool.executor().begin(shell("echo ran"));
  pool.executor().stop("step", 2);
  CHECK(pool.ended(1).at("step").value.json() == "ran");
}

TEST_CASE("an executor that goes away takes its processes with it") {
  Pool pool;
  Task task = shell("echo $$ > pid; trap '' TERM; while :; do sleep 0.1; done");
  process_of(task).cwd = pool.folder().path();
  pool.executor().begin(task);
  int pid = pid_in(pool.folder(), "pid");
  REQUIRE(alive(pid));
  pool.close();
  CHECK(soon([&] { return !alive(pid); }));
}

TEST_CASE("a thousand processes end, each with its own output, and no descriptor is left") {
  Pool pool(8);
  pool.run(exec({"echo", "the log is open from here on"}));
  std::size_t before = open_descriptors();
  for (int i = 0; i < 1000; ++i) pool.executor().begin(exec({"echo", std::to_string(i)}, "s" + std::to_string(i)));
  auto results = pool.ended(1000);
  int right = 0;
  for (int i = 0; i < 1000; ++i) right += results.at("s" + std::to_string(i)).value.json() == std::to_string(i);
  CHECK(right == 1000);
  CHECK(open_descriptors() == before);
}

TEST_CASE("two hundred processes that are all there at once") {
  Pool pool;
  Task task = shell("while [ ! -e go ]; do sleep 0.2; done; echo $FLOWRUN_STEP");
  process_of(task).cwd = pool.folder().path();
  for (int i = 0; i < 200; ++i) {
    task.path = "s" + std::to_string(i);
    pool.executor().begin(task);
  }
  pool.folder().write("go", "");
  auto results = pool.ended(200);
  for (const auto& [path, result] : results) CHECK(result.value.json() == path);
}

TEST_CASE("standard error goes to the log from its first byte") {
  Pool pool;
  pool.run(shell("echo short >&2", "quiet"));
  pool.run(shell("for i in {1..3000}; do echo line $i; done >&2", "loud"));
  Task unheard = shell("echo out; echo err >&2", "unheard");
  process_of(unheard).capture = Process::Capture::None;
  pool.run(unheard);
  std::map<std::string, std::string> said = logged(pool.run_dir());
  CHECK(said.size() == 4);
  CHECK(said["quiet err"] == "short\n");
  CHECK(said["loud err"].substr(0, 14) == "line 1\nline 2\n");
  CHECK(std::count(said["loud err"].begin(), said["loud err"].end(), '\n') == 3000);
  CHECK(said["unheard out"] == "out\n");
  CHECK(said["unheard err"] == "err\n");
}

TEST_CASE("wake makes wait return, from a signal handler too") {
  Pool pool;
  static Executor* woken;
  woken = &pool.executor();
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { woken->wake(); };
  sigaction(SIGUSR1, &action, &before);
  std::thread caller([main = pthread_self()] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pthread_kill(main, SIGUSR1);
  });
  std::vector<Event> happened;
  pool.executor().wait(happened, Duration{60000});
  CHECK(happened.empty());
  caller.join();
  sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace flowrun::test::process_test
