// What SQLite can do by itself with rows like those of a journal, durable as a journal is (WAL, synchronous=FULL).
//
//   bench_rows append FILE ROWS BATCH BYTES [MORE]  appends ROWS, BATCH a commit, each with BYTES of text, or every
//                                                   other one with MORE
//   bench_rows read FILE                            reads all entries of the newest run of a journal
//   bench_rows span FILE                            ms from its first entry to its last
//   bench_rows multiply FILE RUNS                   makes so many runs of the only one, with other ids
#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

sqlite3* database = nullptr;

void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  std::fprintf(stderr, "%s\n", sqlite3_errmsg(database));
  std::exit(1);
}

void execute(const char* sql) { check(sqlite3_exec(database, sql, nullptr, nullptr, nullptr)); }

sqlite3_stmt* prepared(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v2(database, sql, -1, &statement, nullptr));
  return statement;
}

void append(long rows, long batch, std::size_t bytes, std::size_t more) {
  execute("PRAGMA journal_mode=WAL");
  execute("PRAGMA synchronous=FULL");
  execute(
      "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT "
      "NOT NULL, attempt INTEGER NOT NULL, sum INTEGER NOT NULL, data TEXT NOT NULL)");
  sqlite3_stmt* insert = prepared("INSERT INTO entries (at, kind, path, attempt, sum, data) VALUES (?,?,?,?,?,?)");
  const std::string texts[] = {std::string(bytes, 'x'), std::string(more, 'x')};
  for (long row = 0; row < rows; ++row) {
    if (row % batch == 0) execute("BEGIN IMMEDIATE");
    const std::string& data = texts[row % 2];
    const std::string path = "each[" + std::to_string(row) + "]";
    sqlite3_bind_int64(insert, 1, 1'700'000'000'000 + row);
    sqlite3_bind_text(insert, 2, "settled", -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, path.data(), static_cast<int>(path.size()), SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, 1);
    sqlite3_bind_int64(insert, 5, row * 7919);
    sqlite3_bind_text(insert, 6, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
    check(sqlite3_step(insert));
    sqlite3_reset(insert);
    if (row % batch == batch - 1 || row == rows - 1) execute("COMMIT");
  }
  sqlite3_finalize(insert);
}

void read() {
  sqlite3_stmt* select = prepared(
      "SELECT id, at, kind, path, attempt, sum, value_ref, data, value FROM entries "
      "WHERE id >= (SELECT max(number) FROM runs) << 40 ORDER BY id");
  long rows = 0;
  std::size_t bytes = 0;
  while (sqlite3_step(select) == SQLITE_ROW) {
    ++rows;
    for (int column : {2, 3, 6, 7, 8}) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(select, column));
      if (text) bytes += std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(select, column))).size();
    }
  }
  sqlite3_finalize(select);
  std::printf("%ld rows, %zu bytes\n", rows, bytes);
}

void span() {
  sqlite3_stmt* select =
      prepared("SELECT max(at) - min(at) FROM entries WHERE id >= (SELECT max(number) FROM runs) << 40");
  check(sqlite3_step(select));
  std::printf("%lld\n", static_cast<long long>(sqlite3_column_int64(select, 0)));
  sqlite3_finalize(select);
}

void multiply(long runs) {
  const std::string numbers = "WITH RECURSIVE copies(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copies WHERE i < " +
                              std::to_string(runs - 1) + ") ";
  execute("PRAGMA journal_mode=WAL");
  execute("BEGIN IMMEDIATE");
  execute(
      (numbers +
       "INSERT INTO runs SELECT number + i, last_seq, last_sum, started_at, alive_at, ended_at, state, id || '-' || "
       "i, name, file, source_hash, input_ref, output_ref, input, output, error FROM copies, runs WHERE number = 1")
          .c_str());
  execute((numbers +
           "INSERT INTO entries (id, at, kind, path, attempt, sum, value_ref, data, value) SELECT id + (i << 40), at, "
           "kind, path, attempt, sum, value_ref, data, value FROM copies, entries WHERE id < 2 << 40")
              .c_str());
  execute("COMMIT");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  check(sqlite3_open(argv[2], &database));
  if (std::strcmp(argv[1], "append") == 0 && (argc == 6 || argc == 7))
    append(std::atol(argv[3]), std::atol(argv[4]), static_cast<std::size_t>(std::atol(argv[5])),
           static_cast<std::size_t>(std::atol(argv[argc - 1])));
  else if (std::strcmp(argv[1], "multiply") == 0 && argc == 4)
    multiply(std::atol(argv[3]));
  else if (std::strcmp(argv[1], "span") == 0)
    span();
  else
    read();
  sqlite3_close(database);
}
