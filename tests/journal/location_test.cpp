#include <cstdlib>
#include <fstream>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::location_test {
using namespace flowrun::scratch;

namespace {

/// A working directory and an environment of its own.
struct Place {
  Place() {
    for (const char* name : {"FLOWRUN_JOURNAL", "XDG_STATE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      before.emplace_back(name, value ? std::optional<std::string>(value) : std::nullopt);
      unsetenv(name);
    }
    std::filesystem::create_directories(folder / "a/b/c");
    std::filesystem::current_path(folder / "a/b/c");
  }
  ~Place() {
    std::filesystem::current_path(cwd);
    for (const auto& [name, value] : before) value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
  }
  void touch(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream{path};
  }

  Folder folder;
  std::filesystem::path cwd = std::filesystem::current_path();
  std::vector<std::pair<std::string, std::optional<std::string>>> before;
};

}  // namespace

TEST_CASE("the journal is where the flag, the variable, the project or the home says, in this order") {
  Place place;
  REQUIRE(contains(refusal(Problem::Usage, [] { journal_path(""); }), "FLOWRUN_JOURNAL"));
  setenv("HOME", "relative", 1);
  REQUIRE(contains(refusal(Problem::Usage, [] { journal_path(""); }), "HOME"));
  setenv("HOME", "/home/x", 1);
  REQUIRE(journal_path("") == "/home/x/.local/state/flowrun/journal.db");
  setenv("XDG_STATE_HOME", "relative", 1);
  REQUIRE(journal_path("") == "/home/x/.local/state/flowrun/journal.db");
  setenv("XDG_STATE_HOME", "/state", 1);
  REQUIRE(journal_path("") == "/state/flowrun/journal.db");

  std::filesystem::create_directories(place.folder / "a/b/.flowrun");
  REQUIRE(journal_path("") == "/state/flowrun/journal.db");
  place.touch(place.folder / "a/.flowrun/journal.db");
  REQUIRE(std::filesystem::equivalent(journal_path(""), place.folder / "a/.flowrun/journal.db"));
  place.touch(place.folder / "a/b/c/.flowrun/journal.db");
  REQUIRE(std::filesystem::equivalent(journal_path(""), place.folder / "a/b/c/.flowrun/journal.db"));

  setenv("FLOWRUN_JOURNAL", "", 1);
  REQUIRE(std::filesystem::equivalent(journal_path(""), place.folder / "a/b/c/.flowrun/journal.db"));
  setenv("FLOWRUN_JOURNAL", "v.db", 1);
  REQUIRE(journal_path("") == "v.db");
  REQUIRE(journal_path("f.db") == "f.db");
}

TEST_CASE("a journal of another user is not taken for the project's") {
  Place place;
  if (geteuid() != 0) return;  // only root can make one
  setenv("HOME", "/home/x", 1);
  place.touch(place.folder / "a/.flowrun/journal.db");
  REQUIRE(chown((place.folder / "a/.flowrun/journal.db").c_str(), 65534, 65534) == 0);
  REQUIRE(contains(refusal(Problem::Journal, [] { journal_path(""); }), "belongs to another user"));
}

}  // namespace flowrun::test::location_test
