#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::lookup_test {
using namespace flowrun::scratch;

namespace {

struct Runs {
  Runs() : journal(folder / "journal.db", Journal::Mode::Create) {
    add("order-20261123-084512-x7k2", RunState::Succeeded);
    add("order-20261123-090000-b3b3", RunState::Failed);
    add("order-20261124-100000-m9m9", RunState::Running);
    add("nightly-20261124-110000-q1q1", RunState::Running);
    add("ci-17", RunState::Succeeded);
    add("ci-1", RunState::Succeeded);
  }
  void add(const std::string& id, RunState state) {
    RunRecord run = record(id, state);
    REQUIRE(journal.create(run, ""));
  }
  std::string found(const std::string& run) { return journal.find(run).id; }
  std::string not_found(const std::string& run) {
    return refusal(Problem::Impossible, [&] { journal.find(run); });
  }

  Folder folder;
  Journal journal;
};

}  // namespace

TEST_CASE("a run is found by its id, the beginning of it or its last part") {
  Runs runs;
  REQUIRE(runs.found("order-20261123-084512-x7k2") == "order-20261123-084512-x7k2");
  REQUIRE(runs.found("night") == "nightly-20261124-110000-q1q1");
  REQUIRE(runs.found("order-20261124") == "order-20261124-100000-m9m9");
  REQUIRE(runs.found("x7k2") == "order-20261123-084512-x7k2");
  REQUIRE(runs.found("17") == "ci-17");
  REQUIRE(runs.found("ci-1") == "ci-1");
  REQUIRE(runs.journal.find_exact("ci-1").has_value());
  REQUIRE_FALSE(runs.journal.find_exact("ci-").has_value());
}

TEST_CASE("a run is found by what it was") {
  Runs runs;
  REQUIRE(runs.found("@last") == "ci-1");
  REQUIRE(runs.found("@last-failed") == "order-20261123-090000-b3b3");
  REQUIRE(runs.found("@last:order") == "order-20261124-100000-m9m9");
  REQUIRE(contains(runs.not_found("@last:nobody"), "no run is @last:nobody"));
  REQUIRE(contains(runs.not_found("@first"), "there are @last, @last-failed and @last:NAME"));
}

TEST_CASE("what could be several runs is answered with them, newest first") {
  Runs runs;
  REQUIRE(runs.not_found("order") ==
          "'order' could be any of 3 runs:\n  order-20261124-100000-m9m9\n  order-20261123-090000-b3b3\n"
          "  order-20261123-084512-x7k2");
  runs.add("x7k2-1", RunState::Running);
  REQUIRE(contains(runs.not_found("x7k2"), "any of 2 runs"));
  for (int i = 0; i < 12; ++i) runs.add("many-" + std::to_string(i), RunState::Running);
  const std::string message = runs.not_found("many");
  REQUIRE(contains(message, "any of 12 runs"));
  REQUIRE(contains(message, "  many-2\n"));
  REQUIRE_FALSE(contains(message, "  many-1\n"));
  REQUIRE(contains(message, "and 2 more"));
}

TEST_CASE("nothing but the characters themselves is a pattern") {
  Runs runs;
  for (const char* run : {"", "%", "ci_1", "*", "order-%", "k2", "ORDER", "-x7k2", "084512-x7k2"}) {
    INFO(run);
    REQUIRE(contains(runs.not_found(run), "`flowrun list --journal "));
  }
}

TEST_CASE("an empty journal says how to begin") {
  Folder folder;
  const Journal journal(folder / "journal.db", Journal::Mode::Create);
  REQUIRE(contains(refusal(Problem::Impossible, [&] { journal.find("@last"); }), "flowrun run FILE"));
  REQUIRE(journal.list({}).empty());
}

TEST_CASE("runs are listed newest first, by state and by name") {
  Runs runs;
  const auto ids = [&](const Journal::Filter& filter) {
    std::vector<std::string> found;
    for (const RunRecord& run : runs.journal.list(filter)) found.push_back(run.id);
    return found;
  };
  REQUIRE(ids({}).size() == 6);
  REQUIRE(ids({}).front() == "ci-1");
  REQUIRE(ids({{}, "", 2}) == std::vector<std::string>{"ci-1", "ci-17"});
  REQUIRE(ids({RunState::Failed, "", 20}) == std::vector<std::string>{"order-20261123-090000-b3b3"});
  REQUIRE(ids({RunState::Running, "order", 20}) == std::vector<std::string>{"order-20261124-100000-m9m9"});
}

}  // namespace flowrun::test::lookup_test
