// Time as people see it: what flowrun itself slept through counts against nothing that works, durations are those of
// what ran, and what waited in line at a crash has not begun. The real binary, real signals.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/executor/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::time_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

bool wait_for(const std::function<bool()>& holds) {
  for (int i = 0; i < 4000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The steps of a run by path, as `show --json` has them.
std::map<std::string, json> steps_of(const std::string& journal, const std::string& run) {
  Ran shown = flowrun(journal, {"show", run, "--json"});
  REQUIRE(shown.code == 0);
  std::map<std::string, json> steps;
  const json record = json::parse(shown.out);
  for (const json& step : record.at("steps")) steps[step.at("path")] = step;
  return steps;
}

/// 2026-11-23T08:45:12.481Z as milliseconds of the day.
std::int64_t millis(const std::string& text) {
  auto number = [&](int at, int digits) { return std::stoll(text.substr(at, digits)); };
  return ((number(11, 2) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1000 + number(20, 3);
}

}  // namespace

TEST_CASE("what flowrun slept through counts against no limit of work, and dates stay dates") {
  // One step for each timer that there is; most would be over while flowrun stands still.
  HttpServer server;
  std::atomic<bool> frozen{false};
  server.Get("/late", [&](const auto&, auto& response) {
    // Answers while flowrun is frozen.
    wait_for([&] { return frozen.load(); });
    std::this_thread::sleep_for(1500ms);
    response.set_content("late", "text/plain");
  });
  server.Get("/busy", [&](const auto&, auto& response) {
    response.status = frozen ? 200 : 503;
    if (!frozen) response.set_header("Retry-After", "2");
  });
  server.start();
  // Nobody accepts before flowrun goes on: to connect takes as long as it stands still.
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listening, reinterpret_cast<sockaddr*>(&address), length);
  listen(listening, 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length);
  int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect(filler, reinterpret_cast<sockaddr*>(&address), length);

  TempDir dir;
  const std::string journal = dir.path("journal.db"), begun = dir.path("begun");
  const std::string head =
      fmt::format("flowrun: 1\ninput: {{ url: \"{}\", deaf: \"http://127.0.0.1:{}/\", begun: \"{}\" }}\n",
                  server.url(""), ntohs(address.sin_port), begun);
  const std::string workflow = dir.write("w.yaml", head + R"(timeout: 3s
steps:
  all:
    join: best_effort
    parallel:
      ends_meanwhile: { shell: 'echo x >> "$B"; sleep 1; echo done', env: { B: "${ $input.begun }" }, timeout: 2s }
      runs_on: { shell: 'echo x >> "$B"; sleep 4; echo done', env: { B: "${ $input.begun }" }, timeout: 2500ms }
      over_time: { shell: 'echo x >> "$B"; sleep 60', env: { B: "${ $input.begun }" }, timeout: 1500ms }
      tidies: { shell: 'trap "sleep 1; echo tidy; exit 3" TERM; echo x >> "$B"; sleep 60 & wait', env: { B: "${ $input.begun }" }, timeout: 300ms, kill_grace: 2s }
      deadline: { shell: 'sleep 1; echo done', deadline: 2s }
      group: { parallel: { a: { shell: 'sleep 1; echo done' } }, timeout: 2s }
      http_timeout: { http: "${ $input.url }/late", timeout: 2s }
      http_idle: { http: "${ $input.url }/late", idle_timeout: 2s }
      http_connect: { http: "${ $input.deaf }", connect_timeout: 2s, response: none }
      retry_after: { http: "${ $input.url }/busy", retry: { attempts: 2, delay: 1s } }
      retry: { shell: 'test "$FLOWRUN_ATTEMPT" -gt 1', retry: { attempts: 2, delay: 1500ms, jitter: none, on: [exit] } }
      poll: { shell: 'echo "$FLOWRUN_ATTEMPT"', poll: { until: "${ .value != \"1\" }", every: 1500ms } }
      delay: { delay: 1500ms, shell: echo done }
      sleeps: { sleep: 1500ms }
      waits: { wait: go, timeout: 1500ms }
)");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "r", "--journal", journal});
  REQUIRE(wait_for([&] { return lines_of(begun).size() == 4; }));
  std::this_thread::sleep_for(700ms);
  flow.signal(SIGSTOP);
  frozen = true;
  std::this_thread::sleep_for(4s);
  ::close(filler);
  // Who connects now is answered.
  std::thread accepting([&] {
    for (int i = 0; i < 3; ++i) {
      int client = accept(listening, nullptr, nullptr);
      if (client < 0) return;
      if (!RawServer::request(client).empty()) RawServer::answer(client, "HTTP/1.1 204 No Content\r\n\r\n");
      ::close(client);
    }
  });
  const auto goes_on = std::chrono::steady_clock::now();
  flow.signal(SIGCONT);
  Ran ran = flow.wait();
  const auto after = std::chrono::steady_clock::now() - goes_on;
  shutdown(listening, SHUT_RDWR);
  accepting.join();
  ::close(listening);
  INFO(ran.err);
  CHECK(ran.code == 0);
  // Dates have passed meanwhile, and the run's own limit of 3 s has held.
  CHECK(after < 3500ms);
  auto steps = steps_of(journal, "r");
  for (const char* good : {"ends_meanwhile", "runs_on", "deadline", "group", "http_timeout", "http_idle",
                           "http_connect", "retry_after", "retry", "poll", "delay", "sleeps"}) {
    INFO(good << " " << steps[std::string("all/") + good].dump());
    CHECK(steps[std::string("all/") + good].value("state", "") == "succeeded");
  }
  CHECK(steps["all/over_time"]["error"]["type"] == "timeout");
  CHECK(steps["all/waits"]["error"]["type"] == "timeout");
  CHECK(steps["all/tidies"]["error"]["type"] == "timeout");
  CHECK(steps["all/tidies"]["error"]["exit_code"] == 3);
  // Told apart: it is no time that anything took.
  CHECK(steps["all"]["duration_ms"] < 4500);
  CHECK(ran.err.find(" frozen ") != std::string::npos);
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("time of before a crash that flowrun was frozen in does not count after it") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), begun = dir.path("begun");
  const std::string workflow = dir.write(
      "w.yaml", "flowrun: 1\nsteps:\n  g:\n    timeout: 4s\n    sequence:\n      - { id: a, shell: 'echo x >> \"" +
                    begun + "\"; sleep 1.5; echo done' }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "r", "--journal", journal});
  REQUIRE(wait_for([&] { return !lines_of(begun).empty(); }));
  flow.signal(SIGSTOP);
  std::this_thread::sleep_for(3500ms);
  flow.signal(SIGCONT);
  REQUIRE(wait_for([&] { return flow.err().find("frozen") != std::string::npos; }));
  flow.signal(SIGKILL);
  flow.wait();
  Ran resumed = flowrun(journal, {"resume", "r"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("at -j 1 what steps took never overlaps and is no more than the run took, whatever they are") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  INFO("FLOWRUN_SEED=" << seed);
  std::mt19937 random(seed);
  auto nap = [&] { return fmt::format("sleep 0.{:03}", random() % 80); };
  for (int round = 0; round < 4; ++round) {
    TempDir dir;
    const std::string journal = dir.path("journal.db");
    std::string text = "flowrun: 1\nsteps:\n";
    std::set<std::string> leaves;
    for (int i = 0; i < 3; ++i) {
      text += fmt::format("  s{}: {{ shell: '{}', continue_on_error: true }}\n", i, nap());
      text += fmt::format("  f{}: {{ for_each: 4, do: {{ shell: '{}' }} }}\n", i, nap());
      text +=
          fmt::format("  l{}: {{ sequence: [ {{ id: a, shell: '{}' }}, {{ id: b, exec: [\"true\"] }} ] }}\n", i, nap());
      text += fmt::format("  p{}: {{ parallel: {{ a: {{ shell: '{}' }}, b: {{ shell: '{}' }} }} }}\n", i, nap(), nap());
    }
    INFO(text);
    Ran ran = flowrun(journal, {"run", dir.write("w.yaml", text), "--id", "r", "-j", "1"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    std::vector<std::pair<std::int64_t, std::int64_t>> spans;
    std::int64_t sum = 0, first = INT64_MAX, last = 0;
    auto steps = steps_of(journal, "r");
    for (const auto& [path, step] : steps) {
      const std::int64_t begun = millis(step.at("started_at")), took = step.at("duration_ms");
      CHECK(millis(step.at("finished_at")) >= begun + took);
      first = std::min(first, begun);
      last = std::max(last, millis(step.at("finished_at")));
      if (step.at("attempts") == 0) continue;
      spans.emplace_back(begun, begun + took);
      sum += took;
    }
    CHECK(spans.size() == 3 * (1 + 4 + 2 + 2));
    std::sort(spans.begin(), spans.end());
    for (std::size_t i = 1; i < spans.size(); ++i) {
      INFO(spans[i - 1].first << " to " << spans[i - 1].second << ", then from " << spans[i].first);
      CHECK(spans[i - 1].second <= spans[i].first);
    }
    CHECK(sum <= last - first);
    // Groups: from their first start to their end, no shorter than what is in them.
    for (const auto& [path, step] : steps) {
      if (step.at("attempts") != 0) continue;
      std::int64_t inside = 0, begun = INT64_MAX;
      for (const auto& [below, leaf] : steps) {
        if (!below.starts_with(path) || below == path || leaf.at("attempts") == 0) continue;
        inside += leaf.at("duration_ms").get<std::int64_t>();
        begun = std::min(begun, millis(leaf.at("started_at")));
      }
      INFO(path << " " << step.dump());
      CHECK(step.at("duration_ms") >= inside);
      CHECK(step.at("duration_ms") > 0);
      CHECK(millis(step.at("started_at")) <= begun);
    }
  }
}

TEST_CASE("what a step took holds neither the line, nor the time until it is retried, nor that until a resume") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), good = dir.path("good");
  const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
steps:
  four: { for_each: 4, do: { shell: sleep 0.3 } }
  flaky: { shell: 'sleep 0.1; test -e "$GOOD"', env: { GOOD: ")" +
                                                       good + R"(" }, needs: four }
  said: { set: "${ $status.four.duration_ms }", needs: four }
output: { four: "${ $status.four.duration_ms }", flaky: "${ $status.flaky.duration_ms }" }
)");
  CHECK(flowrun(journal, {"run", workflow, "--id", "r", "-j", "1", "-k"}).code == 1);
  for (const auto& [path, step] : steps_of(journal, "r"))
    if (path.starts_with("four[")) {
      INFO(step.dump());
      CHECK(step.at("duration_ms") >= 295);
      CHECK(step.at("duration_ms") < 600);
      CHECK((path == "four[0]" || step.at("queued_ms") >= 290));
    }
  std::this_thread::sleep_for(1500ms);
  dir.write("good", "");
  Ran again = flowrun(journal, {"retry", "r"});
  INFO(again.err);
  REQUIRE(again.code == 0);
  auto steps = steps_of(journal, "r");
  CHECK(steps["flaky"]["duration_ms"] < 1000);
  CHECK(steps["four"]["duration_ms"] >= 1190);
  json output = json::parse(again.out);
  CHECK(output["four"] >= 1190);
  CHECK(output["flaky"] < 1000);
  CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
}

TEST_CASE("wherever it is killed, no more is told of as begun than had a place, and nothing less") {
  const char* given = std::getenv("FLOWRUN_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  INFO("FLOWRUN_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 6; ++round) {
    TempDir dir;
    const std::string journal = dir.path("journal.db"), log = dir.path("log");
    const int jobs = 1 + static_cast<int>(random() % 3);
    const std::string workflow = dir.write("w.yaml", R"(flowrun: 1
steps:
  e:
    for_each: 12
    do: { shell: 'echo "begin $I $FLOWRUN_RERUN" >> "$LOG"; sleep 0.15; echo "end $I $FLOWRUN_RERUN" >> "$LOG"', env: { I: "${ $item }", LOG: ")" +
                                                         log + "\" } }\n");
    const int kills = 1 + static_cast<int>(random() % 2);
    std::vector<std::string> args{FLOWRUN_BINARY,      "run", workflow, "--id", "r", "--journal", journal, "-j",
                                  std::to_string(jobs)};
    std::size_t begun_before = 0;
    for (int kill = 0; kill < kills; ++kill) {
      Background flow(args);
      REQUIRE(wait_for([&] { return lines_of(log).size() > begun_before || !flow.running(); }));
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
      flow.signal(SIGKILL);
      flow.wait();
      begun_before = lines_of(log).size();
      args = {FLOWRUN_BINARY, "resume", "r", "--journal", journal};
    }
    const std::vector<std::string> before = lines_of(log);
    Ran resumed = flowrun(journal, {"resume", "r"});
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    std::set<std::string> begun, told;
    for (const std::string& line : before)
      if (line.starts_with("begin ")) begun.insert(line.substr(6, line.rfind(' ') - 6));
    const std::vector<std::string> all = lines_of(log);
    for (std::size_t i = before.size(); i < all.size(); ++i) {
      if (!all[i].starts_with("begin ")) continue;
      const std::string item = all[i].substr(6, all[i].rfind(' ') - 6);
      const bool rerun = !all[i].ends_with(" 0");
      INFO("item " << item << " after kill with -j " << jobs << "\n" << resumed.err);
      if (rerun) told.insert(item);
      // Whoever has begun is told so.
      if (begun.count(item) > 0) CHECK(rerun);
    }
    std::size_t told_in_vain = 0;
    for (const std::string& item : told) told_in_vain += begun.count(item) == 0;
    CHECK(told_in_vain <= static_cast<std::size_t>(jobs));
    CHECK(flowrun(journal, {"journal", "verify", "r"}).code == 0);
  }
}

TEST_CASE("a line file that is copied, or of another drive or boot, says nothing") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), log = dir.path("log");
  const std::string workflow =
      dir.write("w.yaml", "flowrun: 1\nsteps: { e: { for_each: 4, do: { shell: 'echo $FLOWRUN_RERUN >> \"" + log +
                              "\"; sleep 0.5' } } }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "r", "--journal", journal, "-j", "1"});
  REQUIRE(wait_for([&] { return !lines_of(log).empty(); }));
  flow.signal(SIGKILL);
  flow.wait();
  namespace fs = std::filesystem;
  const fs::path line = fs::path(dir.path("runs")) / "r" / "line";
  REQUIRE(fs::exists(line));
  fs::copy_file(line, line.string() + ".copy");
  fs::remove(line);
  fs::rename(line.string() + ".copy", line);
  Ran resumed = flowrun(journal, {"resume", "r"});
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(resumed.err.find("4 steps were in flight") != std::string::npos);
  CHECK(lines_of(log) == std::vector<std::string>{"0", "1", "1", "1", "1"});
  CHECK_FALSE(fs::exists(line));
}

TEST_CASE("a time that is not of today says its date") {
  TempDir dir;
  const std::string journal = dir.path("journal.db");
  const std::string workflow = dir.write("w.yaml", "flowrun: 1\nsteps: { far: { sleep: 30h }, near: { sleep: 1s } }\n");
  CHECK(flowrun(journal, {"run", workflow, "--id", "r", "--no-wait"}).code == 4);
  auto date = [](std::chrono::seconds from_now) {
    const std::time_t at = std::time(nullptr) + from_now.count();
    char text[32];
    std::strftime(text, sizeof text, "%F", std::localtime(&at));
    return std::string(text);
  };
  const std::string shown = flowrun(journal, {"show", "r"}).out;
  INFO(shown);
  CHECK(shown.find("until " + date(30h)) != std::string::npos);
  // Of today the time is enough.
  CHECK(flowrun(journal, {"journal", "show", "r"}).out.find(date(0s)) == std::string::npos);
}

TEST_CASE("after a suspension nothing speaks of a crash") {
  TempDir dir;
  const std::string journal = dir.path("journal.db"), begun = dir.path("begun");
  const std::string workflow =
      dir.write("w.yaml", "flowrun: 1\nsteps: { e: { for_each: 3, do: { shell: 'echo $FLOWRUN_RERUN >> \"" + begun +
                              "\"; sleep 1' } } }\n");
  Background flow({FLOWRUN_BINARY, "run", workflow, "--id", "r", "--journal", journal, "-j", "1", "--grace", "0s"});
  REQUIRE(wait_for([&] { return !lines_of(begun).empty(); }));
  flow.signal(SIGTERM);
  std::string said = flow.wait().err;
  Ran resumed = flowrun(journal, {"resume", "r"});
  CHECK(resumed.code == 0);
  said += resumed.err + flowrun(journal, {"show", "r"}).out + flowrun(journal, {"journal", "show", "r"}).out;
  INFO(said);
  CHECK(said.find("crash") == std::string::npos);
  CHECK(said.find("cut off") == std::string::npos);
  CHECK(lines_of(begun) == std::vector<std::string>{"0", "1", "0", "0"});
}

}  // namespace flowrun::test::time_test
