// The line for what drives share, and its places: who is the first, what the end of a holder frees, and what stands in
// the place of the file. Two SharedFiles are to each other what two processes are; one test forks a real one.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/error.h"
#include "engine/shared/held_places.h"
#include "engine/shared/shared_line.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::shared_line_test {
namespace {

/// A drive that wants places of one name.
struct Drive {
  explicit Drive(const TempDir& dir, const char* name = "api")
      : file(dir.path("j-shared")), line(file, "limit", name) {}
  bool take(std::size_t weight, std::size_t most) {
    if (!line.is_first() || !line.take(weight, most, places)) return false;
    line.leave();
    return true;
  }
  void give_back() { line.give_back(std::exchange(places, {})); }
  /// What a process is told that it starts in its places.
  HeldPlaces told(const std::string& holder) const {
    return {file.identity(), holder, ranges_of(places.bytes), places.mark};
  }
  SharedFile file;
  SharedLine line;
  TakenPlaces places;  ///< that came last
};

/// This process is below those.
struct Below {
  explicit Below(const std::vector<HeldPlaces>& held) { setenv(kHeldPlaces, to_text(held).c_str(), 1); }
  ~Below() { unsetenv(kHeldPlaces); }
};

}  // namespace

TEST_CASE("nobody overtakes in a line, and its first takes what is free", "[shared]") {
  TempDir dir;
  Drive a(dir), b(dir), c(dir), d(dir);
  CHECK(a.take(1, 2));
  CHECK(b.take(1, 2));
  CHECK_FALSE(c.take(1, 2));  // full; it stands in line from here on
  CHECK_FALSE(d.take(1, 2));
  b.give_back();
  CHECK_FALSE(d.take(1, 2));  // c is before it
  CHECK(c.take(1, 2));
  CHECK_FALSE(d.take(1, 2));
  CHECK(d.line.taken_by_others() == 2);
  a.give_back();
  CHECK(d.take(1, 2));
}

TEST_CASE("weights are counted over all, and what is heavier than all takes all", "[shared]") {
  TempDir dir;
  Drive a(dir), b(dir), c(dir);
  CHECK(a.take(2, 4));
  CHECK_FALSE(b.take(9, 4));  // needs all four
  CHECK_FALSE(c.take(1, 4));  // there is room, but b is before it
  a.give_back();
  CHECK(b.take(9, 4));
  CHECK(b.places.bytes.size() == 4);
  CHECK_FALSE(c.take(1, 4));
  b.give_back();
  CHECK(c.take(1, 4));
}

TEST_CASE("each keeps to its own bound", "[shared]") {
  TempDir dir;
  Drive wide(dir), narrow(dir);
  CHECK(wide.take(1, 3));
  CHECK_FALSE(narrow.take(1, 1));
  narrow.line.leave();
  CHECK(wide.take(1, 3));
  CHECK(narrow.line.taken_by_others() == 2);
}

TEST_CASE("other names, and other kinds of names, are other lines", "[shared]") {
  TempDir dir;
  Drive a(dir, "a"), b(dir, "b");
  CHECK(a.take(1, 1));
  CHECK(b.take(1, 1));
  CHECK(shared_area("limit", "a") != shared_area("exclusive", "a"));
}

TEST_CASE("a line that ends is left, wherever one stood in it", "[shared]") {
  TempDir dir;
  auto holder = std::make_unique<Drive>(dir), first = std::make_unique<Drive>(dir),
       second = std::make_unique<Drive>(dir);
  CHECK(holder->take(1, 1));
  CHECK_FALSE(first->take(1, 1));
  CHECK_FALSE(second->take(1, 1));
  first.reset();
  CHECK_FALSE(second->take(1, 1));
  holder.reset();
  CHECK(second->take(1, 1));
}

