// The store of results: files by content, sums from memory, what is damaged or somebody else's.
#include "engine/memo/memo_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/journal/sqlite.h"
#include "engine/model/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::memo_store_test {
namespace {

namespace fs = std::filesystem;

KeptResult result(const std::string& key, const std::string& step, std::int64_t at) {
  KeptResult kept;
  kept.key = key;
  kept.workflow = "w";
  kept.step = step;
  kept.run = "r";
  kept.at = from_millis(at);
  kept.result = "{}";
  return kept;
}

bool has_no_sum(MemoStore& store, const std::string& path) {
  try {
    store.sum_of(path);
  } catch (const std::exception&) {
    return true;
  }
  return false;
}

/// What |work| throws says.
std::string thrown(const auto& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("results are found by key, and the newest of a step", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db"));
  store.keep({result("k1", "a", 1000), result("k2", "a", 2000), result("k3", "b", 3000)});
  CHECK(store.find("k1")->at == from_millis(1000));
  CHECK_FALSE(store.find("k4"));
  CHECK(store.newest("w", "a")->key == "k2");
  CHECK_FALSE(store.newest("v", "a"));
  // Another connection sees them, and the salt is one for all.
  MemoStore other(dir.path("j.db"));
  CHECK(other.list().size() == 3);
  CHECK(other.salt() == store.salt());
  CHECK(other.salt().size() == 32);
  store.keep({result("k1", "a", 5000)});
  CHECK(other.newest("w", "a")->key == "k1");
  CHECK(other.remove({"k1", "k9"}) == 1);
  CHECK(store.list().size() == 2);
}

TEST_CASE("a long list of sums stands once for all results that have it, and goes with the last", "[memo]") {
  TempDir dir;
  const std::string index = dir.path("j.db") + "-memo/1/index.db";
  const auto lists = [&] {
    Database database(index, SQLITE_OPEN_READONLY, index);
    return database.integer("SELECT count(*) FROM lists");
  };
  MemoStore store(dir.path("j.db"));
  std::vector<KeptResult> results{result("k1", "a", 1000), result("k2", "a", 2000), result("k3", "b", 3000)};
  const std::string sums = "{\"" + std::string(1000, 'x') + "\":\"0\"}";
  results[0].reads = results[1].reads = sums;
  results[2].reads = "{}";
  store.keep(results);
  CHECK(lists() == 1);
  CHECK(store.find("k1")->reads == sums);
  CHECK(store.newest("w", "a")->reads == sums);
  CHECK(store.find("k3")->reads == "{}");
  CHECK(store.list()[1].reads == sums);
  store.remove({"k1"});
  store.sweep();
  CHECK(store.find("k2")->reads == sums);
  store.remove({"k2"});
  store.sweep();
  CHECK(lists() == 0);
}

TEST_CASE("an index of the version before goes on with what it has", "[memo]") {
  TempDir dir;
  const std::string index = dir.path("j.db") + "-memo/1/index.db";
  KeptResult old = result("k1", "a", 1000);
  old.reads = "{\"a\":\"0\"}";
  MemoStore(dir.path("j.db")).keep({old});
  {
    Database database(index, SQLITE_OPEN_READWRITE, index);
    database.execute("DROP TABLE lists");
    database.execute("PRAGMA user_version = 1");
  }
  MemoStore store(dir.path("j.db"));
  CHECK(store.find("k1")->reads == old.reads);
  old.key = "k2";
  old.reads = "{\"a\":\"" + std::string(1000, '0') + "\"}";
  store.keep({old});
  CHECK(store.find("k2")->reads == old.reads);
}

TEST_CASE("a file comes back with its content and its mode, and one that is as it was stays", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db"));
  const std::string long_text(3 << 20, 'x');
  for (const std::string& text : {std::string(), std::string("hello\n"), long_text, long_text + "y"}) {
    const std::string file = dir.write("out", text);
    REQUIRE(chmod(file.c_str(), 0640) == 0);
    const KeptFile kept = store.take_in("out", file);
    fs::remove(file);
    store.put_back(kept, dir.path("new/folder/out"));
    CHECK(dir.read("new/folder/out") == text);
    CHECK((fs::status(dir.path("new/folder/out")).permissions() & fs::perms::all) == fs::perms(0640));
    const auto date = fs::last_write_time(dir.path("new/folder/out"));
    REQUIRE(chmod(dir.path("new/folder/out").c_str(), 0600) == 0);
    store.put_back(kept, dir.path("new/folder/out"));
    CHECK(fs::last_write_time(dir.path("new/folder/out")) == date);
    CHECK((fs::status(dir.path("new/folder/out")).permissions() & fs::perms::all) == fs::perms(0640));
    // Nothing else is left there.
    CHECK(std::distance(fs::directory_iterator(dir.path("new/folder")), fs::directory_iterator()) == 1);
  }
}

TEST_CASE("content that is gone or damaged in the store is not put back, and what is there stays", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db"));
  const KeptFile kept = store.take_in("out", dir.write("out", "good"));
  const std::string content = MemoStore::folder_of(dir.path("j.db")) + "/f-" + kept.sum;
  dir.write("out", "mine");
  REQUIRE(truncate(content.c_str(), 2) == 0);
  CHECK(thrown([&] { store.put_back(kept, dir.path("out")); }) == "out: its content in the store is damaged");
  fs::remove(content);
  CHECK(thrown([&] { store.put_back(kept, dir.path("out")); }) == "out: its content is not in the store any more");
  CHECK(dir.read("out") == "mine");
  // Taken in again it is whole again.
  truncate(content.c_str(), 1);
  CHECK(store.take_in("out", dir.write("out", "good")).sum == kept.sum);
  dir.write("out", "mine");
  store.put_back(kept, dir.path("out"));
  CHECK(dir.read("out") == "good");
}

TEST_CASE("a sum follows the content, however quickly it changes", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db"));
  std::string before;
  for (int i = 0; i < 50; ++i) {
    const std::string sum = store.sum_of(dir.write("f", std::to_string(i % 10)));
    CHECK(sum != before);
    before = sum;
  }
  CHECK(has_no_sum(store, dir.path("gone")));
}

TEST_CASE("what no result names is swept, but not while a file is being kept", "[memo]") {
  TempDir dir;
  MemoStore store(dir.path("j.db")), other(dir.path("j.db"));
  KeptResult kept = result("k", "a", 1000);
  {
    const MemoStore::Keeping keeping(store);
    kept.writes.push_back(store.take_in("a", dir.write("a", "first")));
    CHECK(other.sweep() == 0);
    store.keep({kept});
  }
  store.take_in("b", dir.write("b", "second!"));
  CHECK(other.sweep() == 7);
  store.put_back(kept.writes[0], dir.path("c"));
  CHECK(dir.read("c") == "first");
}

TEST_CASE("a folder or an index that is not ours is not used", "[memo]") {
  TempDir dir;
  { MemoStore store(dir.path("j.db")); }
  const std::string index = MemoStore::folder_of(dir.path("j.db")) + "/index.db";
  dir.write("x", "no database at all, and longer than a header of one would have to be to count as such");
  fs::copy_file(dir.path("x"), index, fs::copy_options::overwrite_existing);
  fs::remove(index + "-wal");
  CHECK_FALSE(thrown([&] { MemoStore store(dir.path("j.db")); }).empty());
  fs::remove_all(dir.path("j.db-memo"));
  fs::create_directories(MemoStore::folder_of(dir.path("j.db")));
  {
    Database database(index, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, index);
    database.execute("CREATE TABLE results (key TEXT)");
  }
  fs::permissions(MemoStore::folder_of(dir.path("j.db")), fs::perms::owner_all);
  fs::permissions(dir.path("j.db-memo"), fs::perms::owner_all);
  CHECK(thrown([&] { MemoStore store(dir.path("j.db")); }).find("is not what this flowrun keeps there") !=
        std::string::npos);
}

}  // namespace flowrun::test::memo_store_test
