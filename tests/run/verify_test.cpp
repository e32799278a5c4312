// The proof that a run is whole, as a value: what is good, and what is said of a row that its entries do not lead to.
#include "engine/run/verify.h"

#include <sqlite3.h>

#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::verify_test {
namespace {

constexpr const char* kWorkflow = R"(flowrun: 1
steps:
  - { id: one, set: { n: 1 } }
  - { id: two, shell: 'echo "$N"', env: { N: "${ $steps.one.n }" }, capture: text }
output: ${ $steps.two }
)";

/// A journal with two runs, `a` and then `b`.
class TwoRuns {
 public:
  TwoRuns() {
    const std::string workflow = dir_.write("w.yaml", kWorkflow);
    for (const char* id : {"a", "b"}) {
      const Ran ran = flowrun(path(), {"run", workflow, "--id", id});
      INFO(ran.err);
      REQUIRE(ran.code == 0);
    }
  }
  std::string path() const { return dir_.path("journal.db"); }
  void change(const std::string& sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path().c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
  }
  /// What verify_all() finds, a line a run.
  std::vector<std::string> found() const {
    const Journal journal(path(), Journal::Mode::ReadOnly);
    std::vector<std::string> lines;
    verify_all(journal, [&](const Verified& one) { lines.push_back(one.run.id + ": " + one.wrong); });
    return lines;
  }

 private:
  TempDir dir_;
};

}  // namespace

TEST_CASE("every run of a journal that nobody has touched is good") {
  const TwoRuns runs;
  CHECK(runs.found() == std::vector<std::string>{"b: ", "a: "});
  const Journal journal(runs.path(), Journal::Mode::ReadOnly);
  CHECK(verify(journal, journal.find("a")).good());
}

TEST_CASE("a row that says other than its entries is found, and the other runs are good all the same") {
  const TwoRuns runs;
  runs.change("UPDATE runs SET state = 'failed' WHERE id = 'a'");
  CHECK(runs.found() == std::vector<std::string>{"b: ", "a: the run says failed, but its entries end succeeded"});
  runs.change("UPDATE runs SET state = 'succeeded' WHERE id = 'a'");
  CHECK(runs.found() == std::vector<std::string>{"b: ", "a: "});
  runs.change("UPDATE sources SET text = text || ' '");
  CHECK_FALSE(runs.found().front() == "b: ");
}

TEST_CASE("an entry that was changed is found by its sum") {
  const TwoRuns runs;
  runs.change("UPDATE entries SET data = replace(data, 'succeeded', 'failed') WHERE run = 1");
  const std::vector<std::string> found = runs.found();
  REQUIRE(found.size() == 2);
  CHECK(found[0] == "b: ");
  CHECK(found[1] != "a: ");
}

}  // namespace flowrun::test::verify_test
