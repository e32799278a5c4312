// The live view: what a person sees of a run at a terminal.
#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>
#include <utility>

#include "cli/progress/columns.h"
#include "cli/progress/live_progress.h"
#include "cli/progress/tally.h"
#include "engine/steps/outline.h"
#include "tests/support/catch.h"
#include "tests/support/fake_terminal.h"
#include "tests/support/golden.h"
#include "tests/support/program.h"
#include "tests/support/scenario.h"
#include "tests/support/temp_dir.h"
#include "tests/support/watched.h"

namespace flowrun::test::live_test {
namespace {

using cli::LiveProgress;
using cli::LiveStyle;

/// A scenario whose entries the live view shows on a terminal.
class Stage {
 public:
  Stage(const std::string& text, std::size_t columns, std::size_t rows, LiveStyle style = {true, false},
        bool every = false)
      : scenario(text), screen(columns, rows), loaded_(load_text(text)) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    REQUIRE(openpty(&master_, &slave_, nullptr, nullptr, &size) == 0);
    fcntl(master_, F_SETFL, O_NONBLOCK);
    live_ = std::make_unique<LiveProgress>(slave_, "journal.db", style, every);
    live_->plan(outline(loaded_->workflow), answer_data(*loaded_), "order.yaml");
    live_->run("demo-1");
  }
  ~Stage() {
    live_.reset();
    close(slave_);
    close(master_);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// The next frame, |later| after what has happened last.
  std::string frame(Duration later = Duration{200}) {
    scenario.advance(later);
    tell();
    live_->turned(scenario.now(), {tally_.ok(), tally_.failed(), &scenario.machine()});
    take();
    return screen.history() + screen.text();
  }
  std::string end() {
    tell();
    live_->over();
    take();
    return screen.history() + screen.text();
  }
  /// So many entries were seen by an earlier drive.
  void earlier() {
    for (; told_ < scenario.entries().size(); ++told_) live_->earlier(scenario.entries()[told_]);
  }
  LiveProgress& live() { return *live_; }

  Scenario scenario;
  Terminal screen;

 private:
  void tell() {
    for (; told_ < scenario.entries().size(); ++told_) {
      const Entry& entry = scenario.entries()[told_];
      tally_.add(entry);
      live_->entry(entry);
    }
  }
  void take() {
    char buffer[4096];
    for (ssize_t got; (got = read(master_, buffer, sizeof buffer)) > 0;)
      screen.feed({buffer, static_cast<std::size_t>(got)});
    CHECK(screen.strange() == "");
  }

  std::unique_ptr<Loaded> loaded_;
  int master_ = -1, slave_ = -1;
  std::unique_ptr<LiveProgress> live_;
  std::size_t told_ = 0;
  cli::Tally tally_;
};

const char* kOrder = R"(flowrun: 1
steps:
  order: { http: "http://shop/orders/O-1001" }
  charge:
    http: POST http://shop/payments
    retry: { attempts: 5, delay: 2s }
    needs: order
  mails:
    for_each: ${ [range(60)] }
    concurrency: 3
    join: { tolerate: 100% }
    do: { exec: [send, "${ $item }"] }
  nap: { sleep: 1m }
  gate: { wait: approve, prompt: Ship order O-1001?, needs: order }
  ship: { exec: [ship], needs: [charge, gate] }
)";

/// The order up to the middle: one step over, one that is tried again, some of a thousand items, one that waits.
void play_order(Stage& stage) {
  Scenario& s = stage.scenario;
  s.advance(Duration{300});
  s.succeed("order", R"({"status":200,"headers":{},"body":{"total":4},"url":"u","attempt":1,"duration_ms":1})");
  s.advance(Duration{100});
  s.fail("charge", "http.503", "POST http://shop/payments: 503 Service Unavailable");
  for (int i = 0; i < 40; ++i) {
    s.advance(Duration{100});
    if (i % 13 == 12) {
      s.fail(fmt::format("mails[{}]", i), "exit.3", "exited with 3");
    } else {
      s.succeed(fmt::format("mails[{}]", i));
    }
    if (i % 5 == 0) stage.frame(Duration{0});
  }
}

}  // namespace

