// The log that is longer than what it holds: nobody mistakes the zeros for anything, and it does not grow for ever.
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::wal_reserve_test {
using namespace flowrun::scratch;

namespace {

namespace fs = std::filesystem;

std::uintmax_t log_size(const std::string& journal) { return fs::file_size(journal + "-wal"); }

/// Bytes of the log that are not zeros, up to the last of them.
std::size_t used(const std::string& journal) {
  std::ifstream in(journal + "-wal", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  return bytes.find_last_not_of('\0') + 1;
}

void commit(Journal& journal, int times, std::size_t bytes = 10) {
  for (int i = 0; i < times; ++i) {
    journal.append(ended("a", Value::string(std::string(bytes, 'v'))));
    journal.commit({}, at());
  }
}

}  // namespace

TEST_CASE("commits overwrite zeros that were there before them") {
  Folder folder;
  const std::string path = folder / "journal.db";
  Journal journal(path, Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  // From the first on, and ever further ahead: one commit in many finds no room.
  int grown = 0;
  std::uintmax_t before = log_size(path);
  CHECK(before > used(path));
  for (int i = 0; i < 300; ++i) {
    commit(journal, 1);
    grown += log_size(path) != before;
    before = log_size(path);
  }
  CHECK(grown > 0);
  CHECK(grown < 10);
}

TEST_CASE("what a crash leaves of a log with room in it is all that was committed") {
  Folder folder;
  const std::string path = folder / "journal.db", copy = folder / "copy.db";
  RunRecord run = record("order-1-aaaa");
  Journal journal(path, Journal::Mode::Create);
  REQUIRE(journal.create(run, ""));
  for (int commits : {1, 5, 20, 100, 500}) {
    commit(journal, commits);
    CHECK(log_size(path) > used(path));
    // The files as they stand on the disk, without the memory that the processes share.
    fs::remove(copy + "-shm");
    for (const char* part : {"", "-wal"}) fs::copy_file(path + part, copy + part, fs::copy_options::overwrite_existing);
    Journal crashed(copy, Journal::Mode::Create);
    const RunRecord found = crashed.find("@last");
    CHECK(found.last_seq == journal.find("@last").last_seq);
    crashed.check_sums(found);
    CHECK(crashed.check_file().empty());
  }
}

TEST_CASE("a log of zeros alone holds nothing") {
  Folder folder;
  const std::string path = folder / "journal.db";
  RunRecord run = record("order-1-aaaa");
  {
    Journal journal(path, Journal::Mode::Create);
    REQUIRE(journal.create(run, ""));
    commit(journal, 3);
  }
  REQUIRE_FALSE(fs::exists(path + "-wal"));
  std::ofstream(path + "-wal", std::ios::binary) << std::string(64 << 10, '\0');
  Journal journal(path, Journal::Mode::Create);
  CHECK(journal.find("@last").last_seq == 3);
  journal.lock(journal.find("@last"));
  commit(journal, 3);
  CHECK(journal.find("@last").last_seq == 6);
  journal.check_sums(journal.find("@last"));
}

TEST_CASE("the log is begun anew when it has been carried over, and grows no further") {
  Folder folder;
  const std::string path = folder / "journal.db";
  Journal journal(path, Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, ""));
  commit(journal, 3000, 3000);
  CHECK(fs::file_size(path) > 3'000'000);
  CHECK(log_size(path) < 6'000'000);
  const std::uintmax_t full = log_size(path);
  commit(journal, 2000, 3000);
  CHECK(log_size(path) == full);
  journal.check_sums(journal.find("@last"));
}

}  // namespace flowrun::test::wal_reserve_test
