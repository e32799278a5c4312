// cancel and undo of real runs: driven by another process, by nobody, and after a kill in the middle of an undo.
#include <signal.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::cancel_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A run that books, then works for a long time; what happens is written to a file, a line each.
class Trip {
 public:
  explicit Trip(const std::string& undo = "echo undo-$WHAT >>\"$LOG\"") {
    workflow_ = dir_.write("w.yaml", R"(flowrun: 1
env: { LOG: )" + log() + R"( }
steps:
  - { id: book, shell: 'echo book >>"$LOG"', undo_on: succeeded, undo: { shell: ')" +
                                         undo + R"(', env: { WHAT: "${ $steps.book | tojson }" } } }
  - { id: work, exec: [sleep, "60"] }
finally: { shell: 'echo finally-${STATE} >>"$LOG"', env: { STATE: "${ $run.state }" } }
)");
  }
  std::string log() const { return dir_.path("log"); }
  std::string logged() const {
    std::ifstream in(log());
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::vector<std::string> command(std::vector<std::string> args) const {
    args.insert(args.begin(), FLOWRUN_BINARY);
    args.insert(args.end(), {"--journal", dir_.path("journal.db")});
    return args;
  }
  Ran operator()(std::vector<std::string> args) const { return flowrun(dir_.path("journal.db"), std::move(args)); }
  const std::string& workflow() const { return workflow_; }
  void wait_for(const std::string& line) const {
    for (int i = 0; i < 4000 && !has(logged(), line); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(has(logged(), line));
  }
  /// Until the long step is in flight.
  void wait_for_work(const Background& run) const {
    for (int i = 0; i < 4000 && !has(run.err(), "work"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(has(run.err(), "work"));
  }

 private:
  TempDir dir_;
  std::string workflow_;
};

}  // namespace

TEST_CASE("cancel ends a run that another process drives, and waits for its end") {
  Trip trip;
  Background run(trip.command({"run", trip.workflow(), "--id", "r"}));
  trip.wait_for_work(run);
  Ran cancelled = trip({"cancel", "r"});
  INFO(cancelled.err);
  CHECK(cancelled.code == 0);
  Ran ended = run.wait();
  INFO(ended.err);
  CHECK(ended.code == 1);
  CHECK(has(ended.err, "the run was cancelled by"));
  CHECK(trip.logged() == "book\nfinally-cancelled\n");
  CHECK(trip({"cancel", "r"}).code == 8);
  // What was left is undone on demand, once.
  Ran undone = trip({"undo", "r"});
  INFO(undone.err);
  CHECK(undone.code == 0);
  CHECK(trip.logged() == "book\nfinally-cancelled\nundo-\"\"\n");
  Ran again = trip({"undo", "r"});
  CHECK(again.code == 0);
  CHECK(has(again.err, "nothing to undo"));
  CHECK(has(trip({"show", "r"}).out, "undone"));
  CHECK(trip({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("cancel --undo of a run that nobody drives begins nothing of it again") {
  Trip trip;
  Background run(trip.command({"run", trip.workflow(), "--id", "r"}));
  trip.wait_for_work(run);
  run.signal(SIGKILL);
  run.wait();
  CHECK(trip({"undo", "r"}).code == 8);
  Ran cancelled = trip({"cancel", "r", "--undo"});
  INFO(cancelled.err);
  CHECK(cancelled.code == 0);
  CHECK(trip.logged() == "book\nundo-\"\"\nfinally-cancelled\n");
  CHECK(trip({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("cancel --now runs nothing more") {
  Trip trip;
  Background run(trip.command({"run", trip.workflow(), "--id", "r"}));
  trip.wait_for_work(run);
  CHECK(trip({"cancel", "r", "--now"}).code == 0);
  CHECK(run.wait().code == 1);
  CHECK(trip.logged() == "book\n");
}

TEST_CASE("a run that is killed in the middle of an undo goes on inside it") {
  Trip trip("echo begun-$FLOWRUN_RERUN-$FLOWRUN_IDEMPOTENCY_KEY >>\"$LOG\"; [ $FLOWRUN_RERUN = 1 ] || sleep 60");
  Background run(trip.command({"run", trip.workflow(), "--id", "r"}));
  trip.wait_for_work(run);
  Background cancel(trip.command({"cancel", "r", "--undo"}));
  trip.wait_for("begun-0");
  run.signal(SIGKILL);
  run.wait();
  // Whoever asked takes the run over when its driver is gone.
  Ran taken_over = cancel.wait();
  INFO(taken_over.err);
  CHECK(taken_over.code == 0);
  std::string log = trip.logged();
  std::string key = log.substr(log.find("begun-0-") + 8, 36);
  CHECK(log == "book\nbegun-0-" + key + "\nbegun-1-" + key + "\nfinally-cancelled\n");
  CHECK(trip({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("an undo or a cancel that is stopped by a signal says so, and resume goes on with it") {
  for (const char* how : {"undo", "cancel"}) {
    Trip trip("echo begun >>\"$LOG\"; [ $FLOWRUN_RERUN = 1 ] || sleep 60");
    Background run(trip.command({"run", trip.workflow(), "--id", "r"}));
    trip.wait_for_work(run);
    run.signal(SIGKILL);
    run.wait();
    std::vector<std::string> args{how, "r", "--grace", "100ms"};
    if (args[0] == "undo") {
      CHECK(trip({"cancel", "r"}).code == 0);
    } else {
      args.push_back("--undo");
    }
    Background undo(trip.command(args));
    trip.wait_for("begun");
    undo.signal(SIGTERM);
    Ran stopped = undo.wait();
    INFO(stopped.err);
    CHECK(stopped.code == 143);
    if (args[0] == "undo") {
      Ran again = trip({"undo", "r"});
      CHECK(again.code == 8);
      CHECK(has(again.err, "flowrun resume r --journal "));
    }
    Ran resumed = trip({"resume", "r"});
    CHECK(has(resumed.err, "step was stopped when the run was suspended"));
    CHECK(has(trip({"cancel", "r"}).err, "run r has been cancelled already"));
    CHECK(trip({"journal", "verify", "r"}).code == 0);
  }
}

}  // namespace flowrun::test::cancel_test