TEST_CASE("text is measured and cut in columns of the terminal", "[live]") {
  CHECK(cli::columns_of("abc") == 3);
  CHECK(cli::columns_of("日本") == 4);
  CHECK(cli::columns_of("e\xcc\x81") == 1);
  CHECK(cli::columns_of("\xff") == 1);
  CHECK(cli::cut_to_columns("日本語", 6, "…") == "日本語");
  CHECK(cli::cut_to_columns("日本語", 5, "…") == "日本…");
  CHECK(cli::cut_to_columns("日本語", 4, "…") == "日…");
  CHECK(cli::cut_to_columns("abc", 0, "…") == "");
  CHECK(cli::padded_to_columns("日", 4) == "日  ");
}

TEST_CASE("the live view of a run, by the size of the terminal", "[live][golden]") {
  const auto [name, columns, rows] = GENERATE(table<const char*, std::size_t, std::size_t>(
      {{"80x24", 80, 24}, {"200x50", 200, 50}, {"40x12", 40, 12}, {"20x5", 20, 5}}));
  Stage stage(kOrder, columns, rows);
  play_order(stage);
  check_golden(fmt::format("live/running-{}.txt", name), stage.frame());
  for (int i = 40; i < 60; ++i) stage.scenario.succeed(fmt::format("mails[{}]", i));
  stage.scenario.advance(Duration{2000});
  stage.scenario.succeed("charge", R"({"status":201,"headers":{},"body":1,"url":"u","attempt":2,"duration_ms":1})");
  check_golden(fmt::format("live/waiting-{}.txt", name), stage.frame());
  stage.scenario.signal("approve", "{}", "gate");
  stage.scenario.fail("ship", "exit.1", "exited with 1");
  stage.scenario.advance(Duration{60000});
  check_golden(fmt::format("live/failed-{}.txt", name), stage.end());
}

TEST_CASE("the live view where there are no other characters than those of ASCII", "[live][golden]") {
  Stage stage(kOrder, 80, 24, {false, false});
  play_order(stage);
  const std::string shown = stage.frame();
  for (const char c : shown) CHECK(static_cast<unsigned char>(c) < 0x80);
  check_golden("live/ascii-80x24.txt", shown);
}

TEST_CASE("a resumed run goes on counting where it was", "[live][golden]") {
  Stage stage(kOrder, 80, 24);
  play_order(stage);
  Stage second(kOrder, 80, 24);
  play_order(second);
  second.scenario.crash_and_resume();
  // What the drive before has told is counted; rows are made of what comes.
  Stage fresh(kOrder, 80, 24);
  play_order(fresh);
  fresh.scenario.crash_and_resume();
  CHECK(fresh.frame().find("39 of 60") == std::string::npos);
  check_golden("live/resumed-80x24.txt", fresh.frame());
}

TEST_CASE("no line of the live view is wider than the terminal, whatever its width", "[live]") {
  for (std::size_t columns = 1; columns < 130; ++columns) {
    for (const bool utf8 : {true, false}) {
      for (const char* right : {"", "1.0s"}) {
        for (const std::optional<double> share : {std::optional<double>{}, std::optional<double>{0.4}}) {
          const cli::LiveRow row{cli::LiveRow::Mark::Runs, "日本/step[語語語語語語語語]", "does 語 this\tand that",
                                 right, share};
          const cli::ScreenLine line = line_of(row, cli::name_columns(20, columns), columns, 3, {utf8, false});
          CAPTURE(columns, utf8, line.text);
          CHECK(line.columns <= std::max<std::size_t>(columns, 2) - 1);
          CHECK(cli::columns_of(line.text) == line.columns);
        }
      }
    }
  }
}

TEST_CASE("what a step says moves no cursor and sets no title", "[live]") {
  Stage stage("flowrun: 1\nsteps:\n  a: { exec: [\"\\e]0;x\\a\\e[2J\"] }\n  b: { exec: [x] }\n", 80, 24);
  stage.frame();
  stage.scenario.fail("b", "exit.1", "\x1b[2J\x1b]0;x\x07 \xc2\x9b\xe2\x80\xae");
  stage.frame();
  CHECK(stage.screen.text().find("exit.1") != std::string::npos);
}

