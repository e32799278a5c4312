#include "engine/journal/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>

#include "engine/journal/typed_command.h"
#include "engine/journal/upgrade.h"
#include "engine/model/hash.h"

namespace flowrun {

namespace {

// The small columns of `runs` come first: its row changes with every commit, and what does not change is not written
// again. Texts of any size stand last, or by hash in `vals`.
//
// Generated columns and the view are for people; the program asks for ranges of `entries.id`.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  last_seq INTEGER NOT NULL DEFAULT 0,
  last_sum INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL,
  alive_at INTEGER NOT NULL,
  ended_at INTEGER,
  state TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  source_hash TEXT NOT NULL,
  input_ref TEXT,
  output_ref TEXT,
  input TEXT,
  output TEXT,
  error TEXT
);

CREATE TABLE sources (
  hash TEXT PRIMARY KEY,
  text TEXT NOT NULL
);

CREATE TABLE vals (
  hash TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  value_ref TEXT,
  data TEXT NOT NULL,
  value TEXT,
  run INTEGER GENERATED ALWAYS AS (id >> 40) VIRTUAL,
  seq INTEGER GENERATED ALWAYS AS (id & 1099511627775) VIRTUAL
);

CREATE TABLE mailbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  data TEXT NOT NULL,
  sender TEXT NOT NULL
);
CREATE INDEX mailbox_of_run ON mailbox (run, id);

CREATE VIEW steps AS
  SELECT
    runs.id AS run,
    of_path.path AS path,
    CASE last.kind
      WHEN 'ended' THEN iif(json_extract(last.data, '$.ok'), 'succeeded', 'failed')
      WHEN 'settled' THEN json_extract(last.data, '$.state')
      WHEN 'start' THEN 'running'
      WHEN 'items' THEN 'running'
      WHEN 'child' THEN 'running'
      WHEN 'fired' THEN iif(json_extract(last.data, '$.timer') = 'sleep', 'succeeded', 'pending')
      WHEN 'timer' THEN CASE json_extract(last.data, '$.timer')
        WHEN 'sleep' THEN 'sleeping'
        WHEN 'retry' THEN 'retrying'
        WHEN 'delay' THEN 'pending'
        ELSE 'running' END
      WHEN 'stop' THEN CASE json_extract(last.data, '$.reason')
        WHEN 'timeout' THEN 'failed'
        WHEN 'deadline' THEN 'failed'
        WHEN 'suspend' THEN 'pending'
        ELSE 'cancelled' END
      ELSE 'pending' END AS state,
    of_path.attempts AS attempts,
    CASE WHEN of_path.attempts > 0
      THEN strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(of_path.began, of_path.started) / 1000.0, 'unixepoch') END AS started,
    CASE WHEN last.kind IN ('ended', 'settled') OR (last.kind = 'stop' AND json_extract(last.data, '$.reason') <> 'suspend')
      THEN strftime('%Y-%m-%dT%H:%M:%fZ', last.at / 1000.0, 'unixepoch') END AS ended,
    coalesce(json_extract(last.data, '$.failure.type'),
      CASE WHEN last.kind = 'stop' THEN nullif(json_extract(last.data, '$.reason'), 'suspend') END) AS error,
    of_path.took AS took_ms
  FROM (
    SELECT
      id >> 40 AS run,
      path,
      -- The newest does not count when it was withdrawn after it had been started.
      max(attempt) - coalesce(max(iif(kind = 'withdrawn', id, NULL)) > max(iif(kind = 'start', id, NULL)), 0) AS attempts,
      min(CASE WHEN kind = 'start' THEN at END) AS started,
      -- Between its start and its begin an attempt waits in line.
      min(CASE WHEN kind = 'ended' THEN at - (data ->> 'began_ms') END) AS began,
      sum(CASE WHEN kind = 'ended' THEN data ->> 'took_ms' END) AS took,
      max(id) AS last
    FROM entries
    WHERE path <> '' AND kind NOT IN ('late', 'evaluated', 'run_reopened', 'withdraw')
    GROUP BY id >> 40, path
  ) AS of_path
  JOIN entries AS last ON last.id = of_path.last
  JOIN runs ON runs.number = of_path.run;

-- What a program older than this schema can read of it: which flowrun it takes.
INSERT INTO meta VALUES ('needs_flowrun', '0.1.0');
)sql";

