// The operations on runs as a front end sees them that is no terminal: what it is told, in which order, and what
// happens when it answers nothing.
#include "engine/run/control.h"

#include <string>
#include <vector>

#include "engine/run/drive_loop.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::control_test {
namespace {

/// Writes down what it is told.
struct Recorder : FrontEnd {
  std::vector<std::string> calls;
  int asked = 0;

  void file_changed(const std::string&, bool gone) override { calls.push_back(gone ? "gone" : "changed"); }
  void opens(const Loaded&, const std::string& run) override { calls.push_back("opens " + run); }
  void resumes(const RunRecord& run, const std::vector<InFlight>& cut_off) override {
    calls.push_back("resumes " + run.id + " " + std::to_string(cut_off.size()));
  }
  bool wants_earlier() const override { return true; }
  void earlier(const Entry& entry) override {
    if (entry.kind == EntryKind::RunStarted) calls.push_back("earlier");
  }
  void still_waits(const Entry& entry) override { calls.push_back("waits " + entry.path); }
  void opened(const OpeningNotes&) override { calls.push_back("notes"); }
  void entry(const Entry& entry) override {
    if (entry.kind == EntryKind::RunStarted || entry.kind == EntryKind::RunResumed) calls.push_back("entry");
  }
  void drives(Run* run) override { calls.push_back(run ? "drives" : "rests"); }
  EndAsked end_asked() override { return {asked, false, 15}; }
  void ends(const Ending& ending) override {
    if (ending.how != Ending::How::Finishes) return;
    calls.push_back("stopping " + std::to_string(ending.running));
    asked = 2;
  }
};

using Calls = std::vector<std::string>;

struct Desk {
  TempDir dir;
  Journal journal{dir.path("journal.db"), Journal::Mode::Create};

  Opened start(const std::string& steps, FrontEnd& front) {
    const std::string file = dir.write("w.yaml", "flowrun: 1\nsteps:\n" + steps);
    Diagnostics diagnostics({file, dir.read("w.yaml")});
    std::optional<Loaded> loaded = load(file, diagnostics);
    INFO(diagnostics.text());
    REQUIRE(loaded);
    StartRequest request{std::move(*loaded), {}, {}, make_jq()};
    request.inputs.inputs = request.inputs.vars = Value(Json::object());
    request.options.id = "r";
    return start_or_resume(journal, std::move(request), OnCrash::Default, front);
  }
};

}  // namespace

TEST_CASE("a front end is told what a run does, in the order that it may rely on") {
  Desk desk;
  DriveOptions options;
  options.no_wait = true;
  Recorder front;
  {
    Opened opened = desk.start("  w: { wait: go }\n", front);
    REQUIRE(opened.run);
    drive(*opened.run, options, front);
    CHECK(opened.run->machine().phase() == Machine::Phase::Suspended);
  }
  CHECK(front.calls == Calls{"opens ", "entry", "notes", "drives", "rests"});
  front.calls.clear();
  desk.dir.write("w.yaml", "flowrun: 1\n");
  send_signal(desk.journal, "r", SignalOptions{"go", "", Json(7), {}});
  Opened opened = resume(desk.journal, "r", {}, front);
  REQUIRE(opened.run);
  drive(*opened.run, options, front);
  CHECK(front.calls ==
        Calls{"changed", "opens r", "resumes r 0", "earlier", "waits w", "entry", "notes", "drives", "rests"});
  CHECK(opened.run->machine().outcome().ok());
  CHECK_FALSE(resume(desk.journal, "r", {}, front).run);
  CHECK_THROWS(find_waiting(desk.journal, "r"));
}

TEST_CASE("a front end that asks for an end gets it, at once when it asks again, and one that says nothing drives on") {
  Desk desk;
  Recorder front;
  {
    Opened opened = desk.start("  s: { shell: sleep 30, on_crash: ask }\n", front);
    opened.run->turn(Duration{50});
    front.asked = 1;
    drive(*opened.run, {}, front);
    CHECK(opened.run->machine().phase() == Machine::Phase::Suspended);
    CHECK(std::count(front.calls.begin(), front.calls.end(), "stopping 1") == 1);
  }
  // Who can not be asked is no reason to run it again.
  FrontEnd silent;
  try {
    resume(desk.journal, "r", {}, silent);
    FAIL("nobody was asked");
  } catch (const Error& error) {
    CHECK(error.problem() == Problem::NeedsDecision);
  }
  ResumeOptions told;
  told.marks.push_back({"s", true, false, Value(Json(1))});
  Opened opened = resume(desk.journal, "r", told, silent);
  drive(*opened.run, {}, silent);
  CHECK(opened.run->machine().outcome().ok());
}

}  // namespace flowrun::test::control_test
