// Limits as the world sees them: processes and requests of the real binary, counted where they run.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::limits_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDay = 24 * 3600 * 1000;

/// Of 2026-01-31T23:59:59.999Z.
int milliseconds_of_day(const std::string& date) {
  auto number = [&](std::size_t at, std::size_t length) { return std::stoi(date.substr(at, length)); };
  return ((number(11, 2) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1000 + number(20, 3);
}

/// The most that were open at once in a file of lines `+` and `-`, and how many there were.
std::pair<int, int> most_open(const std::string& file) {
  int open = 0, most = 0, all = 0;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    open += line == "+" ? 1 : -1;
    all += line == "+";
    most = std::max(most, open);
  }
  return {most, all};
}

/// Counts who is here at once, and when each came.
class Counter {
 public:
  void serve(HttpServer& server) {
    server.Get("/work", [this](const httplib::Request&, httplib::Response& response) {
      int here = ++here_;
      {
        std::lock_guard lock(mutex);
        most = std::max(most, here);
        came.push_back(steady_clock::now());
      }
      std::this_thread::sleep_for(milliseconds(20));
      --here_;
      response.set_content("{}", "application/json");
    });
    server.start();
  }
  std::mutex mutex;  ///< of what follows
  int most = 0;
  std::vector<steady_clock::time_point> came;

 private:
  std::atomic<int> here_{0};
};

}  // namespace

TEST_CASE("never more processes at once than a limit says, over two steps, a kill and a resume") {
  TempDir dir;
  std::string log = dir.path("log"), journal = dir.path("journal.db");
  std::string file = dir.write("w.yaml", R"(flowrun: 1
input: { log: {} }
env: { LOG: "${ $input.log }" }
limits: { three: 3 }
steps:
  a: { for_each: 12, concurrency: 12, do: { shell: echo + >> "$LOG"; sleep 0.05; echo - >> "$LOG", limit: three } }
  b: { for_each: 12, concurrency: 12, do: { shell: echo + >> "$LOG"; sleep 0.05; echo - >> "$LOG", limit: three } }
output: done
)");
  Ran ran = flowrun(journal, {"run", file, "-i", "log=" + log, "--id", "whole"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(most_open(log) == std::pair{3, 24});

  // What the dead run left is ended before anything goes on: its `-` is missing, so a new file counts what is new.
  std::string second = dir.path("second");
  Background killed({FLOWRUN_BINARY, "run", file, "-i", "log=" + second, "--id", "killed", "--journal", journal, "-q"});
  while (most_open(second).second < 8) std::this_thread::sleep_for(milliseconds(5));
  killed.signal(SIGKILL);
  killed.wait();
  std::filesystem::rename(second, dir.path("before"));
  ran = flowrun(journal, {"resume", "killed"});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(most_open(dir.path("before")).first <= 3);
  CHECK(most_open(second).first <= 3);
  CHECK(flowrun(journal, {"journal", "verify", "killed"}).code == 0);
}

TEST_CASE("after a failure nothing begins that waits in the line of -j, and a retry begins it") {
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const std::string file = dir.write("w.yaml", R"(flowrun: 1
input: { log: {}, items: { type: integer } }
env: { LOG: "${ $input.log }" }
steps:
  e: { for_each: "${ $input.items }", do: { shell: echo + >> "$LOG"; test -e "$LOG.good" } }
)");
  // Also the one that is next in line.
  for (const int items : {2, 8}) {
    const std::string count = std::to_string(items), log = dir.path("log" + count);
    Ran ran = flowrun(journal, {"run", file, "-i", "log=" + log, "-i", "items=" + count, "--id", count, "-j", "1"});
    INFO(ran.err);
    CHECK(ran.code == 1);
    CHECK(most_open(log) == std::pair{1, 1});
    CHECK(flowrun(journal, {"journal", "verify", count}).code == 0);
    // What never began has no attempts and no time.
    const auto shown = nlohmann::json::parse(flowrun(journal, {"show", count, "--json"}).out);
    for (const auto& step : shown.at("steps"))
      if (step.at("state") == "cancelled") CHECK(step.at("attempts") == 0);
    std::ofstream(log + ".good") << "";
    ran = flowrun(journal, {"retry", count});
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(most_open(log).second == items + 1);
  }
}

TEST_CASE("a server sees no more requests at once, and no faster, than its pool says") {
  HttpServer server;
  Counter counter;
  counter.serve(server);
  TempDir dir;
  std::string file = dir.write("w.yaml", R"(flowrun: 1
input: { url: {} }
limits: { api: { max: 3, rate: 40/s } }
steps:
  a: { for_each: 50, concurrency: 50, do: { http: "${ $input.url }", limit: api } }
output: ${ $steps.a | length }
)");
  auto began = steady_clock::now();
  Ran ran = flowrun(dir.path("journal.db"), {"run", file, "--id", "it", "-i", "url=" + server.url("/work")});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(steady_clock::now() - began >= milliseconds(1000));
  std::lock_guard lock(counter.mutex);
  CHECK(counter.most <= 3);
  REQUIRE(counter.came.size() == 50);
  std::sort(counter.came.begin(), counter.came.end());
  // The promise is of starts, and exact; when the server of a busy machine sees a request is another matter.
  std::vector<int> starts;  // milliseconds of the day
  std::istringstream lines(flowrun(dir.path("journal.db"), {"journal", "show", "it", "--json"}).out);
  for (std::string line; std::getline(lines, line);)
    if (auto entry = nlohmann::json::parse(line); entry["kind"] == "start")
      starts.push_back(milliseconds_of_day(entry["at"]));
  REQUIRE(starts.size() == 50);
  for (std::size_t i = 40; i < starts.size(); ++i) CHECK((starts[i] - starts[i - 40] + kDay) % kDay >= 1000);
  for (std::size_t i = 41; i < counter.came.size(); ++i)
    CHECK(counter.came[i] - counter.came[i - 41] >= milliseconds(950));
}

}  // namespace flowrun::test::limits_test
