#include "engine/journal/schema.h"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>

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
      THEN strftime('%Y-%m-%dT%H:%M:%fZ', of_path.started / 1000.0, 'unixepoch') END AS started,
    CASE WHEN last.kind IN ('ended', 'settled') OR (last.kind = 'stop' AND json_extract(last.data, '$.reason') <> 'suspend')
      THEN strftime('%Y-%m-%dT%H:%M:%fZ', last.at / 1000.0, 'unixepoch') END AS ended,
    coalesce(json_extract(last.data, '$.failure.type'),
      CASE WHEN last.kind = 'stop' THEN nullif(json_extract(last.data, '$.reason'), 'suspend') END) AS error
  FROM (
    SELECT
      id >> 40 AS run,
      path,
      -- The newest does not count when it was withdrawn after it had been started.
      max(attempt) - coalesce(max(iif(kind = 'withdrawn', id, NULL)) > max(iif(kind = 'start', id, NULL)), 0) AS attempts,
      min(CASE WHEN kind = 'start' THEN at END) AS started,
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

/// From version n to n + 1, at n.
constexpr const char* kUpgrades[] = {kVersion1};

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

}  // namespace

std::int64_t schema_version() { return std::size(kUpgrades); }

Schema check_schema(Database& database, const std::string& path) {
  std::int64_t application = 0, version = 0, tables = 0;
  try {
    application = database.integer("PRAGMA application_id");
    version = database.integer("PRAGMA user_version");
    tables = database.integer("SELECT count(*) FROM sqlite_schema");
    // SQLite takes what is shorter than its smallest page for an empty database, and would write over it.
    std::error_code gone;
    auto size = std::filesystem::file_size(path, gone);
    if (!gone && size > 0 && size < 512) throw SqliteError(SQLITE_NOTADB, 0, "too short");
  } catch (const SqliteError& error) {
    if (error.primary() == SQLITE_NOTADB)
      throw Error(Problem::Journal,
                  fmt::format("{} is not a journal of flowrun, nor any SQLite database; --journal FILE or "
                              "FLOWRUN_JOURNAL names another",
                              path));
    if (error.primary() == SQLITE_CORRUPT)
      throw Error(Problem::Journal,
                  fmt::format("journal {} is damaged or cut short; put a copy in its place, or move it away to begin a "
                              "new one",
                              path));
    throw;
  }
  // Without a table it holds nothing of anybody: new, or left behind by who was killed while it made the file.
  if (application == 0 && version == 0 && tables == 0) return Schema::Empty;
  if (application != kApplicationId || version < 1)
    throw Error(Problem::Journal, fmt::format("{} is an SQLite database of another program, not a journal of flowrun; "
                                              "--journal FILE or FLOWRUN_JOURNAL names another",
                                              path));
  if (version > schema_version())
    throw Error(Problem::Journal,
                fmt::format("journal {} is of schema {}, and this flowrun {} knows up to {}: it takes {}; --journal "
                            "FILE or FLOWRUN_JOURNAL names another",
                            path, version, FLOWRUN_VERSION, schema_version(), needed_flowrun(database)));
  return version < schema_version() ? Schema::Older : Schema::Ours;
}

void apply_schema(Database& database) {
  // Only heeded before the first table, and not within a transaction.
  database.execute("PRAGMA auto_vacuum = INCREMENTAL");
  // A rollback journal while the file is new: in WAL mode the file would be non-empty, and not yet ours, before the
  // transaction. Either all of this is there after a crash, or the file has zero bytes again.
  database.execute("BEGIN IMMEDIATE");
  try {
    for (std::int64_t version = database.integer("PRAGMA user_version"); version < schema_version(); ++version)
      database.execute(kUpgrades[version]);
    database.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", schema_version()).c_str());
    database.execute("COMMIT");
  } catch (...) {
    if (sqlite3_get_autocommit(database.handle()) == 0)
      sqlite3_exec(database.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

}  // namespace flowrun
