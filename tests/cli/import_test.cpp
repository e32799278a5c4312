// flowrun import: what is no archive, is damaged, lies or is cut off gets nowhere.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "engine/journal/run_archive.h"
#include "engine/journal/sqlite.h"
#include "tests/cli/machines.h"
#include "tests/journal/damage.h"

namespace flowrun::test::import_test {
namespace {

namespace fs = std::filesystem;

/// Dozens of archives are made, and none has to outlive the power.
void not_to_disk(Database& database) {
  database.execute("PRAGMA synchronous = OFF");
  database.execute("PRAGMA journal_mode = MEMORY");
}

std::string sum_again(const std::string& file) {
  Database database(file, SQLITE_OPEN_READWRITE, file);
  not_to_disk(database);
  const std::string sum = archive_sum(database);
  Statement update(database, "UPDATE meta SET value = ? WHERE name = 'archive_sum'");
  update.use()(std::string_view(sum)).run();
  return sum;
}

void change(const std::string& file, const std::string& sql) {
  Database database(file, SQLITE_OPEN_READWRITE, file);
  not_to_disk(database);
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
  database.execute(sql.c_str());
}

}  // namespace

TEST_CASE("what is no archive, or says what none may, is refused and leaves nothing", "[export]") {
  const Computer here, there;
  const std::string good = everything(here, "r", kLittle);
  const std::string bytes = here.dir.read("work/r.flowrun");
  const std::string file = there.dir.path("work/x");
  const auto as_is = [&](std::string text) { return [&there, text] { there.dir.write("work/x", text); }; };
  const auto changed = [&](std::string sql, bool summed = true) {
    return [=] {
      fs::copy_file(good, file, fs::copy_options::overwrite_existing);
      change(file, sql);
      if (summed) sum_again(file);
    };
  };
  const auto with_file = [&](std::string name) {
    return [=] {
      fs::copy_file(good, file, fs::copy_options::overwrite_existing);
      Database database(file, SQLITE_OPEN_READWRITE, file);
      Statement insert(database, "INSERT INTO files (run, name, executable) VALUES (1, ?, 1)");
      insert.use()(std::string_view(name)).run();
      sum_again(file);
    };
  };
  std::string flipped = bytes;
  const std::size_t middle = flipped.find("seq 30");  // of a script, where no page is unused
  REQUIRE(middle != std::string::npos);
  flipped[middle] = static_cast<char>(flipped[middle] ^ 0x10);
  std::string wal = bytes;
  wal[18] = wal[19] = 2;
  struct Case {
    std::string what;
    std::function<void()> make;
    std::string said;
  };
  const std::vector<Case> cases = {
      {"empty", as_is(""), "it is empty"},
      {"text", as_is("flowrun: 1\nsteps: {}\n"), "it is no archive"},
      {"long text", as_is(std::string(100000, 'x')), "it is no archive of flowrun"},
      {"cut in its header", as_is(bytes.substr(0, 60)), "it is no archive of flowrun, or cut short"},
      {"cut", as_is(bytes.substr(0, bytes.size() - 1)), "it is cut short"},
      {"cut by half", as_is(bytes.substr(0, bytes.size() / 2)), "it is cut short"},
      {"longer", as_is(bytes + "x"), "it is longer"},
      {"a flipped bit", as_is(flipped), "it is damaged"},
      {"with a log", as_is(wal), "it is no archive as flowrun writes them"},
      {"sparse",
       as_is(bytes.substr(0, 16) + std::string("\x80\x00", 2) + bytes.substr(18, 10) + "\xff\xff\xff\xff" +
             bytes.substr(32)),
       "there is no room"},
      {"of another program", changed("PRAGMA application_id = 7"), "of another program"},
      {"a journal", changed("PRAGMA application_id = 1718382455"), "it is a journal, not an archive"},
      {"newer", changed("PRAGMA user_version = 9"), "schema 9"},
      {"a trigger", changed("CREATE TRIGGER t AFTER INSERT ON runs BEGIN SELECT 1; END", false), "its trigger `t`"},
      {"a view", changed("CREATE VIEW v AS SELECT 1", false), "its view `v`"},
      {"a table too few", changed("DROP TABLE mailbox", false), "tables of it are missing"},
      {"a generated column", changed("ALTER TABLE files ADD COLUMN x AS (hex(name))", false), "its table `files`"},
      {"no sum", changed("DELETE FROM meta WHERE name = 'archive_sum'", false), "its sum does not fit"},
      {"a changed row", changed("UPDATE runs SET name = 'n'", false), "its sum does not fit"},
      {"no run", changed("DELETE FROM runs"), "it is no archive as flowrun writes them"},
      {"a run without its origin's name",
       changed("INSERT INTO runs SELECT 2, 0, 0, started_at, alive_at, ended_at, state, 's', name, file, source_hash, "
               "input_ref, output_ref, input, output, error FROM runs"),
       "it is no archive as flowrun writes them"},
      {"an id with a way out", changed("UPDATE runs SET id = '../r'"), "its id is none"},
      {"another id", changed("UPDATE runs SET id = 's'"), "is another one by its first entry"},
      {"another text", changed("UPDATE sources SET text = text || ' '"), "text"},
      {"no text", changed("DELETE FROM sources"), "missing"},
      {"no entries", changed("DELETE FROM entries WHERE id > (1 << 40) + 3"), "missing"},
      {"a part too few", changed("UPDATE parts SET number = 2 WHERE number = 1"), "part"},
      {"up", with_file("../x"), "leads elsewhere"},
      {"up inside", with_file("a/../../x"), "leads elsewhere"},
      {"absolute", with_file("/tmp/flowrun-was-here"), "leads elsewhere"},
      {"a dot", with_file("."), "leads elsewhere"},
      {"two slashes", with_file("a//b"), "leads elsewhere"},
      {"a folder", with_file("a//"), "leads elsewhere"},
      {"nothing", with_file(""), "leads elsewhere"},
      {"a zero", with_file(std::string("a\0b", 3)), "leads elsewhere"},
      {"long", with_file(std::string(300, 'x')), "leads elsewhere"},
      {"ours", with_file(".flowrun-import"), "leads elsewhere"},
      {"a file as a folder", with_file("a/b/c d/x"), "can not stand beside the others"},
      {"a folder as a file", with_file("a"), "can not stand beside the others"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    there.dir.write("work/x", "");
    one.make();
    fs::remove(file + "-journal");
    fs::create_directories(there.dir.path("home/runs"));
    fs::permissions(there.dir.path("home/runs"), fs::perms::owner_all);
    const auto before = files_below(there.dir);
    const Ran ran = there.call({"import", "x"});
    CHECK(ran.code == 9);
    INFO(ran.err);
    CHECK(ran.err.find("error: x: ") == 0);
    CHECK(ran.err.find(one.said) != std::string::npos);
    CHECK(ran.err.find("nothing was taken in") != std::string::npos);
    CHECK(ran.err.find(".import-") == std::string::npos);
    CHECK(there.call({"list", "-q"}).out.empty());
    CHECK(files_below(there.dir) == before);
  }
  CHECK(!fs::exists("/tmp/flowrun-was-here"));
  // And an archive is no journal.
  const Ran as_journal = flowrun(good, {"show"});
  CHECK(as_journal.code == 9);
  CHECK(as_journal.err.find("is an archive, not a journal") != std::string::npos);
  CHECK(there.call({"import", good}).code == 0);
}

TEST_CASE("an import that is killed leaves the whole run or nothing, and the next one finds its way", "[export]") {
  const Computer here;
  const std::string file = everything(here, "r", kLittle);
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 chance(seed);
  for (int round = 0, whole = 0; round < 12; ++round) {
    CAPTURE(round, whole);
    const Computer there;
    there.call({"run", there.write("w.yaml", "steps: { a: { set: 1 } }\n"), "--id", "other"});
    Background job({FLOWRUN_BINARY, "--journal", there.journal, "import", file}, there.how);
    usleep(static_cast<useconds_t>(chance() % 300000));
    job.signal(SIGKILL);
    job.wait();
    const bool is_there = there.call({"show", "r"}).code == 0;
    whole += is_there;
    if (!is_there) {
      const Ran again = there.call({"import", file});
      INFO(again.err);
      REQUIRE(again.code == 0);
    }
    CHECK(there.call({"journal", "verify", "--all"}).code == 0);
    CHECK(there.call({"logs", "r"}).out == here.call({"logs", "r"}).out);
    CHECK(there.call({"prune", "r"}).code == 0);
    // Prune takes what is the run's; the import after it what its killed ones have left.
    REQUIRE(there.call({"import", file}).code == 0);
    CHECK(files_below(there.dir, "home/runs") == files_below(here.dir, "home/runs"));
  }
}

TEST_CASE("archives that are damaged by chance are taken in as they were, or not at all", "[export]") {
  const Computer here;
  const std::string good = everything(here, "r", kLittle);
  const std::string bytes = here.dir.read("work/r.flowrun");
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 chance(seed);
  int taken = 0;
  for (int round = 0; round < 90; ++round) {
    CAPTURE(round);
    const Computer there;
    const std::string file = there.dir.path("work/x");
    std::string what;
    if (round % 3 == 0) {
      std::string broken = bytes;
      for (std::size_t flips = 1 + chance() % 20; flips > 0; --flips) {
        // Half of them where SQLite has its own.
        const std::size_t at = chance() % (chance() % 2 ? broken.size() : 8192);
        broken[at] = static_cast<char>(broken[at] ^ (1 << chance() % 8));
      }
      if (chance() % 4 == 0) broken.resize(chance() % broken.size());
      there.dir.write("work/x", broken);
    } else {
      there.dir.write("work/x", bytes);
      what = damage(file, chance, round % 3 == 1);
      fs::remove(file + "-journal");
      sum_again(file);
    }
    CAPTURE(what);
    auto before = files_below(there.dir);
    const Ran ran = there.call({"import", "x"});
    INFO(ran.err);
    const bool in = ran.code == 0;
    taken += in;
    if (!in) {
      CHECK((ran.code == 9 || ran.code == 8));
      CHECK(ran.err.find("error: x") == 0);
      auto after = files_below(there.dir);
      after.erase("home/runs");
      CHECK(after == before);
      CHECK(there.call({"list", "-q"}).out.empty());
    }
    CHECK(there.call({"journal", "verify", "--all"}).code == 0);
    for (const auto& [name, text] : files_below(there.dir))
      CHECK(
          (before.count(name) > 0 || name == "home/runs" || name == "home/runs/r" || name.starts_with("home/runs/r/")));
  }
  CAPTURE(taken);
  CHECK(taken < 45);
}

}  // namespace flowrun::test::import_test