// Kinds of entries got other names: rename_kinds().
constexpr const char* kVersion2 = R"sql(
UPDATE meta SET value = '0.2.0' WHERE name = 'needs_flowrun';
)sql";

/// From version n to n + 1, at n.
constexpr const char* kUpgrades[] = {kVersion1, kVersion2};
/// Whose rows have kinds of other names.
constexpr std::int64_t kFormerKinds = 1;

/// What an archive has besides: files of runs, in parts.
constexpr const char* kArchive = R"sql(
CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  name TEXT NOT NULL,
  executable INTEGER NOT NULL,
  UNIQUE (run, name)
);

CREATE TABLE parts (
  file INTEGER NOT NULL,
  number INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (file, number)
);
)sql";

/// hash_name of the texts that the view `steps` has had, the one above included. It is for people: this
/// program never asks it. Whoever changes the text adds its hash.
constexpr const char* kViews[] = {
    "f6494fd9772c4a8e1f2eea6dad68221d", "ace681e65ed7c59a9e1150bd53ea6d69", "fe4b91d7c3873d5f6aa5641caf396351",
    "55e186f9cce0fb262ef95843dac731da", "f0a46958336adbe429274141084798ea", "cdc8c1963d17a62c01710f70c3d9b056",
};

/// Of SQLite itself, in files of ours that somebody has called ANALYZE on, too.
constexpr const char* kOfSqlite[] = {"CREATE TABLE sqlite_sequence(name,seq)",
                                     "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
                                     "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"};

/// How often |word| stands in |text|.
std::size_t count(std::string_view text, std::string_view word) {
  std::size_t times = 0;
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++times;
  return times;
}

/// The statements up to |version|, as SQLite keeps their texts. So an upgrade makes tables; one that alters them has to
/// tell here what comes of it.
std::string statements(std::int64_t version, FileKind kind) {
  std::string all;
  for (std::int64_t i = 0; i < version; ++i) all += kUpgrades[i];
  return kind == FileKind::Archive ? all + kArchive : all;
}

/// Not empty: what is in the schema and not in ours, or the other way round. What a file of somebody else brings with
/// it would be run by SQLite: views and generated columns when they are read, triggers when something is written.
std::string foreign(Database& database, std::int64_t version, FileKind kind) {
  const std::string ours = statements(version, kind);
  std::size_t made = 0;
  Statement select(database, "SELECT type, name, sql FROM sqlite_schema LIMIT 1000");
  for (auto row = select.use(); row.next();) {
    const std::string sql(row.text(2));
    if (row.null(2) && row.text(1).starts_with("sqlite_autoindex_")) continue;
    if (std::find(std::begin(kOfSqlite), std::end(kOfSqlite), sql) != std::end(kOfSqlite)) continue;
    const bool view = row.text(0) == "view" && row.text(1) == "steps" &&
                      std::find(std::begin(kViews), std::end(kViews), hash_name(sql)) != std::end(kViews);
    if (!view && (!sql.starts_with("CREATE ") || ours.find("\n" + sql + ";") == ours.npos))
      return fmt::format("its {} `{}` is not the one of flowrun", row.text(0).substr(0, 20), row.text(1).substr(0, 60));
    ++made;
  }
  return made == count(ours, "\nCREATE ") ? "" : "tables of it are missing";
}

/// A file can be made so that reading its schema takes for ever. So many instructions, in thousands, are plenty.
constexpr int kPatience = 5000;