TEST_CASE("a failed attempt that is tried again is no failure", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  many:
    for_each: [a, b]
    join: best_effort
    do: { exec: [x], retry: { attempts: 2, delay: 1s } }
)",
              80, 24);
  stage.scenario.fail("many[a]");
  CHECK(stage.frame().find("✗") == std::string::npos);
  CHECK(stage.screen.text().find("0 of 2") != std::string::npos);
  stage.scenario.advance(Duration{2000});
  stage.scenario.fail("many[a]");
  CHECK(stage.frame().find("0 of 2") == std::string::npos);
  CHECK(stage.screen.text().find("1 of 2  1 failed") != std::string::npos);
  CHECK(stage.screen.text().find("✗ many[a]") != std::string::npos);
}

TEST_CASE("items of several steps are over when their steps are", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  many:
    for_each: [a, b, c]
    key: ${ $item }
    join: best_effort
    do:
      one: { exec: [x], retry: { attempts: 2, delay: 1s } }
      two: { exec: [x], needs: one }
      three: { exec: [x], if: '${ $item == "c" }' }
)",
              80, 24);
  Scenario& s = stage.scenario;
  const auto shows = [&](const char* text) {
    stage.frame();
    CAPTURE(stage.screen.text());
    CHECK(stage.screen.text().find(text) != std::string::npos);
  };
  shows("0 of 3");
  s.succeed("many[a]/one");
  s.fail("many[b]/one");
  shows("0 of 3");
  s.succeed("many[a]/two");
  shows("1 of 3");
  s.advance(Duration{1500});
  s.fail("many[b]/one");
  shows("2 of 3  1 failed");
  s.succeed("many[c]/one");
  s.succeed("many[c]/two");
  shows("2 of 3  1 failed");
  s.succeed("many[c]/three");
  CHECK(stage.end().find("✓ many      3 of 3  1 failed") != std::string::npos);
}

TEST_CASE("who waits for a person in an item is shown with the command that answers it", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  many:
    for_each: [a, b, c, d, e]
    key: ${ $item }
    do: [ { id: gate, wait: approve } ]
)",
              80, 24);
  CHECK(stage.frame().find("flowrun approve demo-1 approve --step 'many[a]/gate'") != std::string::npos);
  CHECK(stage.screen.text().find("many[d]") == std::string::npos);
  CHECK(stage.screen.text().find("and 2 items more that wait") != std::string::npos);
  stage.scenario.signal("approve", "{}", "many[a]/gate");
  CHECK(stage.frame().find("many[d]/gate") != std::string::npos);
  CHECK(stage.screen.text().find("1 of 5") != std::string::npos);
}

TEST_CASE("what a server says of itself is not taken for what an entry says", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  many:
    for_each: [a, b]
    key: ${ $item }
    join: best_effort
    do: { http: "http://shop/${ $item }", retry: { attempts: 1 } }
)",
              80, 24);
  Result result;
  result.failure = Failure{"http.500", "no"};
  result.failure->detail = Value(Json::parse(
      R"({"http":{"status":500,"headers":{},"body":{"next":"u","again":true,"ok":true,"state":"succeeded"}}})"));
  stage.scenario.end("many[a]", result);
  stage.frame();
  CHECK(stage.screen.text().find("1 of 2  1 failed") != std::string::npos);
  CHECK(stage.screen.text().find("✗ many[a]") != std::string::npos);
}

TEST_CASE("a step that polls has not failed while it does", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  job: { http: "http://shop/job", poll: { until: "${ .body.done }", every: 1s } }
)",
              80, 24);
  const auto answer = [&](const char* done) {
    stage.scenario.succeed("job", fmt::format(R"({{"status":200,"headers":{{}},"url":"u","attempt":1,"duration_ms":1,)"
                                              R"("body":{{"done":{}}}}})",
                                              done));
    stage.frame();
    CHECK(stage.screen.text().find("failed") == std::string::npos);
  };
  answer("false");
  stage.scenario.advance(Duration{1000});
  answer("false");
  stage.scenario.advance(Duration{1000});
  answer("true");
  CHECK(stage.screen.text().find("1 ok") != std::string::npos);
}

TEST_CASE("messages come above the live view and stay", "[live]") {
  Stage stage("flowrun: 1\nsteps:\n  a: { exec: [x] }\n", 60, 10);
  stage.frame();
  stage.live().note("stopping: 1 step running may finish within 5s; once more stops now");
  const std::string shown = stage.frame();
  CHECK(shown.find("stopping: 1 step") < shown.find("⠹ a"));
}

