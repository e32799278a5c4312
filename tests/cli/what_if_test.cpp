// flowrun report --what-if: what is predicted for other settings is what the run then takes.
#include <fmt/format.h>

#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <thread>

#include "engine/journal/journal.h"
#include "engine/model/value.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::what_if_test {
namespace {

using Words = std::vector<std::string>;

/// A journal with a run `r` of a workflow.
class Desk {
 public:
  explicit Desk(const std::string& workflow, const Words& options = {}) {
    file_ = dir_.write("w.yaml", workflow);
    run("r", file_, options);
  }

  /// What the run |id| takes, in ms.
  std::int64_t run(const std::string& id, const std::string& file, const Words& options = {}) {
    Words words{"run", file, "-q", "--id", id};
    words.insert(words.end(), options.begin(), options.end());
    const Ran ran = flowrun(journal, words);
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    const RunRecord record = Journal(journal, Journal::Mode::ReadOnly).find(id);
    return (*record.ended_at - record.started_at).count();
  }
  std::int64_t run_again(const std::string& id, const Words& options) { return run(id, file_, options); }

  Json predict(const std::string& settings) const {
    const Ran ran = flowrun(journal, {"report", "r", "--what-if", settings, "--json"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    return Json::parse(ran.out);
  }
  std::int64_t ms(const std::string& settings) const { return predict(settings)["took_ms"].get<std::int64_t>(); }

  TempDir dir_;
  std::string journal = dir_.path("j.db");

 private:
  std::string file_;
};

/// Within a tenth, which is more than a busy machine adds to such sleeps.
void check_near(std::int64_t predicted, std::int64_t real) {
  INFO("predicted " << predicted << " ms, it took " << real << " ms");
  CHECK(std::abs(predicted - real) * 10 <= real);
}

const std::string kNaps =
    "flowrun: 1\nsteps: { nap: { for_each: 24, concurrency: 100, do: { exec: [sleep, '0.4'] } } }\n";

}  // namespace

TEST_CASE("a run takes with another -j what was predicted for that", "[predict][timing]") {
  Desk desk(kNaps, {"-j", "4"});
  const Json same = desk.predict("same");
  check_near(same["took_ms"], same["recorded_ms"]);
  check_near(desk.ms("jobs=8"), desk.run_again("wide", {"-j", "8"}));
  check_near(desk.ms("concurrency=3"), desk.run_again("narrow", {"-j", "8", "--concurrency", "3"}));
}

TEST_CASE("a run takes with another limit what was predicted for that", "[predict][timing]") {
  const auto workflow = [](int width) {
    return fmt::format(
        "flowrun: 1\nlimits: {{ crm: {} }}\nsteps: {{ nap: {{ for_each: 12, concurrency: 100, "
        "do: {{ exec: [sleep, '0.4'], limit: crm }} }} }}\n",
        width);
  };
  Desk desk(workflow(2), {"-j", "100"});
  check_near(desk.ms("limit.crm=6"), desk.run("wide", desk.dir_.write("wide.yaml", workflow(6)), {"-j", "100"}));
}

TEST_CASE("a diamond takes with a faster side what was predicted for that", "[predict][timing]") {
  const auto workflow = [](const char* right) {
    return fmt::format(
        "flowrun: 1\nsteps:\n  a: {{ exec: [sleep, '0.5'] }}\n  left: {{ exec: [sleep, '0.6'], after: a }}\n"
        "  right: {{ exec: [sleep, '{}'], after: a }}\n  z: {{ exec: [sleep, '0.5'], after: [left, right] }}\n",
        right);
  };
  Desk desk(workflow("1.6"));
  const Json told = desk.predict("scale.right=0.5");
  check_near(told["took_ms"], desk.run("faster", desk.dir_.write("faster.yaml", workflow("0.8"))));
  REQUIRE(told["critical_path"].size() == 3);
  CHECK(told["critical_path"][1]["step"] == "right");
  CHECK(desk.predict("scale.right=0.1")["critical_path"][1]["step"] == "left");
}

TEST_CASE("settings are rows of a table beside what the run took", "[predict]") {
  Desk desk("flowrun: 1\nsteps: { a: { for_each: [x, y], do: { exec: [sleep, '0.1'] } } }\n", {"-j", "1"});
  const Ran ran = flowrun(
      desk.journal, {"report", "r", "--what-if", "same", "--what-if", "jobs=2", "--what-if", "jobs=2,scale.a[y]=0"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
  std::istringstream lines(ran.out);
  Words starts;
  for (std::string line; std::getline(lines, line);) starts.push_back(line.substr(0, line.find("  ")));
  CHECK(starts == Words{"WHAT IF", "(recorded)", "same", "jobs=2", "jobs=2,scale.a[y]=0"});
  CHECK(ran.out.find("jobs ") != std::string::npos);
  const Ran json = flowrun(desk.journal, {"report", "r", "--what-if=same", "--what-if=jobs=2", "--json"});
  CHECK(json.code == 0);
  std::istringstream rows(json.out);
  std::string row;
  REQUIRE(std::getline(rows, row));
  const Json same = Json::parse(row);
  CHECK(same["what_if"] == "same");
  CHECK(same["state"] == "succeeded");
  CHECK(same["attempts"] == 2);
  CHECK(same["guessed"] == 0);
  CHECK(same["recorded_ms"].get<int>() >= 200);
  CHECK(same["waits_ms"].contains("jobs"));
  REQUIRE(std::getline(rows, row));
  CHECK(Json::parse(row)["took_ms"].get<int>() < same["took_ms"].get<int>());
  CHECK_FALSE(std::getline(rows, row));
}

TEST_CASE("a prediction changes nothing in the journal, and runs nothing", "[predict]") {
  TempDir marks;
  Desk desk(fmt::format("flowrun: 1\nsteps: {{ a: {{ shell: echo x >> {} }} }}\n", marks.path("ran")));
  const std::int64_t before = Journal(desk.journal, Journal::Mode::ReadOnly).find("r").last_seq;
  CHECK(flowrun(desk.journal, {"report", "--what-if", "jobs=3"}).code == 0);
  CHECK(Journal(desk.journal, Journal::Mode::ReadOnly).find("r").last_seq == before);
  CHECK(std::filesystem::file_size(marks.path("ran")) == 2);
  CHECK(flowrun(desk.journal, {"journal", "verify"}).code == 0);
}

TEST_CASE("of a run whose drives had different settings, those have to be said", "[predict]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file =
      dir.write("w.yaml", "flowrun: 1\nsteps: { a: { for_each: 3, do: { shell: 'echo > began; sleep 0.2' } } }\n");
  {
    Background first({FLOWRUN_BINARY, "run", file, "--journal", journal, "--id", "r", "-j", "1"});
    for (int i = 0; i < 3000 && dir.read("began").empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    first.signal(SIGKILL);
    first.wait();
  }
  CHECK(flowrun(journal, {"resume", "r", "-j", "3"}).code == 0);
  const Ran same = flowrun(journal, {"report", "r", "--what-if", "same"});
  INFO(same.err);
  CHECK(same.code == 8);
  CHECK(same.err.find("jobs=N") != std::string::npos);
  CHECK(flowrun(journal, {"report", "r", "--what-if", "jobs=3"}).code == 0);
}

TEST_CASE("a time that is left out makes no step more than all of the run", "[predict]") {
  TempDir dir;
  const std::string journal = dir.path("j.db");
  const std::string file =
      dir.write("w.yaml", "flowrun: 1\nsteps: [ { id: a, exec: ['true'] }, { id: ok, wait: go } ]\n");
  CHECK(flowrun(journal, {"run", file, "--id", "r", "--no-wait"}).code == 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  CHECK(flowrun(journal, {"signal", "r", "go"}).code == 0);
  CHECK(flowrun(journal, {"resume", "r"}).code == 0);
  const Ran ran = flowrun(journal, {"report", "r", "--what-if", "same"});
  INFO(ran.out);
  CHECK(ran.code == 0);
  CHECK_FALSE(std::regex_search(ran.out, std::regex("(ok|a) ([2-9][0-9][0-9]|1[1-9][0-9]|[0-9]{4,})%")));
}

TEST_CASE("what can not be predicted is refused by exit status 2, or 8 for the run's sake", "[predict]") {
  Desk desk("flowrun: 1\nsteps: { a: { exec: ['true'] } }\n");
  for (const char* bad : {"jobs=0", "job=2", "scale.b=2", "limit.x=2", "jobs"}) {
    const Ran ran = flowrun(desk.journal, {"report", "r", "--what-if", bad});
    INFO(bad << " " << ran.err);
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.find("--what-if") != std::string::npos);
  }
  CHECK(flowrun(desk.journal, {"report", "r", "--what-if", "same", "--format", "html"}).code == 2);
  CHECK(flowrun(desk.journal, {"report", "r", "--json"}).code == 2);
  const std::string wait = desk.dir_.write("wait.yaml", "flowrun: 1\nsteps: { ok: { wait: ok } }\n");
  CHECK(flowrun(desk.journal, {"run", wait, "-q", "--id", "waits", "--no-wait"}).code == 4);
  const Ran waits = flowrun(desk.journal, {"report", "waits", "--what-if", "same"});
  CHECK(waits.code == 8);
  CHECK(waits.err.find("run waits has not ended") != std::string::npos);
  CHECK(flowrun(desk.journal, {"cancel", "waits"}).code == 0);
  CHECK(flowrun(desk.journal, {"report", "waits", "--what-if", "same"}).err.find("was cancelled") != std::string::npos);
}

}  // namespace flowrun::test::what_if_test