/// Ends what |database| does when it takes too long, as long as it lives.
class Patience {
 public:
  explicit Patience(Database& database) : database_(database) {
    sqlite3_progress_handler(
        database.handle(), 1000, [](void* left) { return --*static_cast<int*>(left) < 0 ? 1 : 0; }, &left_);
  }
  ~Patience() { sqlite3_progress_handler(database_.handle(), 0, nullptr, nullptr); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  Database& database_;
  int left_ = kPatience;
};

std::string needed_flowrun(Database& database) {
  try {
    Statement statement(database, "SELECT value FROM meta WHERE name = 'needs_flowrun'");
    auto row = statement.use();
    if (row.next()) return fmt::format("flowrun {} or newer", row.text(0));
  } catch (const SqliteError&) {
    // Its schema is so new that the table is gone.
  }
  return "a newer flowrun";
}

constexpr const char* kAnother = "--journal FILE or FLOWRUN_JOURNAL names another";

/// Throws unless the numbers in the header are those of a file of this |kind|. |file| is for the messages.
void check_numbers(Database& database, FileKind kind, std::int64_t application, std::int64_t version,
                   const std::string& path) {
  const bool archive = kind == FileKind::Archive;
  if (!archive && application == kArchiveId)
    throw Error(Problem::Journal, fmt::format("{} is an archive, not a journal; to take its run into one: {}", path,
                                              typed_command({"import", path})));
  if (archive && application == kApplicationId)
    throw Error(Problem::Journal, fmt::format("it is a journal, not an archive; {} writes one",
                                              typed_command({"export", "RUN", "-o", "FILE"})));
  if (archive && application != kArchiveId)
    throw Error(Problem::Journal, "it is an SQLite database of another program, not an archive of flowrun");
  if (application != (archive ? kArchiveId : kApplicationId) || version < 1)
    throw Error(
        Problem::Journal,
        fmt::format("{} is an SQLite database of another program, not a journal of flowrun; {}", path, kAnother));
  if (version <= schema_version()) return;
  const std::string newer = fmt::format("of schema {}, and this flowrun {} knows up to {}: it takes {}", version,
                                        FLOWRUN_VERSION, schema_version(), needed_flowrun(database));
  throw Error(Problem::Journal,
              archive ? "it is " + newer : fmt::format("journal {} is {}; {}", path, newer, kAnother));
}

}  // namespace

std::int64_t schema_version() { return std::size(kUpgrades); }

Schema check_schema(Database& database, const std::string& path, FileKind kind) {
  std::int64_t application = 0, version = 0, tables = 0;
  const Patience patience(database);
  try {
    application = database.integer("PRAGMA application_id");
    version = database.integer("PRAGMA user_version");
    tables = database.integer("SELECT count(*) FROM sqlite_schema");
    // SQLite takes what is shorter than its smallest page for an empty database, and would write over it.
    std::error_code gone;
    auto size = std::filesystem::file_size(path, gone);
    if (!gone && size > 0 && size < 512) throw SqliteError(SQLITE_NOTADB, 0, "too short");
  } catch (const SqliteError& error) {
    const bool broken = error.primary() == SQLITE_NOTADB || error.primary() == SQLITE_CORRUPT;
    if (kind == FileKind::Archive && (broken || error.primary() == SQLITE_INTERRUPT)) throw Corruption("it is damaged");
    if (error.primary() == SQLITE_NOTADB)
      throw Error(Problem::Journal,
                  fmt::format("{} is not a journal of flowrun, nor any SQLite database; --journal FILE or "
                              "FLOWRUN_JOURNAL names another",
                              path));
    if (error.primary() == SQLITE_CORRUPT || error.primary() == SQLITE_INTERRUPT)
      throw Error(Problem::Journal,
                  fmt::format("journal {} is damaged or cut short; put a copy in its place, or move it away to begin a "
                              "new one",
                              path));
    throw;
  }
  // Without a table it holds nothing of anybody: new, or left behind by who was killed while it made the file.
  if (application == 0 && version == 0 && tables == 0) return Schema::Empty;
  check_numbers(database, kind, application, version, path);
  if (const std::string what = foreign(database, version, kind); !what.empty())
    throw Error(Problem::Journal,
                kind == FileKind::Archive
                    ? fmt::format("it says that it is an archive of flowrun, but {}: somebody has changed it", what)
                    : fmt::format("{} says that it is a journal of flowrun, but {}: somebody has changed it, "
                                  "and nothing in it is run; {}",
                                  path, what, kAnother));
  return version < schema_version() ? Schema::Older : Schema::Ours;
}

void apply_schema(Database& database, FileKind kind) {
  // Only heeded before the first table, and not within a transaction.
  database.execute("PRAGMA auto_vacuum = INCREMENTAL");
  // A rollback journal while the file is new: in WAL mode the file would be non-empty, and not yet ours, before the
  // transaction. Either all of this is there after a crash, or the file has zero bytes again.
  database.transaction([&] {
    for (std::int64_t version = database.integer("PRAGMA user_version"); version < schema_version(); ++version) {
      database.execute(kUpgrades[version]);
      if (version == kFormerKinds) rename_kinds(database);
    }
    if (kind == FileKind::Archive) database.execute(kArchive);
    const std::int64_t id = kind == FileKind::Archive ? kArchiveId : kApplicationId;
    database.execute(fmt::format("PRAGMA application_id = {}", id).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", schema_version()).c_str());
  });
}

}  // namespace flowrun
