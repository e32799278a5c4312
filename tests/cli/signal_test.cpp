// Signals between real processes: to a run that is driven, to one that nobody drives, and mistakes.
#include <chrono>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::signal_test {
namespace {

constexpr const char* kApproval = R"(flowrun: 1
steps:
  - id: go
    wait: approval
    prompt: Apply 3 changes?
    accept: { type: object, properties: { comment: { type: string } } }
  - { id: apply, shell: 'echo "applied"' }
output:
  comment: ${ $steps.go.comment }
)";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Approval {
 public:
  Approval() { workflow_ = dir_.write("w.yaml", kApproval); }
  std::string journal() const { return dir_.path("journal.db"); }
  std::vector<std::string> command(std::vector<std::string> args) const {
    args.insert(args.begin(), FLOWRUN_BINARY);
    args.insert(args.end(), {"--journal", journal()});
    return args;
  }
  Ran operator()(std::vector<std::string> args) const { return flowrun(journal(), std::move(args)); }
  const std::string& workflow() const { return workflow_; }
  /// Runs until nothing but the wait is left.
  void suspend() const { CHECK((*this)({"run", workflow_, "--id", "r", "--no-wait"}).code == 4); }

 private:
  TempDir dir_;
  std::string workflow_;
};

}  // namespace

TEST_CASE("a run that is driven goes on when another process approves it") {
  Approval flow;
  Background run(flow.command({"run", flow.workflow(), "--id", "r"}));
  for (int i = 0; i < 2000 && !has(run.err(), "waits"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(has(run.err(), "Apply 3 changes?"));
  CHECK(has(run.err(), "flowrun approve r approval"));
  Ran sent = flow({"approve", "r", "--data", R"({"comment":"fine"})"});
  INFO(sent.err);
  CHECK(sent.code == 0);
  Ran ended = run.wait();
  INFO(ended.err);
  CHECK(ended.code == 0);
  CHECK(ended.out == "{\"comment\":\"fine\"}\n");
  CHECK(flow({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("mail waits while nobody drives the run, and is taken in exactly once") {
  Approval flow;
  flow.suspend();
  CHECK(has(flow({"show", "r"}).out, "waiting"));
  CHECK(has(flow({"show", "r"}).out, "go waits: flowrun approve r approval"));
  Ran sent = flow({"signal", "r", "approval", "--data", R"({"comment":"later"})"});
  CHECK(sent.code == 0);
  CHECK(has(sent.err, "flowrun resume r"));
  Ran resumed = flow({"resume", "r"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "{\"comment\":\"later\"}\n");
  std::string shown = flow({"journal", "show", "r"}).out;
  CHECK(has(shown, "signal"));
  CHECK(shown.find("signal", shown.find("signal") + 6) == std::string::npos);
  CHECK(flow({"journal", "verify", "r"}).code == 0);
}

TEST_CASE("a rejection fails the run and tells why") {
  Approval flow;
  flow.suspend();
  CHECK(flow({"reject", "r", "-m", "not on a Friday"}).code == 0);
  Ran resumed = flow({"resume", "r"});
  CHECK(resumed.code == 1);
  CHECK(has(resumed.err, "not on a Friday"));
}

TEST_CASE("what can not be meant is refused, and nothing is sent") {
  Approval flow;
  CHECK(flow({"approve", "r"}).code == 8);  // no journal yet
  flow.suspend();
  auto refuses = [&](std::vector<std::string> args, int code, const std::string& message) {
    Ran ran = flow(std::move(args));
    INFO(ran.err);
    CHECK(ran.code == code);
    CHECK(has(ran.err, message));
  };
  refuses({"signal", "r", "aproval"}, 8, "did you mean `approval`?");
  refuses({"signal", "nobody", "approval"}, 8, "nobody");
  refuses({"approve", "r", "--data", "{comment: x}"}, 2, "no JSON");
  refuses({"approve", "r", "--data", R"({"comment":7})"}, 3, "does not accept");
  refuses({"approve", "r"}, 3, "does not accept");
  refuses({"approve", "r", "--step", "other", "--data", "{}"}, 8, "go  waits for approval");
  refuses({"reject", "r"}, 2, "--message is missing");
  CHECK(flow({"resume", "r", "--no-wait"}).code == 4);
  CHECK(flow({"signal", "r", "approval", "--data", "{}"}).code == 0);
  CHECK(flow({"resume", "r"}).code == 0);
  refuses({"approve", "r"}, 8, "has succeeded already");
}

TEST_CASE("an answer that was given in time counts, also when the run is resumed after the date") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow =
      dir.write("w.yaml", "flowrun: 1\nsteps: { w: { wait: go, timeout: 2s } }\noutput: ${ $steps.w }\n");
  auto suspended = [&](const char* id) {
    CHECK(flowrun(journal, {"run", workflow, "--id", id, "--no-wait"}).code == 4);
  };
  suspended("early");
  CHECK(flowrun(journal, {"approve", "early", "--data", "1"}).code == 0);
  suspended("late");
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  Ran late = flowrun(journal, {"approve", "late", "go"});
  CHECK(late.code == 8);
  CHECK(has(late.err, "no step of run late waits for `go` any more"));
  CHECK(has(late.err, "its time is over"));
  Ran early = flowrun(journal, {"resume", "early"});
  INFO(early.err);
  CHECK(early.code == 0);
  CHECK(early.out == "1\n");
  CHECK(flowrun(journal, {"resume", "late"}).code == 1);
  CHECK(flowrun(journal, {"journal", "verify", "early"}).code == 0);
}

TEST_CASE("the wait of an item is answered as the run says, and not once it is decided") {
  TempDir dir;
  std::string journal = dir.path("journal.db");
  std::string workflow = dir.write("w.yaml", R"(flowrun: 1
steps:
  all: { for_each: [a, b], do: { wait: ok } }
  first: { race: { person: { wait: go }, clock: { sleep: 1ms } } }
)");
  Ran run = flowrun(journal, {"run", workflow, "--id", "r", "--no-wait"});
  CHECK(has(run.err, "flowrun approve r ok --step 'all[a]'"));
  CHECK(has(flowrun(journal, {"show", "r"}).out, "flowrun approve r ok --step 'all[a]'"));
  Ran lost = flowrun(journal, {"approve", "r", "go"});
  INFO(lost.err);
  CHECK(lost.code == 8);
  CHECK(has(lost.err, "any more"));
  CHECK(flowrun(journal, {"approve", "r", "ok", "--step", "all/a"}).code == 0);
  Ran resumed = flowrun(journal, {"resume", "r", "--no-wait"});
  CHECK(resumed.code == 4);
  CHECK(has(resumed.err, "flowrun approve r ok --step 'all[b]'"));
  CHECK(flowrun(journal, {"approve", "r", "ok", "--step", "all[b]"}).code == 0);
  CHECK(flowrun(journal, {"resume", "r"}).code == 0);
}

}  // namespace flowrun::test::signal_test
