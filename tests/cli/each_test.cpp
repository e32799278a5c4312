// flowrun each, as a user of xargs would try it: real input, real commands, the real binary killed in the middle.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::each_test {
namespace {

using namespace std::chrono_literals;

std::vector<Json> lines_of(const std::string& out) {
  std::vector<Json> lines;
  std::istringstream in(out);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::vector<std::string> outputs(const std::string& out) {
  std::vector<std::string> all;
  for (const Json& line : lines_of(out)) all.push_back(line.value("output", "none"));
  return all;
}

std::vector<std::string> sorted(std::vector<std::string> all) {
  std::sort(all.begin(), all.end());
  return all;
}

std::string numbers(int from, int to) {
  std::string text;
  for (int i = from; i <= to; ++i) text += std::to_string(i) + "\n";
  return text;
}

/// How often each line is in |file|.
std::map<std::string, int> effects(const std::string& file) {
  std::map<std::string, int> counts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) ++counts[line];
  return counts;
}

Ran each(const TempDir& dir, std::vector<std::string> args, const std::string& input) {
  // What stands behind `--` is the command's.
  const std::vector<std::string> program{FLOWRUN_BINARY, "--journal", dir.path("j.db"), "each"};
  args.insert(args.begin(), program.begin(), program.end());
  HowToRun how;
  how.stdin_text = input;
  how.cwd = dir.path("");
  return run(args, how);
}

}  // namespace

TEST_CASE("each: a command for each line, a line of JSON for each item", "[each]") {
  TempDir dir;
  const Ran ran = each(dir, {"-P", "2", "--", "echo", "got {}", "${HOME}", "{x}"}, "a\n\nb c\r\na\n");
  CHECK(ran.code == 0);
  const std::vector<Json> lines = lines_of(ran.out);
  REQUIRE(lines.size() == 3);
  CHECK(sorted(outputs(ran.out)) ==
        std::vector<std::string>{"got a ${HOME} {x}", "got a ${HOME} {x}", "got b c ${HOME} {x}"});
  std::set<int> index;
  for (const Json& line : lines) {
    index.insert(line["index"].get<int>());
    CHECK(line["ok"] == true);
    CHECK(line["attempts"] == 1);
    CHECK(line["duration_ms"].is_number());
    CHECK_FALSE(line.contains("error"));
  }
  CHECK(index == std::set<int>{0, 1, 2});
}

TEST_CASE("each: where no {} stands the item is the last argument, and --ordered keeps the order", "[each]") {
  TempDir dir;
  const Ran ran = each(dir, {"-P", "3", "--ordered", "--", "sh", "-c", "sleep 0.$1; echo $1", "_"}, "3\n1\n2\n");
  CHECK(ran.code == 0);
  CHECK(outputs(ran.out) == std::vector<std::string>{"3", "1", "2"});
}

TEST_CASE("each: JSON items, members of them, and items that end in NUL", "[each]") {
  TempDir dir;
  Ran ran = each(dir, {"--json", "--ordered", "--", "echo", "{.id}", "{}"},
                 "{\"id\": 3, \"n\": \"x\"}\n \n{\"id\": \"${a}\"}\n");
  CHECK(ran.code == 0);
  CHECK(outputs(ran.out) == std::vector<std::string>{R"(3 {"id":3,"n":"x"})", R"(${a} {"id":"${a}"})"});
  CHECK(lines_of(ran.out)[0]["item"] == Json{{"id", 3}, {"n", "x"}});
  ran = each(dir, {"-0", "--ordered", "--", "printf", "%s|", "x{}"}, std::string("a b\0\0c\nd\0", 9));
  CHECK(ran.code == 0);
  CHECK(outputs(ran.out) == std::vector<std::string>{"xa b|", "x|", "xc\nd|"});
}

