// A run that can never end is told at once, and no command hangs or crashes on it. Such runs there should not be; the
// one here is of an older program, to which an empty key was the index, so that two items had one path.
#include <chrono>

#include "engine/journal/journal.h"
#include "tests/machine/random_workflow.h"
#include "tests/support/catch.h"
#include "tests/support/driver.h"
#include "tests/support/program.h"
#include "tests/support/scenario.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::stuck_test {
namespace {

constexpr const char* kText = R"(flowrun: 1
steps:
  f:
    for_each: { "": x, "0": y }
    do: { shell: "true" }
)";

class Old : public Driver {
 public:
  using Driver::Driver;
  using Driver::happens;
};

RunStarted as_an_older_program_did(const TempDir& dir) {
  RunStarted started;
  started.semantics = 1;
  started.id = "old";
  started.name = "old";
  started.seed = "00112233445566778899aabbccddeeff";
  started.token = "t1";
  started.inputs = Value(Json::object());
  started.vars = Value(Json::object());
  started.file = dir.path("old.yaml");
  started.folder = dir.path("");
  started.run_dir = dir.path("runs/old");
  return started;
}

/// Two attempts of the same path are in flight when the program dies.
void write_journal(const TempDir& dir, const std::string& path) {
  Journal journal(path, Journal::Mode::Create);
  const std::unique_ptr<Loaded> loaded = load_text(kText);
  NoJq no_jq;
  Old old(loaded->workflow, no_jq);
  RunRecord record;
  record.id = record.name = "old";
  record.state = RunState::Running;
  record.file = dir.path("old.yaml");
  record.started_at = record.alive_at = old.now();
  record.input = Value(Json::object());
  REQUIRE(journal.create(record, kText));
  RunStarted started = as_an_older_program_did(dir);
  started.source_hash = record.source_hash;
  old.happens(std::move(started));
  for (const Entry& entry : old.log) journal.append(entry);
  journal.commit({}, old.now());
}

}  // namespace

TEST_CASE("a run that can never end is told at once, and no command crashes on it") {
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  write_journal(dir, journal);
  CHECK(flowrun(journal, {"journal", "verify", "old"}).code == 0);

  const auto began = std::chrono::steady_clock::now();
  const Ran resumed = flowrun(journal, {"resume", "old"});
  INFO(resumed.err);
  CHECK(resumed.code == 70);
  CHECK(resumed.err.find("can not end") != std::string::npos);
  CHECK(resumed.err.find("f[0]") != std::string::npos);
  CHECK(resumed.err.find("flowrun cancel old") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));

  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"show", "old"},
                                             {"show", "old", "--all", "--json"},
                                             {"journal", "show", "old"},
                                             {"list"},
                                             {"logs", "old"},
                                             {"output", "old"},
                                             {"output", "old", "--step", "f"},
                                             {"eval", "1", "--run", "old"},
                                             {"journal", "verify", "old"}}) {
    const Ran ran = flowrun(journal, command);
    INFO(command.front() << ": " << ran.code << "\n" << ran.err);
    CHECK(ran.code < 70);
  }
  const Ran cancelled = flowrun(journal, {"cancel", "old"});
  INFO(cancelled.err);
  CHECK(cancelled.code < 70);
  CHECK(flowrun(journal, {"show", "old"}).out.find("cancelled") != std::string::npos);
  CHECK(flowrun(journal, {"journal", "verify", "old"}).code == 0);
}

}  // namespace flowrun::test::stuck_test
