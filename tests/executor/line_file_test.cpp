// What waits in line, as the next drive finds it.
#include <filesystem>
#include <map>
#include <random>

#include "engine/executor/line_file.h"
#include "tests/executor/open_folder.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::line_file_test {

TEST_CASE("a line file tells who waits, at any moment, and no one else") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  TempDir dir;
  const std::string file = dir.path("line");
  const OpenFolder folder(dir.path());
  LineFile line(folder, "token");
  CHECK_FALSE(std::filesystem::exists(file));
  std::map<std::pair<std::string, int>, std::size_t> waiting;
  for (int step = 0; step < 3000; ++step) {
    const std::pair<std::string, int> who{"g[" + std::to_string(random() % 40) + "]/a", 1 + random() % 3};
    if (auto found = waiting.find(who); found != waiting.end()) {
      line.remove(found->second);
      waiting.erase(found);
    } else {
      auto slot = line.add(who.first, who.second, LineKind::Slot);
      REQUIRE(slot);
      waiting[who] = *slot;
    }
    if (step % 50 != 0) continue;
    const LeftInLine left(dir.path(), "token");
    for (int i = 0; i < 40; ++i)
      for (int attempt = 1; attempt <= 3; ++attempt) {
        const std::string path = "g[" + std::to_string(i) + "]/a";
        CHECK(left.holds(path, attempt) == (waiting.count({path, attempt}) > 0));
      }
  }
}

TEST_CASE("a line file of another drive, a copy and a cut one say nothing; one that can not be made stops nobody") {
  TempDir dir;
  const std::string file = dir.path("line");
  {
    const OpenFolder folder(dir.path());
    LineFile line(folder, "token");
    REQUIRE(line.add("a", 1, LineKind::Slot));
    REQUIRE(line.add("shared", 1, LineKind::SharedPlace));
    CHECK(LeftInLine(dir.path(), "token").holds("a", 1));
    CHECK_FALSE(LeftInLine(dir.path(), "token").holds("a", 2));
    CHECK(LeftInLine(dir.path(), "token").kind_of("a", 1) == LineKind::Slot);
    CHECK(LeftInLine(dir.path(), "token").kind_of("shared", 1) == LineKind::SharedPlace);
    CHECK_FALSE(LeftInLine(dir.path(), "other").holds("a", 1));
    TempDir other;
    std::filesystem::create_symlink(file, other.path("line"));
    CHECK_FALSE(LeftInLine(other.path(), "token").holds("a", 1));
    std::filesystem::remove(other.path("line"));
    std::filesystem::copy_file(file, other.path("line"));
    CHECK_FALSE(LeftInLine(other.path(), "token").holds("a", 1));
    std::filesystem::resize_file(other.path("line"), 100);
    CHECK_FALSE(LeftInLine(other.path(), "token").holds("a", 1));
  }
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK_FALSE(LeftInLine(dir.path(), "token").holds("a", 1));
  const OpenFolder missing(dir.path("no/such/folder"));
  LineFile nowhere(missing, "token");
  CHECK_FALSE(nowhere.add("a", 1, LineKind::Slot));
}

TEST_CASE("of more than fit in a line file the rest counts as begun") {
  TempDir dir;
  const OpenFolder folder(dir.path());
  LineFile line(folder, "token");
  std::size_t kept = 0;
  for (int i = 0; i < 10000; ++i) kept += line.add(std::to_string(i), 1, LineKind::Slot).has_value();
  CHECK(kept == 8192);
  line.remove(17);
  CHECK(line.add("again", 1, LineKind::Slot) == 17);
}

}  // namespace flowrun::test::line_file_test
