// What `flowrun logs` shows is what processes have written, however they end.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "engine/journal/journal.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::logs_test {
namespace {

const std::vector<std::string> kCaptures{"text", "json", "jsonl", "lines", "none", "file", "base64"};

/// Of one stream, on which a line is written in two pieces.
constexpr const char* kSays = "seq 3000 >&2; printf 30 >&2; sleep 0.02; echo 01 >&2; seq 3002 5000 >&2; echo 1;";

std::string numbers(int to) {
  std::string text;
  for (int i = 1; i <= to; ++i) text += std::to_string(i) + "\n";
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Chatter {
 public:
  std::string journal() const { return dir_.path("journal.db"); }
  const TempDir& dir() const { return dir_; }

  /// What is kept of |step|: lines of standard output and of standard error.
  std::pair<std::string, std::string> said(const std::string& step) const {
    std::pair<std::string, std::string> texts;
    Ran ran = flowrun(journal(), {"logs", "--json", "--step", step});
    REQUIRE(ran.code == 0);
    REQUIRE(ran.err == "");
    std::istringstream in(ran.out);
    for (std::string line; std::getline(in, line);) {
      Json json = Json::parse(line);
      (json["stream"] == "stderr" ? texts.second : texts.first) += json.value("line", "...") + "\n";
    }
    return texts;
  }

  bool eventually(const std::function<bool()>& holds) const {
    for (int i = 0; i < 1200; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

 private:
  TempDir dir_;
};

/// One step for each way to capture; each writes the same and then goes on with |end|. |around| is put around a step:
/// `%` in it is the step.
std::string workflow(const std::string& end, const std::string& options, const std::string& around = "%") {
  std::string text = "flowrun: 1\nsteps:\n";
  for (const std::string& capture : kCaptures) {
    std::string step = "{ capture: " + capture + ", " + options + " shell: '" + kSays +
                       " echo {} > $FLOWRUN_OUTPUT; touch ready-" + capture + "; " + end + "' }";
    std::string whole = around;
    for (std::size_t at; (at = whole.find('%')) != whole.npos;) whole.replace(at, 1, step);
    for (std::size_t at; (at = whole.find('@')) != whole.npos;) whole.replace(at, 1, capture);
    text += "  " + capture + ": " + whole + "\n";
  }
  return text;
}

constexpr const char* kForLong = "while [ ! -e stop ]; do sleep 0.05; done";

}  // namespace

TEST_CASE("logs show what was written, whatever is captured and however the step ends") {
  struct Way {
    const char* name;
    std::string text;
    std::string below = "";  // path of the process, behind that of the step
  };
  const std::vector<Way> ways{
      {"succeeded", workflow("true", "")},
      {"failed", workflow("exit 3", "continue_on_error: true,")},
      {"retried", workflow("[ $FLOWRUN_ATTEMPT = 2 ]", "retry: {attempts: 2, delay: 1ms},")},
      {"timed out", workflow(kForLong, "continue_on_error: true, timeout: 6s,")},
      {"cancelled", workflow(kForLong, "") +
                        "  bad: { shell: 'for c in text json jsonl lines none file; do while [ ! -e ready-$c ]; do "
                        "sleep 0.05; done; done; sleep 0.3; exit 1' }\nfail_fast: true\n"},
      {"lost",
       workflow(kForLong, "", "{ race: { slow: %, quick: { shell: 'while [ ! -e ready-@ ]; do sleep 0.05; done' } } }"),
       "/slow"},
      {"handled", workflow("exit 3", "fallback: { set: 1 },")},
  };
  for (const Way& way : ways) {
    INFO(way.name);
    Chatter chatter;
    std::string file = chatter.dir().write("w.yaml", way.text);
    Ran ran = flowrun(chatter.journal(), {"run", "-j", "64", file});
    INFO(ran.err);
    REQUIRE((ran.code == 0 || ran.code == 1));
    for (const std::string& capture : kCaptures) {
      INFO(capture);
      auto [out, err] = chatter.said(capture + way.below);
      const int times = std::string(way.name) == "retried" ? 2 : 1;
      CHECK(out == (times == 2 ? "1\n1\n" : "1\n"));
      CHECK((err == (times == 2 ? numbers(5000) + numbers(5000) : numbers(5000))));
    }
  }
}

TEST_CASE("logs show what was written while a step runs, after an interrupt and after kill -9") {
  for (int signal : {SIGINT, SIGKILL}) {
    Chatter chatter;
    std::string file = chatter.dir().write("w.yaml", workflow(kForLong, ""));
    Background run(
        {FLOWRUN_BINARY, "run", "-j", "64", "--id", "r-1", "--grace", "0s", "--journal", chatter.journal(), file});
    for (const std::string& capture : kCaptures) {
      INFO(signal << " " << capture << run.err());
      // The journal is there when the first step is.
      REQUIRE(chatter.eventually([&] { return std::filesystem::exists(chatter.dir().path("ready-" + capture)); }));
      REQUIRE(chatter.eventually([&] {
        auto [out, err] = chatter.said(capture);
        return out == "1\n" && err == numbers(5000);
      }));
    }
    run.signal(signal);
    run.wait();
    for (const std::string& capture : kCaptures) {
      auto [out, err] = chatter.said(capture);
      CHECK(out == "1\n");
      CHECK((err == numbers(5000)));
    }
    chatter.dir().write("stop", "");
    // What runs again is told beside it.
    Ran resumed = flowrun(chatter.journal(), {"resume", "r-1"});
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    CHECK(chatter.said("json").first == "1\n1\n");
  }
}

TEST_CASE("output that is cut is an error where it is read, and a value that says so where nobody reads it") {
  Chatter chatter;
  std::string text = "flowrun: 1\nsteps:\n";
  for (const std::string& capture : kCaptures)
    for (const char* step : {"_heard", "_unheard"})
      text += "  " + capture + step + ": { capture: " + capture +
              ", max_output: 4KiB, continue_on_error: true, shell: 'seq 3000; seq 3000 > $FLOWRUN_OUTPUT; echo done "
              ">&2' }\n";
  text += "output:\n";
  for (const std::string& capture : kCaptures) text += "  " + capture + ": ${ $steps." + capture + "_heard }\n";
  std::string file = chatter.dir().write("w.yaml", text);
  Ran ran = flowrun(chatter.journal(), {"run", file});
  INFO(ran.err);
  Json run = Json::parse(flowrun(chatter.journal(), {"show", "--json"}).out);
  std::map<std::string, Json> steps;
  for (const Json& step : run["steps"]) steps[step["path"]] = step;
  for (const std::string& capture : kCaptures) {
    INFO(capture);
    for (const char* step : {"_heard", "_unheard"}) {
      auto [out, err] = chatter.said(capture + step);
      CHECK((out == numbers(3000)));
      CHECK(err == "done\n");
    }
    if (capture == "none") continue;
    CHECK(steps[capture + "_heard"]["error"]["type"] == "parse");
    const Json& unheard = steps[capture + "_unheard"];
    CHECK(unheard["state"] == "succeeded");
    const Json& value = unheard["output"];
    REQUIRE(value.contains("left_out"));
    CHECK(value["left_out"] == numbers(3000).size() - 4096);
    CHECK(numbers(3000).starts_with(value["head"].get<std::string>()));
    CHECK(numbers(3000).ends_with(value["tail"].get<std::string>()));
  }
}

TEST_CASE("of a step that says very much, logs show the beginning, how much is left out, and the end") {
  Chatter chatter;
  std::string file =
      chatter.dir().write("w.yaml", "flowrun: 1\nsteps: { s: { capture: none, shell: 'seq 800000 >&2; echo 1' } }\n");
  REQUIRE(flowrun(chatter.journal(), {"run", file}).code == 0);
  const std::string all = numbers(800'000), text = flowrun(chatter.journal(), {"logs", "--step", "s", "--stderr"}).out;
  std::size_t mark = text.find("... "), end = text.find('\n', mark) + 1;
  REQUIRE(mark != text.npos);
  CHECK((mark > 900'000 && all.starts_with(text.substr(0, mark))));
  CHECK((text.size() - end > 450'000 && all.ends_with(text.substr(end))));
  CHECK(std::stoull(text.substr(mark + 4)) == all.size() - mark - (text.size() - end));
  CHECK(has(flowrun(chatter.journal(), {"logs"}).out, "[s] ... "));
  Ran head =
      run({"/bin/bash", "-c",
           std::string(FLOWRUN_BINARY) + " logs --journal " + chatter.journal() + " | head -1; echo ${PIPESTATUS[0]}"});
  CHECK(head.out == "[s] 1\n0\n");
  CHECK(head.err.empty());
}

TEST_CASE("the logs of a run of an older version are what they were, and of long outputs both streams") {
  Chatter chatter;
  std::string file =
      chatter.dir().write("w.yaml", "flowrun: 1\nsteps: { s: { shell: 'echo out', continue_on_error: true } }\n");
  REQUIRE(flowrun(chatter.journal(), {"run", "--id", "r-1", file}).code == 0);
  // As that version left it: what was captured in the journal alone, a long standard error in the file.
  Chatter old;
  {
    Journal from(chatter.journal(), Journal::Mode::ReadOnly), to(old.journal(), Journal::Mode::Create);
    RunRecord run = from.find("r-1"), copy = run;
    REQUIRE(to.create(copy, from.source(run.source_hash)));
    for (Entry& entry : from.read(run.number, 1)) {
      if (entry.kind == EntryKind::RunStarted) {
        Event event = to_event(entry);
        std::get<RunStarted>(event.fact).output_log = 0;
        entry = to_entry(event);
      }
      to.append(entry);
    }
    to.commit({}, run.started_at);
  }
  std::filesystem::create_directories(old.dir().path("runs/r-1"));
  old.dir().write("runs/r-1/output.log",
                  "{\"path\":\"s\",\"attempt\":1,\"stream\":\"stderr\",\"at\":1000,\"bytes\":4}\nold\n\n");
  CHECK(old.said("s") == std::pair<std::string, std::string>("out\n", "old\n"));
}

TEST_CASE("a failure is told with the last words of who failed, in show too, and of the items of a for_each") {
  Chatter chatter;
  std::string file = chatter.dir().write("w.yaml", R"(flowrun: 1
steps:
  each:
    for_each: [a, b]
    fail_fast: false
    do: { shell: 'echo "sorry, $FLOWRUN_ITEM" >&2; exit 3' }
)");
  Ran ran = flowrun(chatter.journal(), {"run", file});
  CHECK(ran.code == 1);
  for (const std::string& text : {ran.err, flowrun(chatter.journal(), {"show"}).out}) {
    INFO(text);
    CHECK(has(text, "| sorry, a\n"));
    CHECK(has(text, "| sorry, b\n"));
  }
  chatter.dir().write(
      "w.yaml",
      "flowrun: 1\nsteps: { s: { shell: 'echo oh >&2; kill -PIPE $$' }, "
      "t: { after: [s], exec: [sh, -c, 'sh -c \"kill -PIPE \\$\\$\"; exit $?'] } }\nfail_fast: false\n");
  ran = flowrun(chatter.journal(), {"run", file});
  INFO(ran.err);
  CHECK(has(ran.err, "| oh\n"));
  CHECK(has(ran.err, "SIGPIPE"));
}

TEST_CASE("logs -f shows each line once and whole, as it comes, until the run is over") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  // Lines in pieces, two streams, a second step, and an end without a line break.
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  talk:
    shell: |
      for i in $(seq 400); do printf 'half '; [ $((i % 40)) != 0 ] || sleep 0.02; echo $i; echo e$i >&2; done
      printf last
  also: { shell: "seq 3000; sleep 0.3; seq 3001 3010" }
)");
  const bool killed = GENERATE(false, true);
  CAPTURE(killed);
  if (killed) dir.write("w.yaml", dir.read("w.yaml") + "  hold: { shell: 'sleep 60', needs: talk }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", journal});
  while (driver.err().find("start     talk") == std::string::npos && driver.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Background follower({FLOWRUN_BINARY, "logs", "r", "-f", "--journal", journal});
  if (killed) {
    while (follower.out().find("[talk] half 400\n") == std::string::npos && follower.running())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    driver.signal(SIGKILL);
  }
  const Ran followed = follower.wait();
  driver.wait();
  CHECK(followed.code == 0);
  std::map<std::string, std::string> said;  // by the first letters
  std::istringstream lines(followed.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[talk] half ")) said["out"] += line.substr(12) + "\n";
    if (line.starts_with("[talk] e")) said["err"] += line.substr(8) + "\n";
    if (line.starts_with("[also] ")) said["also"] += line.substr(7) + "\n";
  }
  CHECK(said["out"] == numbers(400));
  CHECK(said["err"] == numbers(400));
  if (!killed) CHECK(said["also"] == numbers(3010));
  CHECK(has(followed.out, "[talk] last\n"));
  // The same as what is read afterwards.
  const Ran after = flowrun(journal, {"logs", "r"});
  std::size_t one = std::count(after.out.begin(), after.out.end(), '\n');
  if (!killed) CHECK(one == static_cast<std::size_t>(std::count(followed.out.begin(), followed.out.end(), '\n')));
  // Of a run that is over -f changes nothing.
  CHECK(flowrun(journal, {"logs", "r", "-f", "--tail", "3"}).out == flowrun(journal, {"logs", "r", "--tail", "3"}).out);
  CHECK(flowrun(journal, {"logs", "r", "-f", "--failed"}).code == 2);
}

}  // namespace flowrun::test::logs_test
