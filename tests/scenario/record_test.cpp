// A real run becomes a scenario, and what is played of it is what it was: the same output, the same order. The real
// binary against the sample shop, then the engine over its journal.
#include "engine/scenario/record.h"

#include <fstream>
#include <iterator>

#include "engine/jq/jq.h"
#include "engine/model/entry_reading.h"
#include "engine/run/replay.h"
#include "engine/scenario/play.h"
#include "engine/scenario/scenario_reader.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::record_test {
namespace {

/// Paths at which something ended, in order.
std::vector<std::string> ends_of(const std::vector<Entry>& entries) {
  std::vector<std::string> paths;
  for (const Entry& entry : entries)
    if (entry.kind == EntryKind::TaskEnded || entry.kind == EntryKind::StepSettled) paths.push_back(entry.path);
  return paths;
}

class Desk {
 public:
  Ran run(std::vector<std::string> args, const HowToRun& how = {}) const {
    args.insert(args.begin(), "run");
    return flowrun(journal(), args, how);
  }
  std::string journal() const { return dir.path("journal.db"); }

  /// Run |id| is recorded, and played: the same comes of it. Returns the scenario.
  std::string check(const std::string& id) const {
    INFO(id);
    const Journal open(journal(), Journal::Mode::ReadOnly);
    const RunRecord run = open.find(id);
    const std::string file = dir.path(id + ".test.yaml");
    const RecordedScenario recorded = record(open, run, file);
    INFO(recorded.text);
    CHECK(recorded.notes == std::vector<std::string>{});
    Diagnostics mistakes({file, recorded.text});
    const auto scenarios = read_scenarios(file, mistakes);
    INFO(mistakes.text());
    REQUIRE(scenarios);
    const Loaded loaded = own_copy(open, run);
    const std::unique_ptr<Jq> jq = make_jq(loaded.programs);
    const PlayedScenario played = play(scenarios->scenarios.front(), loaded,
                                       WorkflowPlaces(loaded.workflow, scenarios->workflow), *jq, mistakes.source());
    INFO(played.findings.text());
    CHECK(played.good());
    std::vector<Entry> all;
    for (const Entry& entry : entries(open, run)) all.push_back(entry);
    CHECK(ends_of(played.entries) == ends_of(all));
    CHECK(as<RunEnded>(played.entries.back()).outcome.output == run.output);
    return recorded.text;
  }

  TempDir dir;
};

}  // namespace

TEST_CASE("runs of the sample workflows are recorded, and played to the same output and order", "[scenario]") {
  const Shop shop;
  const Desk desk;
  for (const char* name :
       {"order", "hello", "poll", "paginate", "race", "hedge", "best_effort", "checkout", "limits", "retry", "saga",
        "errors", "for_each", "pipeline", "quorum", "sequence", "secrets", "switch"}) {
    const std::string file = std::string(FLOWRUN_SOURCE_DIR) + "/workflows/" + name + ".yaml";
    std::vector<std::string> args{file, "--id", name};
    std::ifstream in(file);
    const std::string workflow(std::istreambuf_iterator<char>(in), {});
    if (workflow.find("\n  api:") != std::string::npos) args.insert(args.end(), {"-i", "api=" + shop.url()});
    const Ran ran = desk.run(args);
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    const std::string text = desk.check(name);
    CHECK(text.find("not-a-real-token") == std::string::npos);
  }
}

TEST_CASE("a run that failed is recorded with its tries, signals and items", "[scenario]") {
  const Desk desk;
  const std::string file = desk.dir.write("w.yaml", R"(flowrun: 1
input: { limit: 3 }
steps:
  each:
    for_each: stdin
    do: { shell: "test $FLOWRUN_ITEM -lt $LIMIT", env: { LIMIT: "${ $input.limit }" }, retry: { attempts: 2, delay: 20ms, on: [exit] } }
    join: { tolerate: 50% }
  slow: { exec: [sleep, "5"], timeout: 100ms, fallback: { exec: [echo, quick] } }
  last: { shell: "echo no >&2; exit 7", after: [each, slow] }
output: ${ $steps.slow }
)");
  HowToRun how;
  how.stdin_text = "1\n2\n3\n";
  CHECK(desk.run({file, "--id", "r", "-i", "limit=3"}, how).code == 1);
  const std::string text = desk.check("r");
  CHECK(text.find("error: timeout, message: \"timed out after 100ms\"") != std::string::npos);
  CHECK(text.find("{ exit: 7, stderr: \"no\"") != std::string::npos);
  CHECK(text.find("stdin: [\"1\",\"2\",\"3\"]") != std::string::npos);
}

TEST_CASE("what differs each time is expected to be anything, and told", "[scenario]") {
  const Desk desk;
  const std::string file = desk.dir.write("w.yaml", R"(flowrun: 1
steps:
  a: { exec: [echo, "${ $run.dir }"], output: "${ { ms: .duration_ms, said: .stdout } }" }
output: { dir: "${ $run.dir }", a: "${ $steps.a.said | length > 3 }", text: "costs $${ 5 }", id: "${ $uuid }" }
)");
  REQUIRE(desk.run({file, "--id", "r"}).code == 0);
  const Journal open(desk.journal(), Journal::Mode::ReadOnly);
  const RecordedScenario recorded = record(open, open.find("r"), desk.dir.path("r.test.yaml"));
  INFO(recorded.text);
  REQUIRE(recorded.notes.size() == 1);
  CHECK(recorded.notes.front() == "what differs each time is `${ true }` in the expected output");
  CHECK(recorded.text.find("\"dir\":\"${ true }\"") != std::string::npos);
  CHECK(recorded.text.find("\"text\":\"costs $${ 5 }\"") != std::string::npos);
  CHECK(recorded.text.find("\"id\":\"${ true }\"") == std::string::npos);
}

TEST_CASE("flowrun record writes a file that flowrun test plays, and writes over none", "[scenario]") {
  const Desk desk;
  const std::string file =
      desk.dir.write("w.yaml", "flowrun: 1\nsteps: { a: { exec: [echo, hi] } }\noutput: ${ $steps.a }\n");
  REQUIRE(desk.run({file, "--id", "r"}).code == 0);
  const std::string to = desk.dir.path("r.test.yaml");
  const Ran first = flowrun(desk.journal(), {"record", "r", "-o", to});
  CHECK(first.code == 0);
  CHECK(first.out.empty());
  CHECK(first.err.find("wrote " + to) != std::string::npos);
  CHECK(flowrun(desk.journal(), {"test", to}).code == 0);
  CHECK(flowrun(desk.journal(), {"record", "r", "-o", to}).code == 2);
  CHECK(flowrun(desk.journal(), {"record", "r", "-o", to, "--force"}).code == 0);
  CHECK(flowrun(desk.journal(), {"record"}).out.find("as in run r:") != std::string::npos);
}

}  // namespace flowrun::test::record_test
