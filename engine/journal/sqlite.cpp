#include "engine/journal/sqlite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace flowrun {

bool SqliteError::disk_is_full() const {
  if (primary() == SQLITE_FULL) return true;
  // The index of the log could not grow. It holds nothing that could be lost.
  if (code_ == SQLITE_IOERR_SHMSIZE) return true;
  // SQLite knows ENOSPC only; a quota and a limit on the size of files are the same to us.
  return code_ == SQLITE_IOERR_WRITE && (system_errno_ == ENOSPC || system_errno_ == EDQUOT || system_errno_ == EFBIG);
}

Database::Database(const std::string& path, int flags, std::string shown) : shown_(std::move(shown)) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);  // there is one even when it failed, to say why
  if (code != SQLITE_OK) fail(code);
  sqlite3_extended_result_codes(handle, 1);
  // A journal may come from elsewhere: its schema gets no more trust than its rows.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

int Database::system_errno(int code) const {
  if (!handle_) return 0;
  // A COMMIT that fails leaves no errno on the connection, but a failed write does on its file: the log or, in a
  // checkpoint or without a log, the database.
  if (code == SQLITE_IOERR_WRITE) {
    sqlite3_file* file = nullptr;
    for (int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
      int last = 0;
      if (sqlite3_file_control(handle_.get(), "main", which, &file) == SQLITE_OK && file && file->pMethods &&
          file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &last) == SQLITE_OK && last != 0)
        return last;
    }
  }
  return sqlite3_system_errno(handle_.get());
}

void Database::fail(int code) const {
  const int extended = handle_ ? sqlite3_extended_errcode(handle_.get()) : code;
  // Not every failure leaves its mark on the connection; the code at hand is the truth.
  const int shown_code = (extended & 0xff) == (code & 0xff) ? extended : code;
  const int number = system_errno(shown_code);
  std::string why =
      handle_ && (extended & 0xff) == (code & 0xff) ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  if (number != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN))
    why += fmt::format(" ({})", std::strerror(number));
  throw SqliteError(shown_code, number, fmt::format("journal {}: {}", shown_, why));
}

void Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

void Database::transaction(const std::function<void()>& work) {
  execute("BEGIN IMMEDIATE");
  try {
    work();
    execute("COMMIT");
  } catch (...) {
    roll_back();
    throw;
  }
}

void Database::roll_back() {
  if (sqlite3_get_autocommit(handle()) == 0) sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

std::int64_t Database::integer(const char* sql) {
  Statement statement(*this, sql);
  auto row = statement.use();
  return row.next() ? row.integer(0) : 0;
}

Statement::Use::Use(Statement& statement) : database_(statement.database_) {
  if (!statement.statement_) {
    sqlite3_stmt* made = nullptr;
    const int code =
        sqlite3_prepare_v3(database_.handle(), statement.sql_, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    statement.statement_.reset(made);
    if (code != SQLITE_OK) database_.fail(code);
  }
  statement_ = statement.statement_.get();
}

// Bindings are kept: each use binds all of them again before a step, and never steps with those of the last one.
Statement::Use::~Use() { sqlite3_reset(statement_); }

void Statement::Use::check(int code) const {
  if (code != SQLITE_OK) database_.fail(code);
}

Statement::Use& Statement::Use::operator()(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement::Use& Statement::Use::operator()(std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() ? value.data() : "";
  check(sqlite3_bind_text64(statement_, ++bound_, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement::Use& Statement::Use::blob(std::string_view bytes) {
  const char* data = bytes.data() ? bytes.data() : "";
  check(sqlite3_bind_blob64(statement_, ++bound_, data, bytes.size(), SQLITE_STATIC));
  return *this;
}

Statement::Use& Statement::Use::operator()(std::nullptr_t) {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Statement::Use::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

void Statement::Use::run() {
  while (next()) {
  }
}

std::string_view Statement::Use::text(int column) const {
  // The order matters: the text first, then its size (https://sqlite.org/c3ref/column_blob.html).
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data ? std::string_view(data, size) : std::string_view();
}

std::string_view Statement::Use::bytes(int column) const {
  if (!is_blob(column)) return text(column);
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data ? std::string_view(data, size) : std::string_view();
}

LongCell::LongCell(Database& database, const char* table, const char* column, std::int64_t rowid, Mode mode)
    : database_(database) {
  sqlite3_blob* handle = nullptr;
  const int code =
      sqlite3_blob_open(database.handle(), "main", table, column, rowid, mode == Mode::Write ? 1 : 0, &handle);
  handle_.reset(handle);
  if (code != SQLITE_OK) database.fail(code);
}

void LongCell::write(std::string_view bytes) {
  const int size = static_cast<int>(bytes.size());
  const int code = sqlite3_blob_write(handle_.get(), bytes.data(), size, at_);
  if (code != SQLITE_OK) database_.fail(code);
  at_ += size;
}

void LongCell::read(std::string& bytes) {
  const int size = static_cast<int>(std::min(bytes.size(), this->size() - static_cast<std::size_t>(at_)));
  bytes.resize(static_cast<std::size_t>(size));
  const int code = sqlite3_blob_read(handle_.get(), bytes.data(), size, at_);
  if (code != SQLITE_OK) database_.fail(code);
  at_ += size;
}

}  // namespace flowrun
