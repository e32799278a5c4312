// --logs: what is shown of processes while a run is driven, by the real binary.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::step_logs_test {
namespace {

/// The lines of |text| that |belong|.
template <typename Belongs>
std::vector<std::string> lines_of(const std::string& text, Belongs belong) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (belong(line)) lines.push_back(line);
  return lines;
}

/// `[STEP] ...` as it is, and of the end of a step its state and name.
std::vector<std::string> shown(const std::string& err) {
  std::vector<std::string> all;
  for (const std::string& line : lines_of(err, [](const std::string&) { return true; })) {
    if (line.starts_with("[")) all.push_back(line);
    std::istringstream words(line);
    std::string time, what, step;
    if (words >> time >> what >> step; (what == "ok" || what == "failed") && step != "run")
      all.push_back(what + " " + step);
  }
  return all;
}

/// Whether |process| says |text| on standard error, now or within a minute.
bool says(const Background& process, const std::string& text) {
  for (int i = 0; i < 3000; ++i) {
    if (process.err().find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

using Lines = std::vector<std::string>;

const std::string kTalk =
    "flowrun: 1\nsteps:\n  good: { shell: 'echo one; echo two >&2; sleep 0.3; printf three' }\n"
    "  bad: { shell: 'echo four; exit 3', continue_on_error: true, if: \"${ $steps.good != null }\" }\n";

}  // namespace

TEST_CASE("each mode of --logs shows what it says, beside each way to show progress") {
  const Lines streamed{"[good] one", "[good] two", "[good] three", "ok good", "[bad] four", "failed bad"};
  const Lines grouped{"ok good", "[good] one", "[good] two", "[good] three", "failed bad", "[bad] four"};
  const Lines failed{"ok good", "failed bad", "[bad] four"}, none{"ok good", "failed bad"};
  const auto [progress, logs, expected] = GENERATE_COPY(table<std::string, std::string, Lines>({
      {"plain", "auto", streamed},
      {"plain", "stream", streamed},
      {"plain", "group", grouped},
      {"plain", "fail", failed},
      {"plain", "none", none},
      {"github", "auto", grouped},
      {"github", "none", none},
      {"none", "auto", {}},
      {"none", "stream", {"[good] one", "[good] two", "[good] three", "[bad] four"}},
      {"none", "fail", {"[bad] four"}},
  }));
  CAPTURE(progress, logs);
  TempDir dir;
  const std::string file = dir.write("w.yaml", kTalk);
  HowToRun how;
  if (logs == "stream") how.env["FLOWRUN_LOGS"] = "none";  // an option goes before a variable
  std::vector<std::string> words{FLOWRUN_BINARY,         "run",        file,    "--journal",
                                 dir.path("journal.db"), "--progress", progress};
  if (logs != "auto") words.insert(words.end(), {"--logs", logs});
  const Ran ran = run(words, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(shown(ran.err) == expected);
}

TEST_CASE("a variable says what is shown, and a word that is none is refused") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", kTalk);
  HowToRun how;
  how.env["FLOWRUN_LOGS"] = "fail";
  const Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db")}, how);
  CHECK(shown(ran.err) == Lines{"ok good", "failed bad", "[bad] four"});
  const Ran bad = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db"), "--logs", "strem"});
  INFO(bad.err);
  CHECK(bad.code == 2);
  CHECK(bad.err.find("stream") != std::string::npos);
}

TEST_CASE("a line is shown while its process runs, and those of two that run are told apart") {
  TempDir dir;
  const std::string file =
      dir.write("w.yaml",
                "flowrun: 1\nsteps:\n"
                "  a: { shell: 'printf begin; sleep 0.3; echo \" and end\"; while [ ! -e go ]; do sleep 0.02; done' }\n"
                "  b: { shell: 'echo from b; while [ ! -e go ]; do sleep 0.02; done' }\n");
  Background drive({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db"), "--logs", "stream"});
  CHECK(says(drive, "[a] begin and end\n"));
  CHECK(says(drive, "[b] from b\n"));
  dir.write("go", "");
  CHECK(drive.wait().code == 0);
}

TEST_CASE("what is streamed is what `flowrun logs` has afterwards, however it was written") {
  TempDir dir;
  const std::string file = dir.write(
      "w.yaml",
      "flowrun: 1\nsteps:\n  talk:\n    for_each: 4\n    do:\n      it:\n        shell: |\n"
      "          for i in $(seq 300); do printf \"$i-\"; printf \"$i\\n\"; [ $((i % 50)) != 0 ] || sleep 0.02; done\n"
      "          seq 2000 >&2; printf 'no end'\n");
  const std::string journal = dir.path("journal.db");
  const Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", journal, "--id", "r"});
  INFO(ran.err.substr(0, 2000));
  REQUIRE(ran.code == 0);
  const auto is_said = [](const std::string& line) { return line.starts_with("["); };
  Lines streamed = lines_of(ran.err, is_said);
  Lines logged = lines_of(run({FLOWRUN_BINARY, "logs", "r", "--journal", journal}).out, is_said);
  CHECK(logged.size() == 4 * (300 + 2000 + 1));
  std::sort(streamed.begin(), streamed.end());
  std::sort(logged.begin(), logged.end());
  CHECK(streamed == logged);
}

TEST_CASE("of what is more than is kept, the end is shown with how much is left out") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { a: { shell: seq 800000, capture: none } }\n");
  const std::string mode = GENERATE("stream", "group");
  const Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db"), "--logs", mode});
  CHECK(ran.code == 0);
  const Lines said = lines_of(ran.err, [](const std::string& line) { return line.starts_with("[a] "); });
  REQUIRE(said.size() > 50);
  CHECK(said.back() == "[a] 800000");
  CHECK(ran.err.find(mode == "stream" ? " bytes left out ..." : " lines before") != std::string::npos);
}

TEST_CASE("what items of a large group say is not shown, unless it is asked for") {
  const auto [option, value, lines] = GENERATE(
      table<std::string, std::string, std::size_t>({{"--logs", "auto", 1}, {"--logs", "stream", 61}, {"-v", "", 61}}));
  TempDir dir;
  const std::string file = dir.write("w.yaml",
                                     "flowrun: 1\nsteps:\n  one: { shell: echo one }\n"
                                     "  many: { for_each: 60, do: { it: { shell: echo item } } }\n");
  std::vector<std::string> words{FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db"), option};
  if (!value.empty()) words.push_back(value);
  const Ran ran = run(words);
  INFO(ran.err);
  CHECK(lines_of(ran.err, [](const std::string& line) { return line.starts_with("["); }).size() == lines);
}

TEST_CASE("a resume shows what is said from then on") {
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const std::string file = dir.write(
      "w.yaml",
      "flowrun: 1\nsteps:\n  a: { shell: 'echo drive $FLOWRUN_RERUN; while [ ! -e go ]; do sleep 0.02; done' }\n");
  Background first({FLOWRUN_BINARY, "run", file, "--journal", journal, "--id", "r"});
  REQUIRE(says(first, "[a] drive 0\n"));
  first.signal(SIGKILL);
  first.wait();
  dir.write("go", "");
  const Ran second = run({FLOWRUN_BINARY, "resume", "r", "--journal", journal});
  INFO(second.err);
  CHECK(second.code == 0);
  CHECK(lines_of(second.err, [](const std::string& line) { return line.starts_with("["); }) == Lines{"[a] drive 1"});
}

TEST_CASE("after a resume, too, items of a large group are not shown") {
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const std::string file =
      dir.write("w.yaml",
                "flowrun: 1\nsteps:\n  a:\n    for_each: 60\n    concurrency: 2\n    do:\n"
                "      it: { shell: 'echo item; echo $PPID > pid; while [ ! -e go ]; do sleep 0.02; done' }\n");
  Background first({FLOWRUN_BINARY, "run", file, "--journal", journal, "--id", "r"});
  for (int i = 0; i < 3000 && dir.read("pid").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  first.signal(SIGKILL);
  CHECK(first.wait().err.find("[a[") == std::string::npos);
  dir.write("go", "");
  const Ran second = run({FLOWRUN_BINARY, "resume", "r", "--journal", journal});
  CHECK(second.code == 0);
  CHECK(second.err.find("[a[") == std::string::npos);
}

TEST_CASE("a line without an end is shown in pieces of whole characters") {
  TempDir dir;
  const std::string file =
      dir.write("w.yaml",
                "flowrun: 1\nsteps: { a: { capture: none, shell: \"printf 'x'; for i in $(seq "
                "3000); do printf "
                "'\u00e4\u00f6\u00fc\u20ac\u00e4\u00f6\u00fc\u20ac\u00e4\u00f6\u00fc\u20ac\u00e4\u00f6\u00fc\u20ac'; "
                "done; echo; echo last\" } }\n");
  const Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db")});
  CHECK(ran.code == 0);
  const Lines said = lines_of(ran.err, [](const std::string& line) { return line.starts_with("[a] "); });
  REQUIRE(said.size() >= 3);
  CHECK(said.back() == "[a] last");
  std::string whole;
  for (std::size_t i = 0; i + 1 < said.size(); ++i) whole += said[i].substr(4);
  CHECK(whole.size() == 1 + 3000 * 4 * 9);
  CHECK(ran.err.find("\uFFFD") == std::string::npos);
}

TEST_CASE("what a process says is shown however long its script is") {
  TempDir dir;
  const std::string file = dir.write(
      "w.yaml", "flowrun: 1\nsteps: { a: { shell: \"echo said; : " + std::string(20000, 'x') + "; exit 3\" } }\n");
  const std::string mode = GENERATE("stream", "group", "fail");
  const Ran ran = run({FLOWRUN_BINARY, "run", file, "--journal", dir.path("journal.db"), "--logs", mode});
  CHECK(lines_of(ran.err, [](const std::string& line) { return line.starts_with("[a] "); }) == Lines{"[a] said"});
}

TEST_CASE("each leaves what its commands say to its own lines") {
  TempDir dir;
  HowToRun how;
  how.stdin_text = "x\n";
  const Ran ran = run({FLOWRUN_BINARY, "each", "--journal", dir.path("journal.db"), "--", "echo"}, how);
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(ran.err.find("[") == std::string::npos);
}

}  // namespace flowrun::test::step_logs_test
