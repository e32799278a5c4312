// A journal that somebody else made or changed: nothing of it is run, and nobody waits for it.
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::foreign_test {
using namespace flowrun::scratch;

namespace {

namespace fs = std::filesystem;

void execute(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  char* why = nullptr;
  const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &why);
  INFO(sql << ": " << (why ? why : ""));
  REQUIRE(code == SQLITE_OK);
  sqlite3_close(handle);
}

void make_journal(const std::string& path) {
  Journal journal(path, Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, "text"));
  for (int i = 0; i < 3; ++i) journal.append(ended("a", Value::string("v")));
  journal.commit({}, at());
}

/// Both ways to open it say the same.
std::string refused(const std::string& path) {
  const std::string message = refusal(Problem::Journal, [&] { Journal(path, Journal::Mode::ReadWrite); });
  CHECK(refusal(Problem::Journal, [&] { Journal(path, Journal::Mode::ReadOnly); }) == message);
  return message;
}

constexpr const char* kEndless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";

}  // namespace

TEST_CASE("a journal is refused when anything is in its schema that flowrun did not put there") {
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path);
  const std::string sql = GENERATE_COPY(
      std::string("CREATE TABLE more (x)"), std::string("CREATE INDEX more ON entries (path)"),
      std::string("CREATE TRIGGER more AFTER INSERT ON entries BEGIN DELETE FROM runs; END"),
      std::string("CREATE TRIGGER more BEFORE UPDATE ON runs BEGIN SELECT load_extension('/tmp/x.so'); END"),
      fmt::format("CREATE VIEW more AS {}", kEndless),
      // In the place of one of ours.
      fmt::format("DROP VIEW steps; CREATE VIEW steps AS {}", kEndless),
      fmt::format("ALTER TABLE entries RENAME TO real; CREATE VIEW entries AS {}", kEndless),
      fmt::format("ALTER TABLE runs RENAME TO real; CREATE VIEW runs AS {}", kEndless),
      std::string("DROP INDEX mailbox_of_run; CREATE INDEX mailbox_of_run ON mailbox (id)"),
      std::string("ALTER TABLE entries ADD COLUMN more GENERATED ALWAYS AS (zeroblob(1000000000)) VIRTUAL"),
      std::string(
          "DROP TABLE vals; CREATE TABLE vals (hash TEXT PRIMARY KEY, value TEXT NOT NULL, CHECK (randomblob(9)))"),
      std::string("CREATE VIRTUAL TABLE more USING fts5(x)"), std::string("DROP TABLE mailbox"),
      std::string("DROP VIEW steps"), std::string("DROP TABLE meta"));
  execute(path, sql);
  INFO(sql);
  const std::string message = refused(path);
  INFO(message);
  CHECK(contains(message, path));
  CHECK((contains(message, "is not the one of flowrun") || contains(message, "are missing")));
  CHECK(contains(message, "--journal"));
}

TEST_CASE("a journal that somebody has analyzed or tidied is still one") {
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path);
  execute(path, "ANALYZE");
  execute(path, "VACUUM");
  execute(path, "REINDEX");
  CHECK_NOTHROW(Journal(path, Journal::Mode::ReadOnly));
  CHECK_NOTHROW(Journal(path, Journal::Mode::ReadWrite));
}

TEST_CASE("journals with the texts that the view of steps has had are still read") {
  // As written by the versions before: the text is kept by its hash alone, so it is this one that has to be known.
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path);
  CHECK_NOTHROW(Journal(path, Journal::Mode::ReadOnly));
  execute(path, "DROP VIEW steps");
  execute(path, "CREATE VIEW steps AS SELECT 1");
  CHECK(contains(refused(path), "its view `steps`"));
}

TEST_CASE("what stands in the place of the files beside a journal is neither opened nor waited for") {
  Folder folder;
  const std::string path = folder / "journal.db", victim = folder / "victim";
  std::ofstream(victim) << "precious";
  make_journal(path);
  const std::string end = GENERATE("-wal", "-shm", "-journal", "-lock", "-turn", "-shared");
  fs::remove(path + end);
  INFO(end);
  SECTION("a pipe") { REQUIRE(mkfifo((path + end).c_str(), 0666) == 0); }
  SECTION("a link") { fs::create_symlink(victim, path + end); }
  SECTION("a folder") { fs::create_directory(path + end); }
  const std::string message = refused(path);
  INFO(message);
  CHECK(contains(message, path + end));
  CHECK(fs::file_size(victim) == 8);
}