TEST_CASE("the live view of the real program", "[live]") {
  TempDir dir;
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  many:
    for_each: ${ [range(30)] }
    concurrency: 4
    join: best_effort
    do: { shell: "sleep 0.05; [ $X != 7 ] || { echo no such thing >&2; exit 1; }", env: { X: "${ $item }" } }
  hold: { shell: "while ! [ -e go ]; do sleep 0.05; done" }
)");
  const std::vector<std::string> argv = {FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", dir.path("j.db")};

  SECTION("shows what runs, keeps failures, and leaves nothing behind at the end") {
    Watched run(argv, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"});
    CHECK(run.shows("⠋ hold"));
    CHECK(run.shows("✓ many"));
    dir.write("go", "");
    CHECK(run.finish() == 0);
    CHECK(run.screen.strange() == "");
    CHECK(run.all().find("✗ many[7]   exit.1: exited with 1") != std::string::npos);
    CHECK(run.all().find("no such thing") != std::string::npos);
    CHECK(run.all().find("⠋") == std::string::npos);
    CHECK(run.all().find("30 of 30  1 failed") != std::string::npos);
  }
  SECTION("is stopped by Ctrl-Z and goes on below") {
    // Below a shell with job control: the stop is not for a group without one.
    std::vector<std::string> shell = {
        "/bin/sh", "-c", "set -m; \"$@\" & echo $! >pid; while kill -0 $! 2>/dev/null; do sleep 0.05; done", "sh"};
    shell.insert(shell.end(), argv.begin(), argv.end());
    Watched run(shell, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"}, dir.path(""));
    CHECK(run.shows("⠋ hold"));
    const pid_t pid = std::stoi(dir.read("pid"));
    const auto state = [&] {
      std::ifstream stat(fmt::format("/proc/{}/stat", pid));
      std::string word;
      for (int i = 0; i < 3; ++i) stat >> word;
      return word;
    };
    kill(pid, SIGTSTP);
    CHECK(run.until([&] { return state() == "T"; }));
    run.until([&] { return run.screen.text().find("hold") == std::string::npos; });
    CHECK(run.screen.text().find("hold") == std::string::npos);
    kill(pid, SIGCONT);
    CHECK(run.shows("hold"));
    dir.write("go", "");
    CHECK(run.finish() == 0);
  }
  SECTION("bears a terminal that is resized all the time") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    Watched run(argv, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"});
    CHECK(run.shows("hold"));
    for (int i = 0; i < 40; ++i) {
      run.resize(1 + random() % 200, 1 + random() % 60);
      // The first frame after a change of the width is left out; some are drawn, others are in the middle of a change.
      const std::size_t before = run.bytes();
      CHECK(run.until([&] { return run.bytes() > before; }));
    }
    dir.write("go", "");
    CHECK(run.finish() == 0);
    CHECK(run.screen.strange() == "");
  }
  SECTION("is plain where the terminal moves no cursor, and without colour where none is wanted") {
    dir.write("go", "");
    Watched dumb(argv, 80, 24, {"TERM=dumb"});
    CHECK(dumb.finish() == 0);
    CHECK(dumb.all().find("ok        run") != std::string::npos);
    const Ran piped = run({FLOWRUN_BINARY, "run", file, "--progress", "tty", "--journal", dir.path("j2.db")});
    CHECK(piped.code == 2);
    CHECK(piped.err.find("--progress tty") != std::string::npos);
  }
}

TEST_CASE("watch shows a run of another process and ends as it does", "[live]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
input: { fails: false }
steps:
  first: { exec: ["true"] }
  gate: { wait: approve, needs: first }
  last: { shell: "[ $F != true ]", env: { F: "${ $input.fails }" }, needs: gate }
)");
  const std::string fails = GENERATE("true", "false");
  CAPTURE(fails);
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "-i", "fails=" + fails, "--journal", journal});
  while (driver.err().find("waits     gate") == std::string::npos && driver.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Watched watch({FLOWRUN_BINARY, "watch", "--journal", journal}, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"});
  CHECK(watch.shows("✓ first"));
  CHECK(watch.shows("flowrun approve r approve"));
  CHECK(watch.shows("last      waits for gate"));
  CHECK(flowrun(journal, {"approve", "r"}).code == 0);
  CHECK(watch.finish() == (fails == "true" ? 1 : 0));
  CHECK(driver.wait().code == (fails == "true" ? 1 : 0));
  CHECK(watch.screen.strange() == "");
  CHECK(watch.all().find(fails == "true" ? "✗ r  failed" : "✓ r  succeeded") != std::string::npos);
  // Looked at later it is the same, also as lines.
  const Ran later = flowrun(journal, {"watch", "r"});
  CHECK(later.code == (fails == "true" ? 1 : 0));
  CHECK(later.err.find("ok        first") != std::string::npos);
  CHECK(later.out == "");
}

TEST_CASE("watch of a run that nobody drives says how it goes on", "[live]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps: { hold: { shell: sleep 60 } }\n");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "--journal", journal});
  while (driver.err().find("start     hold") == std::string::npos && driver.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Watched watch({FLOWRUN_BINARY, "watch", "r", "--journal", journal}, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"});
  CHECK(watch.shows("hold"));
  driver.signal(SIGKILL);
  CHECK(watch.finish() == 4);
  CHECK(watch.all().find("cut off: nobody drives run r; flowrun resume r") != std::string::npos);
}

TEST_CASE("watch ends when nobody reads it any more", "[live]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  many: { for_each: "${ [range(1000)] }", concurrency: 1, do: { shell: sleep 0.05 } }
)");
  Background driver({FLOWRUN_BINARY, "run", file, "--id", "r", "-v", "--journal", journal});
  while (driver.err().find("start     many[") == std::string::npos && driver.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Background watch({"/bin/bash", "-c", "{ \"$0\" watch r -v --journal \"$1\"; echo $? >\"$2\"; } 2>&1 | head -n 2",
                    FLOWRUN_BINARY, journal, dir.path("code")});
  CHECK(watch.wait().code == 0);
  CHECK(dir.read("code") == "74\n");
  CHECK(driver.running());
}

TEST_CASE("watch of a run that is over tells it in the order in which it happened", "[live]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
steps:
  first: { exec: ["true"] }
  many: { for_each: "${ [range(60)] }", key: "${ $item }", needs: first, join: best_effort, do: { shell: "[ $FLOWRUN_ITEM != 3 ]" } }
  last: { exec: ["true"], needs: many }
)");
  REQUIRE(flowrun(journal, {"run", file, "--id", "r"}).code == 0);
  const std::string lines = flowrun(journal, {"watch", "r"}).err;
  CAPTURE(lines);
  Watched watch({FLOWRUN_BINARY, "watch", "r", "--journal", journal}, 80, 24, {"TERM=xterm", "LANG=C.UTF-8"});
  CHECK(watch.finish() == 0);
  CAPTURE(watch.all());
  for (const auto& [text, marks] :
       {std::pair(lines, std::array{"ok        first", "failed    many[3]", "for_each  60 of 60", "ok        last"}),
        {watch.all(), {"✓ first", "✗ many[3]", "✓ many", "✓ last"}}}) {
    std::size_t at = 0;
    for (const char* mark : marks) {
      CAPTURE(mark);
      const std::size_t found = text.find(mark);
      CHECK(found != std::string::npos);
      CHECK(found > at);
      at = found;
    }
  }
}

TEST_CASE("an item in which what failed was tolerated has not failed", "[live]") {
  Stage stage(R"(flowrun: 1
steps:
  many:
    for_each: [a, b]
    key: ${ $item }
    join: best_effort
    do:
      one: { exec: [x], continue_on_error: true }
      two: { exec: [x] }
)",
              80, 24);
  Scenario& s = stage.scenario;
  s.fail("many[a]/one");
  s.succeed("many[a]/two");
  stage.frame();
  CHECK(stage.screen.text().find("1 of 2 ") != std::string::npos);
  CHECK(stage.screen.text().find("1 of 2  1 failed") == std::string::npos);
  s.succeed("many[b]/one");
  s.fail("many[b]/two");
  CHECK(stage.end().find("2 of 2  1 failed") != std::string::npos);
}

}  // namespace flowrun::test::live_test