TEST_CASE("each: what fails stops nothing, is told, and is tried again by the same line", "[each]") {
  TempDir dir;
  const std::vector<std::string> line{
      "--id", "r",  "-P", "4",
      "--",   "sh", "-c", "echo $1 >>ran; test -e mended || test $1 != 7 || { echo bad >&2; exit 3; }",
      "_"};
  Ran ran = each(dir, line, numbers(1, 20));
  CHECK(ran.code == 123);
  REQUIRE(lines_of(ran.out).size() == 20);
  int failed = 0;
  for (const Json& one : lines_of(ran.out)) {
    if (one["ok"] == true) continue;
    ++failed;
    CHECK(one["item"] == "7");
    CHECK(one["error"]["type"] == "exit.3");
    CHECK(one["error"]["stderr_tail"] == "bad");
    CHECK(one["error"]["step"] == "each[7]");
  }
  CHECK(failed == 1);
  CHECK(ran.err.find("1 of 20 failed") != std::string::npos);
  // The text of the workflow is in no file, so that no line of it is named.
  for (const std::vector<std::string>& looks : std::vector<std::vector<std::string>>{
           {"show", "r"}, {"why", "r", "each[7]"}, {"why", "r", "each"}, {"report", "r", "--format", "markdown"}}) {
    const Ran looked = flowrun(dir.path("j.db"), looks);
    INFO(looked.out);
    CHECK(looked.code == 0);
    CHECK(looked.out.find("exited with 3") != std::string::npos);
    for (const char* place : {" :5", " :8", ".:5", ".:8"}) CHECK(looked.out.find(place) == std::string::npos);
  }
  std::ofstream(dir.path("mended")) << "x";
  ran = each(dir, line, numbers(1, 20));
  CHECK(ran.code == 0);
  CHECK(lines_of(ran.out).size() == 1);
  CHECK(effects(dir.path("ran"))["7"] == 2);
  CHECK(effects(dir.path("ran"))["8"] == 1);
}

TEST_CASE("each: --retry, --timeout, --tolerate and --rate do what they say", "[each]") {
  TempDir dir;
  Ran ran = each(dir, {"--retry", "2", "--", "sh", "-c", "echo $1 >>tries; test $(wc -l <tries) -ge 3", "_"}, "a\n");
  CHECK(ran.code == 0);
  REQUIRE(lines_of(ran.out).size() == 1);
  CHECK(lines_of(ran.out)[0]["attempts"] == 3);
  ran = each(dir, {"--timeout", "100ms", "--", "sleep"}, "30\n");
  CHECK(ran.code == 123);
  CHECK(lines_of(ran.out)[0]["error"]["type"] == "timeout");
  CHECK(each(dir, {"--tolerate", "50%", "--", "sh", "-c", "test $1 = 1", "_"}, "1\n2\n").code == 0);
  CHECK(each(dir, {"--tolerate", "1", "--", "sh", "-c", "test $1 = 1", "_"}, "1\n2\n3\n").code == 123);
  const auto before = std::chrono::steady_clock::now();
  CHECK(each(dir, {"--rate", "2/s", "--", "true"}, numbers(1, 5)).code == 0);
  CHECK(std::chrono::steady_clock::now() - before >= 2s);
}

TEST_CASE("each: a request for each item", "[each]") {
  TempDir dir;
  Shop shop;
  Ran ran = each(dir, {"--http", "GET " + shop.url() + "/customers/{}"}, "C-1\nC-2\n");
  INFO(ran.err);
  REQUIRE(lines_of(ran.out).size() == 2);
  for (const Json& line : lines_of(ran.out)) CHECK((line.contains("output") || line.contains("error")));
  CHECK(each(dir, {"--http", shop.url() + "/x"}, "a\n").code == 2);
}

TEST_CASE("each: killed in the middle, the same line runs only the rest; more lines run only those", "[each][slow]") {
  TempDir dir;
  const std::vector<std::string> command{"./task", "{}"};
  std::ofstream(dir.path("task")) << "#!/bin/sh\necho $1 >>ran\n";
  std::filesystem::permissions(dir.path("task"), std::filesystem::perms::owner_all);
  const int count = 2000;
  const std::vector<std::string> argv{FLOWRUN_BINARY, "--journal", dir.path("j.db"), "each", "-P", "16", "--id", "x",
                                      "--",           "./task"};
  HowToRun how;
  how.stdin_text = numbers(1, count);
  how.cwd = dir.path("");
  {
    Background first(argv, how);
    while (first.running() && effects(dir.path("ran")).size() < count / 4) std::this_thread::sleep_for(5ms);
    first.signal(SIGKILL);
    CHECK(first.wait().code == 128 + SIGKILL);
  }
  const std::size_t before = effects(dir.path("ran")).size();
  CHECK(before < static_cast<std::size_t>(count));
  Ran ran = run(argv, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  std::map<std::string, int> done = effects(dir.path("ran"));
  CHECK(done.size() == static_cast<std::size_t>(count));
  const auto twice = std::count_if(done.begin(), done.end(), [](const auto& one) { return one.second > 1; });
  CHECK(twice <= 16);
  how.stdin_text += numbers(count + 1, count + 50);
  ran = run(argv, how);
  CHECK(ran.code == 0);
  CHECK(lines_of(ran.out).size() == 50);
  CHECK(effects(dir.path("ran")).size() == static_cast<std::size_t>(count) + 50);
  ran = run(argv, how);
  CHECK(ran.code == 0);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("nothing new") != std::string::npos);
  ran = flowrun(dir.path("j.db"), {"journal", "verify", "x"});
  INFO(ran.out);
  CHECK(ran.code == 0);
}

