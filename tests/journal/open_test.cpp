#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "engine/journal/journal.h"
#include "tests/journal/scratch.h"
#include "tests/support/catch.h"

namespace flowrun::test::open_test {
using namespace flowrun::scratch;

namespace {

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

mode_t mode_of(const std::string& path) {
  struct stat status {};
  stat(path.c_str(), &status);
  return status.st_mode & 0777;
}

void execute(const std::string& path, const char* sql) {
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  REQUIRE(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
}

std::string refusal_to_open(const std::string& path, Journal::Mode mode = Journal::Mode::Create) {
  return refusal(Problem::Journal, [&] { Journal(path, mode); });
}

/// A journal with a run in it, closed.
void make_journal(const std::string& path, int entries = 3) {
  Journal journal(path, Journal::Mode::Create);
  RunRecord run = record("order-1-aaaa");
  REQUIRE(journal.create(run, "text"));
  for (int i = 0; i < entries; ++i) journal.append(ended("a", Value::string(std::string(500, 'v'))));
  journal.commit({}, at());
}

}  // namespace

TEST_CASE("a new journal and its folders belong to their user alone") {
  Folder folder;
  const mode_t before = umask(0);
  const std::string path = folder / "state/flowrun/journal.db";
  {
    Journal journal(path, Journal::Mode::Create);
    REQUIRE(journal.path() == std::filesystem::canonical(path));
    REQUIRE(journal.run_dir("x-1") == std::filesystem::path(journal.path()).parent_path() / "runs/x-1");
    RunRecord run = record("a-1");
    REQUIRE(journal.create(run, ""));
    REQUIRE(mode_of(path + "-wal") == 0600);
  }
  umask(before);
  REQUIRE(mode_of(path) == 0600);
  REQUIRE(mode_of(path + "-lock") == 0600);
  REQUIRE(mode_of(path + "-turn") == 0600);
  REQUIRE(mode_of(folder / "state/flowrun") == 0700);
  REQUIRE(mode_of(folder / "state") == 0700);
}

TEST_CASE("a new journal is set up to be durable and to shrink") {
  Folder folder;
  make_journal(folder / "journal.db");
  sqlite3* handle = nullptr;
  sqlite3_open((folder / "journal.db").c_str(), &handle);
  const auto pragma = [&](const std::string& name) {
    std::string value;
    sqlite3_exec(
        handle, ("PRAGMA " + name).c_str(),
        [](void* to, int, char** values, char**) {
          *static_cast<std::string*>(to) = values[0];
          return 0;
        },
        &value, nullptr);
    return value;
  };
  REQUIRE(pragma("journal_mode") == "wal");
  REQUIRE(pragma("auto_vacuum") == "2");
  REQUIRE(pragma("application_id") == std::to_string(0x666c6f77));
  REQUIRE(pragma("user_version") == "2");
  sqlite3_close(handle);
}

TEST_CASE("a file of zero bytes becomes a journal") {
  Folder folder;
  write_file(folder / "journal.db", "");
  REQUIRE(contains(refusal(Problem::Impossible, [&] { Journal(folder / "journal.db", Journal::Mode::ReadOnly); }),
                   "no run yet"));
  make_journal(folder / "journal.db");
  REQUIRE(mode_of(folder / "journal.db") == 0600);

  SECTION("but not when its log says that it was cut to that") {
    write_file(folder / "journal.db-wal", "entries");
    std::filesystem::resize_file(folder / "journal.db", 0);
    for (auto mode : {Journal::Mode::Create, Journal::Mode::ReadOnly}) {
      REQUIRE(contains(refusal_to_open(folder / "journal.db", mode), "cut short"));
      REQUIRE(std::filesystem::file_size(folder / "journal.db-wal") == 7);
    }
  }
}

TEST_CASE("what is no journal is left alone, and the message says where to go") {
  Folder folder;
  const std::string path = folder / "journal.db";
  std::string message;
  std::string expected;
  SECTION("text") {
    write_file(path, std::string(5000, 'x'));
    expected = "not a journal of flowrun";
  }
  SECTION("a short text") {
    write_file(path, "flowrun: 1\n");
    expected = "not a journal of flowrun";
  }
  SECTION("another program's database") {
    execute(path, "CREATE TABLE runs (id)");
    expected = "of another program";
  }
  SECTION("another program's database that says so") {
    execute(path, "PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE runs (id)");
    expected = "of another program";
  }
  SECTION("a folder") {
    std::filesystem::create_directory(path);
    expected = "it is a folder";
  }
  SECTION("a pipe") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    expected = "not a regular file";
  }
  for (auto mode : {Journal::Mode::Create, Journal::Mode::ReadOnly}) {
    message = refusal_to_open(path, mode);
    INFO(message);
    REQUIRE(contains(message, path));
    REQUIRE(contains(message, expected));
    REQUIRE(contains(message, "FLOWRUN_JOURNAL"));
  }
}

TEST_CASE("a journal of a newer flowrun says which one it takes") {
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path);
  execute(path, "PRAGMA user_version = 7; UPDATE meta SET value = '3.1.0' WHERE name = 'needs_flowrun'");
  for (auto mode : {Journal::Mode::Create, Journal::Mode::ReadOnly})
    REQUIRE(contains(refusal_to_open(path, mode), "it takes flowrun 3.1.0 or newer"));
  execute(path, "DROP TABLE meta");
  REQUIRE(contains(refusal_to_open(path), "it takes a newer flowrun"));
}

