#include "engine/memo/memo_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "engine/executor/run_folder.h"
#include "engine/journal/sqlite.h"
#include "engine/model/hash.h"
#include "engine/model/random_number.h"
#include "engine/model/value.h"

namespace flowrun {
namespace {

constexpr std::int64_t kVersion = 2;
constexpr int kBusyTimeout = 5'000;                 // ms; the end of a run may have to wait for it
constexpr std::chrono::milliseconds kAskAgain{10};  // whether somebody still sweeps
constexpr std::string_view kPrefix = "f-";          // of files
/// A file that was written so shortly before it was looked at may be written again with the same date.
constexpr std::int64_t kSettled = 2'000'000'000;  // ns

/// Longer ones stand in a table of their own: all items of a for_each may read the same files.
constexpr std::size_t kLongList = 200;  // bytes

/// What version 1 had not: there all lists stand with their results, where short ones still do.
constexpr const char* kLists = "CREATE TABLE lists (name TEXT PRIMARY KEY, reads TEXT NOT NULL);";

constexpr const char* kSchema = R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE results (
  key TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  step TEXT NOT NULL,
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  at_most INTEGER NOT NULL,
  definition TEXT NOT NULL,
  folder TEXT NOT NULL,
  secrets TEXT NOT NULL,
  input TEXT NOT NULL,
  reads TEXT NOT NULL,
  writes TEXT NOT NULL,
  result TEXT NOT NULL
);
CREATE INDEX results_of_step ON results (workflow, step, at);
CREATE TABLE sums (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sum TEXT NOT NULL);
)sql";

constexpr const char* kColumns =
    "key, workflow, step, run, seq, at, at_most, definition, folder, secrets, input, "
    "coalesce((SELECT lists.reads FROM lists WHERE name = results.reads), results.reads), writes";

/// Tables and indexes as the file has them.
std::string schema_of(Database& database) {
  std::string text;
  Statement statement(database, "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name");
  for (auto row = statement.use(); row.next();)
    text += fmt::format("{} {} {}\n", row.text(0), row.text(1), row.text(2));
  return text;
}

std::string our_schema() {
  Database memory(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, "memo");
  memory.execute(kSchema);
  memory.execute(kLists);
  return schema_of(memory);
}

std::string text_of(const std::vector<KeptFile>& files) {
  Json list = Json::array();
  for (const KeptFile& file : files)
    list.push_back({{"name", file.name}, {"sum", file.sum}, {"size", file.size}, {"mode", file.mode}});
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<KeptFile> files_from(std::string_view text) {
  std::vector<KeptFile> files;
  for (const Json& one : Json::parse(text))
    files.push_back({one.at("name").get<std::string>(), one.at("sum").get<std::string>(),
                     one.at("size").get<std::int64_t>(), one.at("mode").get<int>()});
  return files;
}

KeptResult result_from(const Statement::Use& row) {
  KeptResult kept;
  std::string* const texts[] = {&kept.key, &kept.workflow, &kept.step, &kept.run};
  for (int i = 0; i < 4; ++i) *texts[i] = row.text(i);
  kept.seq = row.integer(4);
  kept.at = from_millis(row.integer(5));
  kept.at_most = Duration(row.integer(6));
  kept.definition = row.text(7);
  kept.folder = row.text(8);
  kept.secrets = row.text(9);
  kept.input = row.text(10);
  kept.reads = row.text(11);
  kept.writes = files_from(row.text(12));
  if (row.columns() > 13) kept.result = row.text(13);
  return kept;
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// What changes when a file does; empty: it may change and keep that.
std::string stamp_of(const struct stat& status) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  // What a process can set to any date is of no use here.
  const std::int64_t changed = nanoseconds(status.st_ctim);
  if (std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - changed < kSettled) return "";
  return fmt::format("{}:{}:{}:{}:{}", status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
                     nanoseconds(status.st_ctim));
}

/// A sum is part of a file's name.
bool is_sum(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

struct MemoStore::Open {
  explicit Open(const std::string& path) : folder(path) {
    const std::string above = std::filesystem::path(path).parent_path().string();
    if (mkdir(above.c_str(), 0700) != 0 && errno != EEXIST)
      throw Error(Problem::Journal, fmt::format("cannot make {}: {}", above, std::strerror(errno)));
    folder.make();
    database.emplace(path + "/index.db", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
                     path + "/index.db");
    sqlite3_busy_timeout(database->handle(), kBusyTimeout);
    // Nothing here has to outlive a power failure: what is lost is done again, and what is there is whole.
    database->execute("PRAGMA journal_mode = WAL");
    database->execute("PRAGMA synchronous = NORMAL");
    make_schema(path);
    by_key.emplace(*database, find_sql.c_str());
    by_step.emplace(*database, newest_sql.c_str());
    by_path.emplace(*database, "SELECT sum FROM sums WHERE path = ? AND stamp = ?");
  }

  /// The row that |row| comes to; a damaged one is none.
  static std::optional<KeptResult> first(Statement::Use& row) {
    if (!row.next()) return std::nullopt;
    try {
      return result_from(row);
    } catch (const Json::exception&) {
      return std::nullopt;
    }
  }

  void make_schema(const std::string& path) {
    const std::string ours = our_schema();
    if (schema_of(*database) == "") {
      database->transaction([&] {
        if (schema_of(*database) != "") return;  // another process was quicker
        database->execute(kSchema);
        database->execute(kLists);
        database->execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
        Statement(*database, "INSERT INTO meta VALUES ('salt', ?)").use()(std::string_view(random_hex(16))).run();
      });
    }
    if (database->integer("PRAGMA user_version") == 1) {
      database->transaction([&] {
        if (database->integer("PRAGMA user_version") != 1) return;  // likewise
        database->execute(kLists);
        database->execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
      });
    }
    if (database->integer("PRAGMA user_version") != kVersion || schema_of(*database) != ours)
      throw Error(Problem::Journal,
                  fmt::format("{} is not what this flowrun keeps there; remove it, and results are kept anew", path));
  }

  /// Forgets the sums of files that are gone.
  void forget_gone() {
    database->transaction([&] {
      std::vector<std::string> gone;
      Statement all(*database, "SELECT path FROM sums");
      for (auto row = all.use(); row.next();)
        if (std::string path(row.text(0)); access(path.c_str(), F_OK) != 0) gone.push_back(std::move(path));
      Statement forget(*database, "DELETE FROM sums WHERE path = ?");
      for (const std::string& path : gone) forget.use()(std::string_view(path)).run();
    });
  }

  RunFolder folder;
  std::optional<Database> database;
  const std::string find_sql = fmt::format("SELECT {}, result FROM results WHERE key = ?", kColumns);
  const std::string newest_sql =
      fmt::format("SELECT {} FROM results WHERE workflow = ? AND step = ? ORDER BY at DESC LIMIT 1", kColumns);
  std::optional<Statement> by_key, by_step, by_path;                ///< made once: a for_each asks for each item
  std::map<std::string, std::pair<std::string, std::string>> sums;  ///< stamp and sum by path
  std::set<std::string> unwritten;                                  ///< of these, what the index has not yet
};

std::string MemoStore::folder_of(const std::string& journal) { return journal + "-memo/1"; }

bool MemoStore::is_there(const std::string& journal) {
  return access((folder_of(journal) + "/index.db").c_str(), F_OK) == 0;
}

MemoStore::MemoStore(const std::string& journal)
    : open_(std::make_unique<Open>(folder_of(journal))), path_(folder_of(journal)) {
  Statement statement(*open_->database, "SELECT value FROM meta WHERE name = 'salt'");
  auto row = statement.use();
  if (row.next()) salt_ = row.text(0);
}

MemoStore::~MemoStore() {
  if (open_->unwritten.empty()) return;
  try {
    // Where nothing was kept they are news, too; and worth no wait.
    sqlite3_busy_timeout(open_->database->handle(), 100);
    keep({});
  } catch (const Error&) {
    // They are made again.
  }
}

std::optional<KeptResult> MemoStore::find(const std::string& key) {
  auto row = open_->by_key->use();
  row(std::string_view(key));
  return open_->first(row);
}

std::optional<KeptResult> MemoStore::newest(const std::string& workflow, const std::string& step) {
  auto row = open_->by_step->use();
  row(std::string_view(workflow))(std::string_view(step));
  return open_->first(row);
}

std::vector<KeptResult> MemoStore::list() {
  std::vector<KeptResult> all;
  const std::string sql = fmt::format("SELECT {} FROM results ORDER BY at DESC, key", kColumns);
  Statement statement(*open_->database, sql.c_str());
  for (auto row = statement.use(); row.next();) {
    try {
      all.push_back(result_from(row));
    } catch (const Json::exception&) {
      all.emplace_back().key = row.text(0);
    }
  }
  return all;
}

void MemoStore::keep(const std::vector<KeptResult>& results) {
  open_->database->transaction([&] {
    Statement insert(*open_->database,
                     "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    Statement list(*open_->database, "INSERT OR IGNORE INTO lists VALUES (?, ?)");
    for (const KeptResult& kept : results) {
      const std::string writes = text_of(kept.writes);
      const bool is_long = kept.reads.size() > kLongList;
      const std::string reads = is_long ? hash_name(kept.reads) : kept.reads;
      if (is_long) list.use()(std::string_view(reads))(std::string_view(kept.reads)).run();
      auto row = insert.use();
      for (const std::string* text : {&kept.key, &kept.workflow, &kept.step, &kept.run}) row(std::string_view(*text));
      row(kept.seq)(to_millis(kept.at))(static_cast<std::int64_t>(kept.at_most.count()));
      for (const std::string* text :
           {&kept.definition, &kept.folder, &kept.secrets, &kept.input, &reads, &writes, &kept.result})
        row(std::string_view(*text));
      row.run();
    }
    Statement remember(*open_->database, "INSERT OR REPLACE INTO sums VALUES (?, ?, ?)");
    for (const std::string& path : open_->unwritten) {
      const auto& [stamp, sum] = open_->sums.at(path);
      remember.use()(std::string_view(path))(std::string_view(stamp))(std::string_view(sum)).run();
    }
  });
  open_->unwritten.clear();
}

std::size_t MemoStore::remove(const std::vector<std::string>& keys) {
  std::size_t removed = 0;
  open_->database->transaction([&] {
    Statement statement(*open_->database, "DELETE FROM results WHERE key = ?");
    for (const std::string& key : keys) {
      statement.use()(std::string_view(key)).run();
      removed += static_cast<std::size_t>(sqlite3_changes(open_->database->handle()));
    }
  });
  return removed;
}

std::string MemoStore::sum_of(const std::string& path, const IsGivenUp& given_up) {
  struct stat before {
  }, after{};
  const auto known = open_->sums.find(path);
  if (known != open_->sums.end() && stat(path.c_str(), &before) == 0 && stamp_of(before) == known->second.first)
    return known->second.second;
  const OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 || fstat(file.get(), &before) != 0) fail_at(path);
  if (!S_ISREG(before.st_mode)) throw std::runtime_error(path + ": it is no regular file");
  const std::string stamp = stamp_of(before);
  if (!stamp.empty()) {
    auto row = open_->by_path->use();
    row(std::string_view(path))(std::string_view(stamp));
    if (row.next() && is_sum(std::string(row.text(0)))) {
      open_->sums[path] = {stamp, std::string(row.text(0))};
      return open_->sums[path].second;
    }
  }
  std::string sum = content_sum(file.get(), path, given_up);
  if (fstat(file.get(), &after) == 0 && !stamp.empty() && stamp_of(after) == stamp) {
    open_->sums[path] = {stamp, sum};
    open_->unwritten.insert(path);
  }
  return sum;
}

int MemoStore::open_lock() const {
  return open((path_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

MemoStore::Keeping::Keeping(const MemoStore& store, const IsGivenUp& given_up) : lock_(store.open_lock()) {
  while (lock_.get() < 0 || flock(lock_.get(), LOCK_SH | LOCK_NB) != 0) {
    if (lock_.get() < 0 || (errno != EWOULDBLOCK && errno != EINTR)) fail_at(store.path_ + "/lock");
    if (given_up) throw GivenUp();
    std::this_thread::sleep_for(kAskAgain);
  }
}

KeptFile MemoStore::take_in(const std::string& name, const std::string& path, const IsGivenUp& given_up) {
  const OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) fail_at(name);
  KeptFile kept{name, content_sum(file.get(), name, given_up), status.st_size,
                static_cast<int>(status.st_mode & 07777)};
  const std::string there = path_ + "/" + std::string(kPrefix) + kept.sum;
  if (const OpenFile known(open(there.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)); known.get() >= 0) {
    if (same_content(file.get(), known.get(), name, given_up)) return kept;
    if (content_sum(known.get(), name, given_up) == kept.sum)
      throw std::runtime_error(name + ": another file in the store has its sum");
    // A power failure has damaged it.
  }
  FileInPlaceOf copy(there);
  copy_content(file.get(), copy.descriptor(), name, given_up);
  if (content_sum(copy.descriptor(), name, given_up) != kept.sum)
    throw std::runtime_error(name + ": it changed while it was read");
  copy.take_place();
  return kept;
}

void MemoStore::put_back(const KeptFile& file, const std::string& path, const IsGivenUp& given_up) {
  struct stat status {};
  const bool there_already = lstat(path.c_str(), &status) == 0;
  if (there_already && !S_ISREG(status.st_mode))
    throw std::runtime_error(file.name + ": what is in its place is no regular file");
  if (there_already && status.st_size == file.size && access(path.c_str(), R_OK) == 0 &&
      sum_of(path, given_up) == file.sum) {
    if (static_cast<int>(status.st_mode & 07777) != file.mode &&
        chmod(path.c_str(), static_cast<mode_t>(file.mode)) != 0)
      fail_at(file.name);
    return;
  }
  if (!is_sum(file.sum)) throw std::runtime_error(file.name + ": the store is damaged");
  const std::string there = path_ + "/" + std::string(kPrefix) + file.sum;
  const OpenFile kept(open(there.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (kept.get() < 0) throw std::runtime_error(file.name + ": its content is not in the store any more");
  FileInPlaceOf copy(path);
  copy_content(kept.get(), copy.descriptor(), file.name, given_up);
  if (content_sum(copy.descriptor(), file.name, given_up) != file.sum)
    throw std::runtime_error(file.name + ": its content in the store is damaged");
  if (fchmod(copy.descriptor(), static_cast<mode_t>(file.mode)) != 0) fail_at(file.name);
  copy.take_place();
}

std::int64_t MemoStore::sweep() {
  const OpenFile lock(open_lock());
  if (lock.get() < 0 || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return 0;
  std::set<std::string> named;
  for (const KeptResult& kept : list())
    for (const KeptFile& file : kept.writes) named.insert(std::string(kPrefix) + file.sum);
  std::int64_t freed = 0;
  struct stat status {};
  for (const std::string& name : open_->folder.names(std::string(kPrefix))) {
    if (named.count(name) > 0 || lstat((path_ + "/" + name).c_str(), &status) != 0) continue;
    freed += status.st_size;
    open_->folder.remove(name);
  }
  open_->folder.remove_all(".flowrun-");
  open_->database->execute("DELETE FROM lists WHERE name NOT IN (SELECT reads FROM results)");
  open_->forget_gone();
  open_->database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  return freed;
}

}  // namespace flowrun