TEST_CASE("each: begins before its input ends, and a signal ends the wait for more", "[each]") {
  TempDir dir;
  const std::string pipe = dir.path("pipe");
  const std::string line =
      fmt::format("exec {} --journal {} each --id x -- echo {{}} < {}", FLOWRUN_BINARY, dir.path("j.db"), pipe);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  Background work({"/bin/sh", "-c", line});
  std::ofstream out(pipe);
  out << "a\n" << std::flush;
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (work.out().empty() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
  CHECK(outputs(work.out()) == std::vector<std::string>{"a"});
  work.signal(SIGTERM);
  const Ran ran = work.wait();
  CHECK(ran.code == 143);
  CHECK(ran.err.find("the same command with --id x") != std::string::npos);
  // Whoever only resumes gets to where the input is needed again, and no further.
  CHECK(flowrun(dir.path("j.db"), {"resume", "x"}).code == 4);
  CHECK(flowrun(dir.path("j.db"), {"show", "x"}).out.find("the same `flowrun each` with --id x") != std::string::npos);
  const Ran rest = each(dir, {"--id", "x", "--", "echo", "{}"}, "b\na\n");
  CHECK(rest.code == 0);
  CHECK(outputs(rest.out) == std::vector<std::string>{"b"});
}

TEST_CASE("each: a reader that goes away suspends the run", "[each]") {
  TempDir dir;
  HowToRun how;
  how.cwd = dir.path("");
  const Ran ran = run({"/bin/sh", "-c",
                       fmt::format("seq 500 | {{ {} --journal {} each --id x -P 4 -- echo; echo $? >code; }} | head -1",
                                   FLOWRUN_BINARY, dir.path("j.db"))},
                      how);
  CHECK(lines_of(ran.out).size() == 1);
  CHECK(effects(dir.path("code")).count("74") == 1);
  CHECK(ran.err.find("the same command with --id x") != std::string::npos);
}

TEST_CASE("each: a line that is not as it should be is told with its number, and mended the run goes on", "[each]") {
  TempDir dir;
  Ran ran = each(dir, {"--json", "--id", "x", "--", "echo", "{.id}"}, "{\"id\": 1}\nnope\n{\"id\": 2}\n");
  CHECK(ran.code == 3);
  CHECK(outputs(ran.out) == std::vector<std::string>{"1"});
  CHECK(ran.err.find("standard input: line 2 is not JSON") != std::string::npos);
  ran = each(dir, {"--json", "--id", "x", "--", "echo", "{.id}"}, "{\"id\": 1}\n{\"id\": 3}\n{\"id\": 2}\n");
  CHECK(ran.code == 0);
  CHECK(sorted(outputs(ran.out)) == std::vector<std::string>{"2", "3"});
  ran = each(dir, {"--", "echo"}, "\xff\n");
  CHECK(ran.code == 3);
  CHECK(ran.err.find("line 1 is not UTF-8") != std::string::npos);
  ran = each(dir, {"--quiet-output", "--", "true"}, std::string((1 << 20) + 1, 'x'));
  CHECK(ran.code == 3);
  CHECK(ran.err.find("line 1 is longer than") != std::string::npos);
}

TEST_CASE("each: lines that come after a crash behind the end of the input run with the same line", "[each]") {
  TempDir dir;
  const std::vector<std::string> argv{FLOWRUN_BINARY, "--journal", dir.path("j.db"),         "each", "--id", "x", "--",
                                      "sh",           "-c",        "test -e go || sleep 60", "_"};
  HowToRun how;
  how.stdin_text = numbers(1, 2);
  how.cwd = dir.path("");
  {
    Background first(argv, how);
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (flowrun(dir.path("j.db"), {"journal", "show", "x"}).out.find("start") == std::string::npos &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(20ms);
    first.signal(SIGKILL);
    first.wait();
  }
  std::ofstream(dir.path("go")) << "x";
  how.stdin_text = numbers(1, 4);
  const Ran ran = run(argv, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(lines_of(ran.out).size() == 4);
  CHECK(flowrun(dir.path("j.db"), {"journal", "verify", "x"}).code == 0);
}

TEST_CASE("each: a cancelled run is no success when it is retried without the rest of its input", "[each]") {
  TempDir dir;
  const std::string line =
      fmt::format("(seq 2; sleep 60) | exec {} --journal {} each --id c -P 1 -- sh -c 'sleep 0.1' _", FLOWRUN_BINARY,
                  dir.path("j.db"));
  Background work({"/bin/sh", "-c", line});
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (lines_of(work.out()).size() < 2 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
  CHECK(flowrun(dir.path("j.db"), {"cancel", "c"}).code == 0);
  CHECK(flowrun(dir.path("j.db"), {"retry", "c"}).code == 4);
  CHECK(each(dir, {"--id", "c", "-P", "1", "--", "sh", "-c", "sleep 0.1", "_"}, numbers(1, 3)).code == 0);
  CHECK(flowrun(dir.path("j.db"), {"show", "c", "--json"}).out.find("each[3]") != std::string::npos);
}

TEST_CASE("each: --ordered keeps the order over drives, also for what is tried again", "[each]") {
  TempDir dir;
  const std::vector<std::string> line{
      "--id", "o", "--ordered", "-P", "4", "--", "sh", "-c", "test $1 != 1 || { sleep 0.3; test -e mended; }", "_"};
  const Ran first = each(dir, line, numbers(1, 3));
  CHECK(first.code == 123);
  CHECK(lines_of(first.out).size() == 3);
  std::ofstream(dir.path("mended")) << "x";
  const Ran again = each(dir, line, numbers(1, 5));
  CHECK(again.code == 0);
  std::vector<std::string> items;
  for (const Json& one : lines_of(again.out)) items.push_back(one["item"]);
  CHECK(items == std::vector<std::string>{"1", "4", "5"});
}

TEST_CASE("each: words of a command that look like templates stand for themselves", "[each]") {
  TempDir dir;
  Ran ran = each(dir, {"--", "printf", "%s|", "US${}", "$${}", "${a}", "{a}", "$", "\x7f", "{}"}, "a\n");
  CHECK(ran.code == 0);
  CHECK(outputs(ran.out) == std::vector<std::string>{"US$a|$$a|${a}|{a}|$|\x7f|a|"});
  ran = each(dir, {"--json", "--", "echo", "{.file-name}"}, "{}\n");
  CHECK(ran.code == 2);
  CHECK(ran.err.find("no member of an item") != std::string::npos);
}

TEST_CASE("each: two calls with one id do nothing twice", "[each]") {
  TempDir dir;
  CHECK(each(dir, {"--id", "x", "--", "sh", "-c", "echo $1 >>ran", "_"}, "z\n").code == 0);
  const std::string call =
      fmt::format("exec {} --journal {} each --id x -- sh -c 'echo $1 >>ran' _", FLOWRUN_BINARY, dir.path("j.db"));
  HowToRun how;
  how.cwd = dir.path("");
  Background late({"/bin/sh", "-c", "(sleep 1.5; echo a) | " + call}, how);
  std::this_thread::sleep_for(500ms);
  CHECK(each(dir, {"--id", "x", "--", "sh", "-c", "echo $1 >>ran", "_"}, "a\n").code == 0);
  CHECK(late.wait().code == 6);
  CHECK(effects(dir.path("ran"))["a"] == 1);
}

TEST_CASE("each: mistakes of usage start nothing", "[each]") {
  TempDir dir;
  struct Case {
    std::vector<std::string> args;
    int code;
    const char* says;
  };
  const std::vector<Case> cases{
      {{}, 2, "flowrun each -- COMMAND {}"},
      {{"--http", "GET https://a/{}", "--", "echo"}, 2, "do not go together"},
      {{"--json", "-0", "--", "echo"}, 2, "do not go together"},
      {{"--body", "x", "--", "echo"}, 2, "--http"},
      {{"-P", "x", "--", "echo"}, 2, "write a count"},
      {{"--tolerate", "a few", "--", "echo"}, 2, "5%"},
      {{"--timeout", "soon", "--", "echo"}, 2, "no duration"},
      {{"--rate", "fast", "--", "echo"}, 2, "100/s"},
      {{"ls", "-l"}, 2, "behind `--`"},
      {{"--tolerat", "5", "--", "echo"}, 2, "did you mean `--tolerate`"},
      {{"--", "no-such-program-at-all"}, 127, "is not found"},
      {{"--", "./j"}, 126, "may not be executed"},
  };
  std::ofstream(dir.path("j")) << "x";
  for (const Case& one : cases) {
    INFO(fmt::format("{}", one.says));
    const Ran ran = each(dir, one.args, "a\n");
    CHECK(ran.code == one.code);
    CHECK(ran.out.empty());
    INFO(ran.err);
    CHECK(ran.err.find(one.says) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(dir.path("j.db")));
  }
}

TEST_CASE("each: --print is a workflow that does the same", "[each]") {
  TempDir dir;
  const Ran printed = each(dir,
                           {"--print", "--retry", "1", "--tolerate", "2%", "--timeout", "10s", "--rate", "50/s", "--",
                            "printf", "%s${x}\"", "{}"},
                           "");
  CHECK(printed.code == 0);
  std::ofstream(dir.path("w.yaml")) << printed.out;
  CHECK(flowrun(dir.path("j.db"), {"validate", dir.path("w.yaml")}).code == 0);
  HowToRun how;
  how.stdin_text = "a\nb\n";
  const Ran ran = flowrun(dir.path("j.db"), {"run", dir.path("w.yaml"), "--id", "r"}, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(flowrun(dir.path("j.db"), {"output", "r", "--step", "each[b]"}).out == "\"b${x}\\\"\"\n");
}

TEST_CASE("a fork of a run over standard input takes its items from that run", "[each]") {
  TempDir dir;
  CHECK(each(dir, {"--id", "x", "--", "sh", "-c", "echo $1 >>ran", "_"}, "a\nb\na\n").code == 0);
  const Ran ran = flowrun(dir.path("j.db"), {"fork", "x", "--id", "y"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.err.find("3 steps were taken over") != std::string::npos);
  CHECK(effects(dir.path("ran")) == std::map<std::string, int>{{"a", 2}, {"b", 1}});
  CHECK(flowrun(dir.path("j.db"), {"fork", "x", "--dry-run"}).out.find("3 steps would be taken over") !=
        std::string::npos);
  // What runs anew runs in the folder of the run, wherever the fork is asked for.
  CHECK(flowrun(dir.path("j.db"), {"fork", "x", "--id", "z", "--from", "each"}).code == 0);
  CHECK(effects(dir.path("ran")) == std::map<std::string, int>{{"a", 4}, {"b", 2}});
}

TEST_CASE("standard input in a workflow stands where it can be read, once, and by itself", "[each]") {
  TempDir dir;
  struct Case {
    const char* steps;
    const char* says;
  };
  const std::vector<Case> cases{
      {"a: { for_each: stdin, key: \"${ $item }\", do: { set: 1 } }", "does not go with"},
      {"a: { for_each: stdin, batch: 2, do: { set: 1 } }", "does not go with"},
      {"a: { for_each: stdin, collect: 2, do: { set: 1 } }", "does not go with"},
      {"a: { for_each: stdin, join: first_success, do: { set: 1 } }", "have no winner"},
      {"a: { for_each: [1], split: json, do: { set: 1 } }", "for_each: stdin"},
      {"a: { for_each: stdin, split: words, do: { set: 1 } }", "lines"},
      {"a: { for_each: stdin, do: { set: 1 } }\n  b: { for_each: stdin, do: { set: 1 } }", "another step reads"},
      {"a: { parallel: { b: { for_each: stdin, do: { set: 1 } } } }", "at the top"},
      {"a: { for_each: [1], do: { for_each: stdin, do: { set: 1 } } }", "at the top"},
  };
  for (const Case& one : cases) {
    INFO(one.steps);
    std::ofstream(dir.path("w.yaml")) << "flowrun: 1\nsteps:\n  " << one.steps << "\n";
    const Ran ran = flowrun(dir.path("j.db"), {"validate", dir.path("w.yaml")});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 3);
    CHECK((ran.out + ran.err).find(one.says) != std::string::npos);
  }
  std::ofstream(dir.path("w.yaml"))
      << "flowrun: 1\ninput: { a: { type: string } }\nsteps:\n  a: { for_each: stdin, do: "
         "{ set: 1 } }\n";
  const Ran ran = flowrun(dir.path("j.db"), {"run", dir.path("w.yaml"), "-i", "a=@-"});
  CHECK(ran.code == 2);
  CHECK(ran.err.find("standard input") != std::string::npos);
}

TEST_CASE("each leaves standard output to a report that is to stand there", "[each]") {
  const TempDir dir;
  const Ran ran = each(dir, {"--report", "junit:-", "--", "echo"}, "a\nb\n");
  INFO(ran.err << ran.out);
  CHECK(ran.code == 0);
  CHECK(ran.out.starts_with("<?xml"));
  CHECK(ran.out.find("tests=\"2\"") != std::string::npos);
  CHECK(ran.out.find("{\"") == std::string::npos);
}

}  // namespace flowrun::test::each_test
