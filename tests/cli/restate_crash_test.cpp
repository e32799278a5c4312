// Any part of a run on a Restate server is killed at any moment: the server, a worker, the client. Real effects are
// counted where they happen.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <thread>

#include "engine/journal/journal.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/restate.h"
#include "tests/support/shop.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::restate_crash_test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr int kSteps = 500;  // of each of two kinds
constexpr int kAtOnce = 16;  // processes
constexpr int kJobs = 8;     // of each worker

const char* kWorkflow = R"(flowrun: 1
input: { api: {}, log: {} }
steps:
  calls:
    for_each: 500
    concurrency: 32
    do: { http: "POST ${ $input.api }/effect/${ $run.id }-${ $index }" }
  shells:
    for_each: 500
    concurrency: 16
    do: { shell: 'sleep 0.02; echo "$FLOWRUN_INDEX" >> "$LOG"; sleep 0.03', env: { LOG: "${ $input.log }" } }
output: { calls: "${ $steps.calls | length }", shells: "${ $steps.shells | length }" }
)";

std::map<std::string, int> lines_of(const std::string& file) {
  std::map<std::string, int> counts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) ++counts[line];
  return counts;
}

/// Each entry of the last run as one line: place, time, kind and path.
std::vector<std::string> entries_of(const std::string& file) {
  Journal journal(file, Journal::Mode::ReadOnly);
  const RunRecord run = journal.find("@last");
  std::vector<std::string> all;
  for (std::int64_t from = 1;;) {
    const std::vector<Entry> slice = journal.read(run.number, from);
    if (slice.empty()) return all;
    for (const Entry& entry : slice)
      all.push_back(
          fmt::format("{} {} {} {}", entry.seq, to_millis(entry.at), static_cast<int>(entry.kind), entry.path));
    from = slice.back().seq + 1;
  }
}

/// Processes of steps that write to |log|.
int processes_of(const std::string& log) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "environ", std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    if (text.find("LOG=" + log) != text.npos) ++count;
  }
  return count;
}

struct Killed {
  int clients = 0, servers = 0, workers = 0;
  int all() const { return clients + servers + workers; }
};

/// One run, in which each of the three is killed once, in any order.
Killed disturb(Fleet& fleet, const Shop& shop, std::mt19937& random, const std::string& id) {
  const TempDir dir;
  const std::string journal = dir.path("j.db"), log = dir.path("log"), file = dir.write("w.yaml", kWorkflow);
  const auto some = [&](int least, int most) {
    std::this_thread::sleep_for(milliseconds(least + static_cast<int>(random() % static_cast<unsigned>(most - least))));
  };
  HowToRun how;
  how.env["FLOWRUN_ON"] = fleet.server.on();
  const std::vector<std::string> first{
      FLOWRUN_BINARY, "run",        file,        "--id",  id,           "-i",  "api=" + shop.url(),
      "-i",           "log=" + log, "--journal", journal, "--progress", "none"};
  // What the client was started with is in its journal.
  const std::vector<std::string> again{FLOWRUN_BINARY, "resume", id, "--journal", journal, "--progress", "none"};
  auto client = std::make_unique<Background>(first, how);
  Killed killed;
  std::vector<int> victims{0, 1, 2};
  std::shuffle(victims.begin(), victims.end(), random);
  std::string story;
  for (const int victim : victims) {
    some(50, 900);
    if (!client->running()) break;
    if (victim == 0) {
      story += " client";
      ++killed.clients;
      client->signal(SIGKILL);
      client->wait();
      const bool begun = std::filesystem::exists(journal) && flowrun(journal, {"show", id}).code == 0;
      const std::vector<std::string> before = begun ? entries_of(journal) : std::vector<std::string>();
      some(0, 300);
      client = std::make_unique<Background>(begun ? again : first, begun ? HowToRun{} : how);
      if (begun) {
        // The order that was stays the order.
        for (int i = 0; i < 2000 && entries_of(journal).size() <= before.size(); ++i)
          std::this_thread::sleep_for(milliseconds(5));
        std::vector<std::string> after = entries_of(journal);
        REQUIRE(after.size() > before.size());
        after.resize(before.size());
        CHECK(after == before);
      }
    } else if (victim == 1) {
      story += " server";
      ++killed.servers;
      fleet.server.kill();
      some(0, 500);
      fleet.server.start();
    } else {
      story += " worker";
      ++killed.workers;
      StepWorker& worker = random() % 2 ? fleet.one : fleet.two;
      worker.kill();
      some(0, 500);
      worker.start();
    }
  }
  const Ran ran = client->wait();
  INFO("killed:" << story << "\n" << ran.err);
  REQUIRE(ran.code == 0);
  CHECK(json::parse(ran.out) == json{{"calls", kSteps}, {"shells", kSteps}});

  const std::map<std::string, int> effects = lines_of(log);
  CHECK(effects.size() == kSteps);
  int repeats = 0;
  for (const auto& [index, count] : effects) repeats += count - 1;
  // Who asks may go away without an effect more; at each other's end what was in flight there is done again.
  CHECK(repeats <= killed.servers * kAtOnce + killed.workers * kJobs);
  const json stats = shop.stats();
  int charged = 0;
  for (int i = 0; i < kSteps; ++i) charged += stats["effects"].value(fmt::format("effect/{}-{}", id, i), 0);
  CHECK(charged == kSteps);
  const Ran verified = flowrun(journal, {"journal", "verify", id});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(processes_of(log) == 0);
  return killed;
}

void disturb_runs(int points) {
  if (const std::string why = why_no_restate(); !why.empty()) {
    WARN("skipped: " << why);
    return;
  }
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Shop shop;
  Fleet fleet({"-j", std::to_string(kJobs)});
  for (int round = 0, killed = 0; killed < points; ++round)
    killed += disturb(fleet, shop, random, fmt::format("r{}", round)).all();
  CHECK(fleet.server.query("SELECT id FROM sys_invocation WHERE status != 'completed'").empty());
}

}  // namespace

TEST_CASE(
    "server, worker and client of a run are killed once each: nothing is lost, and no more done again than was in "
    "flight",
    "[restate]") {
  disturb_runs(3);
}

TEST_CASE("server, worker and client are killed at thirty moments of runs of a thousand steps", "[restate][slow]") {
  disturb_runs(30);
}

}  // namespace flowrun::test::restate_crash_test