TEST_CASE("where everybody may write, a journal and the files beside it have to be those of their user") {
  Folder folder;
  const std::string path = folder / "journal.db", victim = folder / "victim";
  std::ofstream(victim) << "precious";
  fs::permissions(folder / "", fs::perms(01777));
  make_journal(path);
  SECTION("as they are when nobody else was there") {
    CHECK_NOTHROW(Journal(path, Journal::Mode::ReadWrite));
    CHECK_NOTHROW(Journal(path, Journal::Mode::ReadOnly));
  }
  SECTION("a second name for a file of the user") {
    const std::string end = GENERATE("-wal", "-shm", "-journal", "-lock", "-turn", "-shared");
    fs::remove(path + end);
    fs::create_hard_link(victim, path + end);
    CHECK(contains(refused(path), "somebody else has put " + path + end));
    CHECK(fs::file_size(victim) == 8);
  }
  SECTION("somebody else's file") {
    if (geteuid() != 0) return;  // only root can give it away
    const std::string end = GENERATE("-wal", "-shm", "-journal", "-lock", "-turn", "-shared");
    std::ofstream(path + end) << "";
    REQUIRE(chown((path + end).c_str(), 65534, 65534) == 0);
    CHECK(contains(refused(path), "somebody else has put " + path + end));
  }
  SECTION("somebody else's journal is read, and not written to") {
    if (geteuid() != 0) return;  // only root can give it away
    for (const char* end : {"", "-lock", "-turn"}) REQUIRE(chown((path + end).c_str(), 65534, 65534) == 0);
    CHECK_NOTHROW(Journal(path, Journal::Mode::ReadOnly));
    CHECK(contains(refusal(Problem::Journal, [&] { Journal(path, Journal::Mode::ReadWrite); }),
                   "not simply a file of this user"));
  }
}

TEST_CASE("a schema whose reading does not end is given up") {
  // Each page of the tree says ten times that the next is below it: a file of some pages with more rows than anybody
  // waits for.
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  constexpr std::size_t kPage = 4096, kLevels = 15, kCells = 100;
  const std::size_t pages = bytes.size() / kPage;
  const auto number = [](std::string& text, std::size_t at, std::size_t count, std::size_t value) {
    for (std::size_t i = 0; i < count; ++i) text[at + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
  };
  // An inner page of a table: https://www.sqlite.org/fileformat2.html, "B-tree Pages".
  const auto inner = [&](std::string& page, std::size_t header, std::size_t child) {
    page[header] = 0x05;
    number(page, header + 1, 2, 0);
    number(page, header + 3, 2, kCells);
    number(page, header + 5, 2, kPage - 5 * kCells);
    page[header + 7] = 0;
    number(page, header + 8, 4, child);
    for (std::size_t i = 0; i < kCells; ++i) {
      const std::size_t cell = kPage - 5 * (i + 1);
      number(page, header + 12 + 2 * i, 2, cell);
      number(page, cell, 4, child);
      page[cell + 4] = static_cast<char>(i + 1);
    }
  };
  const std::string leaf = bytes.substr(0, kPage);
  std::string root = leaf;
  inner(root, 100, pages + 1);
  std::string more;
  for (std::size_t level = 1; level < kLevels; ++level) {
    std::string page(kPage, '\0');
    inner(page, 0, pages + level + 1);
    more += page;
  }
  std::string last(kPage, '\0');  // a leaf without a row
  last[0] = 0x0D;
  number(last, 5, 2, 0);
  more += last;
  bytes = root + bytes.substr(kPage) + more;
  number(bytes, 28, 4, bytes.size() / kPage);
  file.seekp(0);
  file << bytes;
  file.close();
  const std::string message = refused(path);
  INFO(message);
  CHECK(contains(message, "damaged"));
}

}  // namespace flowrun::test::foreign_test