TEST_CASE("a journal that was cut short is refused") {
  Folder folder;
  const std::string path = folder / "journal.db";
  make_journal(path, 200);
  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, GENERATE_COPY(size - 4096, size / 2, std::uintmax_t(4096), std::uintmax_t(1000)));
  const std::string message = refusal_to_open(path);
  INFO(message);
  REQUIRE(contains(message, path));
  REQUIRE((contains(message, "cut short") || contains(message, "not a journal of flowrun")));
}

TEST_CASE("who only looks makes nothing") {
  Folder folder;
  const std::string message =
      refusal(Problem::Impossible, [&] { Journal(folder / "sub/journal.db", Journal::Mode::ReadOnly); });
  REQUIRE(contains(message, "there is no journal at"));
  REQUIRE_FALSE(std::filesystem::exists(folder / "sub"));
}

TEST_CASE("where the user may not write, the message names the file and the way out") {
  Folder folder;
  std::filesystem::permissions(folder / "", std::filesystem::perms(0755));
  std::filesystem::create_directory(folder / "locked");
  std::filesystem::permissions(folder / "locked", std::filesystem::perms(0555));
  std::filesystem::create_directory(folder / "closed");
  std::filesystem::permissions(folder / "closed", std::filesystem::perms(0));
  make_journal(folder / "theirs.db");
  std::filesystem::permissions(folder / "theirs.db", std::filesystem::perms(0444));
  for (const char* name : {"theirs.db-lock", "theirs.db-turn"})
    std::filesystem::permissions(folder / name, std::filesystem::perms(0666));

  // The rights of root are no test.
  Child child([&](Child&) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 77;
    for (const char* name : {"locked/journal.db", "locked/sub/journal.db", "closed/journal.db", "theirs.db"}) {
      const std::string message = refusal_to_open(folder / name);
      if (!contains(message, folder / name) || !contains(message, "FLOWRUN_JOURNAL names another")) {
        fprintf(stderr, "%s: %s\n", name, message.c_str());
        return 1;
      }
    }
    return 0;
  });
  const int code = child.exit_code();
  if (code == 77) WARN("can not become another user here");
  REQUIRE((code == 0 || code == 77));
}

TEST_CASE("a journal in a folder that may not be written is read") {
  Folder folder;
  std::filesystem::permissions(folder / "", std::filesystem::perms(0755));
  std::filesystem::create_directory(folder / "copy");
  make_journal(folder / "copy/journal.db");
  std::filesystem::permissions(folder / "copy/journal.db", std::filesystem::perms(0444));
  std::filesystem::permissions(folder / "copy", std::filesystem::perms(0555));
  Child child([&](Child&) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 77;
    const Journal journal(folder / "copy/journal.db", Journal::Mode::ReadOnly);
    return journal.read(journal.find("@last").number, 1).size() == 3 ? 0 : 1;
  });
  const int code = child.exit_code();
  if (code == 77) WARN("can not become another user here");
  REQUIRE((code == 0 || code == 77));

  SECTION("unless part of it is in a log that can not be read there") {
    std::filesystem::permissions(folder / "copy", std::filesystem::perms(0755));
    write_file(folder / "copy/journal.db-wal", std::string(5000, 'x'));
    std::filesystem::permissions(folder / "copy/journal.db-wal", std::filesystem::perms(0444));
    std::filesystem::permissions(folder / "copy", std::filesystem::perms(0555));
    Child other([&](Child&) {
      if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 77;
      return contains(refusal_to_open(folder / "copy/journal.db", Journal::Mode::ReadOnly), "copy the journal") ? 0 : 1;
    });
    const int other_code = other.exit_code();
    REQUIRE((other_code == 0 || other_code == 77));
  }
  std::filesystem::permissions(folder / "copy", std::filesystem::perms(0755));
}

TEST_CASE("names with unusual characters are names") {
  Folder folder;
  const std::string path = folder / "a b?c#d%20e/journal 1.db";
  make_journal(path);
  REQUIRE(std::filesystem::exists(path));
  REQUIRE(Journal(path, Journal::Mode::ReadOnly).find("@last").id == "order-1-aaaa");
}

TEST_CASE("a link to a journal is that journal, with its locks") {
  Folder folder;
  make_journal(folder / "journal.db");
  std::filesystem::create_symlink(folder / "journal.db", folder / "link.db");
  Journal journal(folder / "link.db", Journal::Mode::Create);
  REQUIRE(journal.find("@last").id == "order-1-aaaa");
  REQUIRE_FALSE(std::filesystem::exists(folder / "link.db-lock"));
}

TEST_CASE("several processes that begin the same journal at once make one") {
  Folder folder;
  const std::string path = folder / "new/journal.db";
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 6; ++i)
    children.push_back(std::make_unique<Child>([&, i](Child& parent) {
      parent.hear();
      Journal journal(path, Journal::Mode::Create);
      RunRecord run = record("run-" + std::to_string(i));
      if (!journal.create(run, "text")) return 1;
      journal.append(ended("a"));
      journal.commit({}, at());
      return 0;
    }));
  for (auto& child : children) child->tell();
  for (auto& child : children) REQUIRE(child->exit_code() == 0);
  const Journal journal(path, Journal::Mode::ReadOnly);
  REQUIRE(journal.list({}).size() == 6);
  REQUIRE(journal.check_file().empty());
}

}  // namespace flowrun::test::open_test