TEST_CASE("what a process had is free when it is killed", "[shared]") {
  TempDir dir;
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Drive holder(dir), waiter(dir);
    const bool as_meant = holder.take(2, 2) && !waiter.take(1, 2);
    if (write(ready[1], as_meant ? "y" : "n", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 0;
  REQUIRE(read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  Drive here(dir);
  CHECK_FALSE(here.take(1, 2));
  CHECK(here.line.taken_by_others() == 2);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(here.take(1, 2));
  for (const int end : ready) close(end);
}

TEST_CASE("a holder around this process is one while it has its places, and not who has them after it", "[shared]") {
  TempDir dir;
  Drive outer(dir), inner(dir), stranger(dir), here(dir);
  REQUIRE(outer.take(1, 2));
  REQUIRE(inner.take(1, 2));
  const Below below({outer.told("outer"), inner.told("inner")});
  CHECK(here.line.never_behind(1, 2) == "inner");
  inner.give_back();
  CHECK(here.line.never_behind(1, 2).empty());
  CHECK(here.line.never_behind(2, 2) == "outer");
  REQUIRE(stranger.take(1, 2));
  CHECK(here.line.never_behind(1, 2).empty());
  CHECK(here.line.never_behind(2, 2) == "outer");
  outer.give_back();
  REQUIRE(stranger.take(1, 2));
  CHECK(stranger.line.taken_by_others() == 0);
  CHECK(here.line.taken_by_others() == 2);
  CHECK(here.line.never_behind(2, 2).empty());
}

TEST_CASE("a place that is told twice is one place", "[shared]") {
  TempDir dir;
  Drive outer(dir), here(dir);
  REQUIRE(outer.take(1, 2));
  HeldPlaces twice = outer.told("outer");
  twice.places.push_back(twice.places.front());
  const Below below({outer.told("outer"), twice});
  CHECK(here.line.never_behind(1, 2).empty());
  CHECK(here.line.never_behind(2, 2) == "outer");
}

TEST_CASE("at random, never more than there are places, and all have theirs in the end", "[shared]") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  TempDir dir;
  constexpr std::size_t kPlaces = 5;
  std::vector<std::unique_ptr<Drive>> drives;
  for (int i = 0; i < 6; ++i) drives.push_back(std::make_unique<Drive>(dir));
  std::vector<int> had(drives.size(), 0);
  for (int turn = 0; turn < 3000; ++turn) {
    const std::size_t i = random() % drives.size();
    Drive& one = *drives[i];
    if (one.places.empty()) {
      if (one.take(1 + random() % 3, kPlaces)) ++had[i];
    } else if (random() % 3 == 0) {
      one.give_back();
    } else if (random() % 50 == 0) {
      drives[i] = std::make_unique<Drive>(dir);  // killed
    }
    std::size_t taken = 0;
    for (const auto& each : drives) taken += each->places.bytes.size();
    REQUIRE(taken <= kPlaces);
  }
  // Each in its turn: nobody has many times what another has.
  CHECK(*std::min_element(had.begin(), had.end()) > 0);
  CHECK(*std::max_element(had.begin(), had.end()) < 3 * *std::min_element(had.begin(), had.end()));
}

TEST_CASE("only a file of its own is a shared file", "[shared]") {
  TempDir dir;
  const std::string path = dir.path("j-shared");
  SECTION("a link is not followed") {
    dir.write("theirs", "x");
    REQUIRE(symlink(dir.path("theirs").c_str(), path.c_str()) == 0);
    CHECK_THROWS_AS(SharedFile(path), Error);
    CHECK(dir.read("theirs") == "x");
  }
  SECTION("a pipe is not waited for") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK_THROWS_AS(SharedFile(path), Error);
  }
  SECTION("a folder is none") {
    REQUIRE(mkdir(path.c_str(), 0700) == 0);
    CHECK_THROWS_AS(SharedFile(path), Error);
  }
  SECTION("a second name of some file is none") {
    dir.write("theirs", "x");
    REQUIRE(link(dir.path("theirs").c_str(), path.c_str()) == 0);
    CHECK_THROWS_AS(SharedFile(path), Error);
  }
  SECTION("a new one is this user's alone") {
    SharedFile file(path);
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

}  // namespace flowrun::test::shared_line_test
