// Processes that outlived who had started them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "engine/executor/leftovers.h"
#include "tests/executor/pool.h"

namespace flowrun::test::leftovers_test {
namespace {

/// Starts |script| so that nobody waits for it, with the marks of a step; returns when it has written its pid.
int orphan(Pool& pool, const std::string& step, const std::string& script) {
  Task task = shell("(trap '' HUP; " + script + ") > /dev/null 2>&1 < /dev/null & exit 0", step);
  process_of(task).cwd = pool.folder().path();
  std::filesystem::remove(pool.folder().path("pid"));
  REQUIRE(pool.run(task).ok());
  int pid = 0;
  REQUIRE(soon([&] { return (pid = std::atoi(pool.folder().read("pid").c_str())) > 0; }));
  return pid;
}

/// Returns when |pid| has become the program `sleep`: it wrote its pid before.
void until_it_sleeps(int pid) {
  auto sleeps = [&] {
    std::ifstream in("/proc/" + std::to_string(pid) + "/comm");
    std::string name;
    return std::getline(in, name) && name == "sleep";
  };
  REQUIRE(soon(sleeps));
}

}  // namespace

TEST_CASE("leftovers of steps in flight are ended, those of other steps only reported") {
  Pool pool;
  int wanted = orphan(pool, "load", "echo $BASHPID > pid; exec sleep 300");
  int other = orphan(pool, "daemon", "echo $BASHPID > pid; exec sleep 301");
  until_it_sleeps(wanted);
  until_it_sleeps(other);
  std::vector<Leftover> leftovers = end_leftovers({pool.options().token}, {"load"}, Duration{5000});
  CHECK_FALSE(alive(wanted));
  CHECK(alive(other));
  std::set<std::pair<int, bool>> told;
  for (const Leftover& leftover : leftovers) told.insert({leftover.pid, leftover.ended});
  CHECK(told == std::set<std::pair<int, bool>>{{wanted, true}, {other, false}});
  for (const Leftover& leftover : leftovers) CHECK(leftover.command == (leftover.ended ? "sleep 300" : "sleep 301"));
  kill(other, SIGKILL);
}

TEST_CASE("a leftover that ignores TERM is killed, with what it goes on starting") {
  Pool pool;
  int pid = orphan(pool, "load", "trap '' TERM; echo $BASHPID > pid; while :; do sleep 0.05; done");
  auto leftovers = end_leftovers({pool.options().token}, {"load"}, Duration{200});
  CHECK_FALSE(leftovers.empty());
  CHECK_FALSE(alive(pid));
  CHECK(end_leftovers({pool.options().token}, {"load"}, Duration{200}).empty());
}

TEST_CASE("processes of other runs, this process and its parents are left alone") {
  Pool pool;
  int pid = orphan(pool, "load", "echo $BASHPID > pid; exec sleep 300");
  CHECK(end_leftovers({"another token"}, {"load"}, Duration{1000}).empty());
  CHECK(end_leftovers({}, {"load"}, Duration{1000}).empty());
  CHECK(alive(pid));
  kill(pid, SIGKILL);
}

}  // namespace flowrun::test::leftovers_test
