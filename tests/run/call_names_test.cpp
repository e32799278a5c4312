// By which names a server knows the attempts of a run.
#include <set>

#include "engine/run/elsewhere.h"
#include "tests/support/catch.h"

namespace flowrun::test::call_names_test {
namespace {

struct Journaled {
  CallNames names;
  std::int64_t seq = 0;

  void add(Entry entry) {
    entry.seq = ++seq;
    names.see(entry);
  }
  void fact(Fact fact) { add(to_entry(Event{{}, std::move(fact)})); }
  std::string start(const std::string& path, int attempt = 1) {
    Task task;
    task.path = path;
    task.attempt = attempt;
    *task.work = Process{};
    add(to_entry(Decision{StartTask{task}, {}}, {}));
    return of(path);
  }
  void end(const std::string& path, int attempt = 1) { fact(TaskEnded{path, attempt, {}}); }
  std::string of(const std::string& path) const { return names.of("seed", path); }
};

RunStarted started_on(const std::string& on) {
  RunStarted started;
  started.on = on;
  return started;
}

}  // namespace

TEST_CASE("no two attempts have one name, but one that goes on after a crash keeps its own", "[restate]") {
  Journaled run;
  run.fact(started_on("restate=http://h"));
  std::set<std::string> all;
  const auto fresh = [&](const std::string& name) {
    INFO(name);
    CHECK(!name.empty());
    CHECK(all.insert(name).second);
    return name;
  };
  const std::string first = fresh(run.start("a[\xc3\xa4 b]/c"));
  for (const char c : first) CHECK((c > 0x20 && c < 0x7f));
  run.end("a[\xc3\xa4 b]/c");
  CHECK(run.of("a[\xc3\xa4 b]/c").empty());
  fresh(run.start("a[\xc3\xa4 b]/c", 2));
  // The same path, attempt and rerun again: a group that is tried again begins anew.
  run.end("a[\xc3\xa4 b]/c", 2);
  fresh(run.start("a[\xc3\xa4 b]/c", 1));

  const std::string goes_on = fresh(run.start("goes_on"));
  fresh(run.start("lost"));
  const std::string unbegun = fresh(run.start("unbegun"));
  fresh(run.start("interrupted"));
  run.fact(TaskInterrupted{"interrupted", 1});
  fresh(run.start("withdrawn"));
  run.fact(TaskWithdrawn{"withdrawn", 1});
  for (int crash = 0; crash < 3; ++crash) {
    RunResumed resumed;
    resumed.queued = {"goes_on"};
    if (crash == 0) resumed.unbegun = {"unbegun"};
    run.fact(resumed);
    CHECK(run.of("goes_on") == goes_on);
    CHECK(run.of("lost").empty());
    if (crash != 1) CHECK(run.start("goes_on") == goes_on);  // the second crash came before it was begun again
    if (crash == 0) CHECK(run.of("unbegun") == unbegun);
    fresh(run.start("lost"));
    fresh(run.start("interrupted"));
    fresh(run.start("withdrawn"));
    run.end("interrupted");
    run.end("withdrawn");
  }
  run.end("goes_on");
  fresh(run.start("goes_on"));
}

TEST_CASE("attempts of this machine have no name", "[restate]") {
  Journaled run;
  run.fact(started_on(""));
  CHECK(run.start("a").empty());
  run.end("a");
  RunResumed resumed;
  resumed.on = "restate=http://h";
  run.fact(resumed);
  CHECK_FALSE(run.start("a").empty());
  run.end("a");
  RunReopened reopened;
  reopened.on = "here";
  run.fact(reopened);
  CHECK(run.start("a").empty());
}

}  // namespace flowrun::test::call_names_test
