// Places for processes: who gets one, in which order, and how they come back.
#include <algorithm>

#include "tests/executor/pool.h"

namespace flowrun::test::process_slots_test {
namespace {

/// Runs until |name| exists in the folder.
Task until(Pool& pool, const std::string& name, const std::string& path) {
  Task task = shell("while [ ! -e " + name + " ]; do sleep 0.02; done", path);
  process_of(task).cwd = pool.folder().path();
  return task;
}

}  // namespace

TEST_CASE("with -j so many processes run at once, the others in the order they came") {
  Pool pool(2);
  // Each notes how many others it sees.
  for (int i = 0; i < 12; ++i) {
    Task task = shell("touch r.$FLOWRUN_STEP; ls | grep -c '^r[.]'; sleep 0.05; rm r.$FLOWRUN_STEP", std::to_string(i));
    process_of(task).cwd = pool.folder().path();
    pool.executor().begin(task);
  }
  for (auto& [path, result] : pool.ended(12)) {
    REQUIRE(result.ok());
    CHECK(std::stoi(result.value.json().get<std::string>()) <= 2);
  }
}

TEST_CASE("one place is given in the order of the line") {
  Pool pool(1);
  for (int i = 0; i < 9; ++i) pool.executor().begin(exec({"true"}, std::to_string(i)));
  pool.ended(9);
  CHECK(pool.order() == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8"});
}

TEST_CASE("without -j only processes that share the CPUs wait for one") {
  Pool pool(0, 1);
  Task first = until(pool, "go", "first"), second = until(pool, "go", "second");
  process_of(first).shares_cpus = process_of(second).shares_cpus = true;
  pool.executor().begin(first);
  pool.executor().begin(second);
  // Were it to wait for a place, it could not let the others end.
  Task free = shell("touch go", "free");
  process_of(free).cwd = pool.folder().path();
  pool.executor().begin(free);
  CHECK(pool.ended(3).size() == 3);
}

TEST_CASE("programs that can not be started give their places back, however many they are") {
  Pool pool(1);
  for (int i = 0; i < 2000; ++i) pool.executor().begin(exec({"surely-no-such-program"}, std::to_string(i)));
  pool.executor().begin(exec({"true"}, "last"));
  CHECK(pool.ended(2001).at("last").ok());
}

TEST_CASE("a reserved place is held for its step") {
  Pool pool(1);
  pool.executor().reserve({"strict", true, false});
  pool.listen(Duration{1000});
  REQUIRE(pool.reserved() == std::vector<std::string>{"strict"});
  pool.executor().begin(exec({"true"}, "other"));
  Task strict = exec({"true"}, "strict");
  strict.strict = true;
  pool.executor().begin(strict);
  pool.ended(2);
  CHECK(pool.order() == std::vector<std::string>{"strict", "other"});
}

TEST_CASE("a reservation waits for a place, and http calls need none") {
  Pool pool(1);
  pool.executor().begin(until(pool, "go", "busy"));
  pool.executor().reserve({"strict", true, false});
  pool.executor().reserve({"call", false, false});
  pool.listen(Duration{1000});
  CHECK(pool.reserved() == std::vector<std::string>{"call"});
  pool.folder().write("go", "");
  pool.ended(1);
  while (pool.reserved().size() < 2) pool.listen(Duration{1000});
  CHECK(pool.reserved().back() == "strict");
}

TEST_CASE("a reservation that is given back lets the next begin, and one still in line is forgotten") {
  Pool pool(1);
  pool.executor().reserve({"held", true, false});
  pool.listen(Duration{1000});
  pool.executor().reserve({"waiting", true, false});
  pool.executor().begin(exec({"true"}, "next"));
  pool.executor().stop("waiting", 1);
  pool.executor().stop("held", 1);
  CHECK(pool.ended(1).at("next").ok());
  CHECK(pool.reserved() == std::vector<std::string>{"held"});
  // All places are there again.
  pool.executor().begin(exec({"true"}, "after"));
  CHECK(pool.ended(1).at("after").ok());
}

TEST_CASE("what waits in line at a path and below is withdrawn, and does not begin") {
  Pool pool(1);
  pool.executor().begin(until(pool, "go", "busy"));
  for (const char* path : {"g/a", "g", "g[1]", "gold", "h"}) pool.executor().begin(exec({"true"}, path));
  CHECK(pool.executor().in_line() == 5);
  pool.executor().withdraw("g");
  CHECK(pool.executor().in_line() == 2);
  while (pool.withdrawn().size() < 3) pool.listen(Duration{1000});
  CHECK(pool.withdrawn() == std::vector<std::string>{"g/a", "g", "g[1]"});
  pool.folder().write("go", "");
  pool.ended(3);
  CHECK(pool.order() == std::vector<std::string>{"busy", "gold", "h"});
  CHECK(pool.executor().in_line() == 0);
}

TEST_CASE("the place of a process that fails is given on when its end has been acted upon") {
  Pool pool(1);
  pool.executor().begin(exec({"false"}, "bad"));
  pool.executor().begin(exec({"surely-no-such-program"}, "worse"));
  pool.executor().begin(exec({"true"}, "next"));
  CHECK_FALSE(pool.ended(1).at("bad").ok());
  pool.executor().withdraw("next");
  // Acted upon when more is asked for: then the one that is left in line has its turn.
  CHECK_FALSE(pool.ended(1).at("worse").ok());
  CHECK(pool.withdrawn() == std::vector<std::string>{"next"});
  pool.executor().begin(exec({"true"}, "after"));
  CHECK(pool.ended(1).at("after").ok());
}

TEST_CASE("a process that waits in line can be stopped, and has not run") {
  Pool pool(1);
  pool.executor().begin(until(pool, "go", "busy"));
  Task task = shell("touch ran", "waiting");
  process_of(task).cwd = pool.folder().path();
  pool.executor().begin(task);
  CHECK(pool.executor().in_line() == 1);
  pool.executor().stop("waiting", 1);
  CHECK(pool.executor().in_line() == 0);
  Result result = pool.ended(1).at("waiting");
  CHECK(result.failure->type == "cancelled");
  CHECK_FALSE(result.sent);
  pool.folder().write("go", "");
  CHECK(pool.ended(1).at("busy").ok());
  CHECK_FALSE(std::filesystem::exists(pool.folder().path("ran")));
}

TEST_CASE("a process takes as many places as it weighs, and one that is heavier than all runs alone") {
  Pool pool(3);
  // Each notes the weight of all that run; `w` is its own.
  const auto weigh = [&](int weight, const std::string& path) {
    Task task = shell("touch r." + path + "." + std::to_string(weight) +
                          "; n=0; for f in r.*; do n=$((n + ${f##*.})); done; echo $n; sleep 0.05; rm r." + path + ".*",
                      path);
    process_of(task).cwd = pool.folder().path();
    process_of(task).weight = weight;
    pool.executor().begin(task);
  };
  for (int i = 0; i < 12; ++i) weigh(1 + i % 2, std::to_string(i));
  weigh(7, "heavy");
  weigh(1, "last");
  for (auto& [path, result] : pool.ended(14)) {
    REQUIRE(result.ok());
    const int all = std::stoi(result.value.json().get<std::string>());
    CHECK(all <= (path == "heavy" ? 7 : 3));
  }
  CHECK(pool.order().back() == "last");
}

TEST_CASE("a reservation holds as many places as its step weighs") {
  Pool pool(3);
  pool.executor().reserve({"strict", true, false, 2});
  pool.listen(Duration{1000});
  REQUIRE(pool.reserved() == std::vector<std::string>{"strict"});
  Task wide = until(pool, "go", "wide");
  process_of(wide).weight = 2;
  pool.executor().begin(wide);
  Task strict = shell("test ! -e go; touch go", "strict");
  process_of(strict).cwd = pool.folder().path();
  process_of(strict).weight = 2;
  strict.strict = true;
  pool.executor().begin(strict);
  pool.ended(2);
  CHECK(pool.order() == std::vector<std::string>{"strict", "wide"});
}

TEST_CASE("who stands behind a heavy one begins when that leaves the line") {
  for (const bool all_below : {false, true}) {
    Pool pool(3);
    Task busy = until(pool, "go", "busy");
    process_of(busy).weight = 2;
    pool.executor().begin(busy);
    Task heavy = exec({"true"}, "group/heavy");
    process_of(heavy).weight = 2;
    pool.executor().begin(heavy);
    pool.executor().begin(exec({"true"}, "light"));
    if (all_below) {
      pool.executor().withdraw("group");
    } else {
      pool.executor().stop("group/heavy", 1);
    }
    // It could not end before the other if it waited for that.
    Task opens = shell("touch go", "opens");
    process_of(opens).cwd = pool.folder().path();
    pool.executor().begin(opens);
    const auto ended = pool.ended(all_below ? 3 : 4);
    CHECK(ended.at("light").ok());
    CHECK(pool.order().back() == "busy");
  }
}

}  // namespace flowrun::test::process_slots_test
