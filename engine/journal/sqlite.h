// SQLite as C++: a connection and prepared statements that free themselves, and results of calls as exceptions. Knows
// no table.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/model/error.h"

namespace flowrun {

/// What SQLite refused. As an Error it says which file and why.
class SqliteError : public Error {
 public:
  SqliteError(int code, int system_errno, const std::string& message)
      : Error(Problem::Journal, message), code_(code), system_errno_(system_errno) {}
  /// Without the extension.
  int primary() const { return code_ & 0xff; }
  int code() const { return code_; }
  /// No space, or no more of it for this user or process, at a write. Not at an fsync: what that lost may look clean
  /// afterwards, so it must not be tried again.
  bool disk_is_full() const;

 private:
  int code_;
  int system_errno_;
};

/// A connection. One thread.
class Database {
 public:
  /// |flags| of sqlite3_open_v2; |path| may be a file: URI if they say so. |shown| names it in messages.
  Database(const std::string& path, int flags, std::string shown);

  /// Runs statements that return nothing of interest.
  void execute(const char* sql);
  /// First column of the first row of |sql|.
  std::int64_t integer(const char* sql);

  /// Does |work| in one transaction that writes: all of it or, when it throws, nothing.
  void transaction(const std::function<void()>& work);
  /// Ends a transaction without it, if there still is one: SQLite rolls back by itself after some errors.
  void roll_back();

  sqlite3* handle() const { return handle_.get(); }
  /// Throws what the connection says of its last call.
  [[noreturn]] void fail(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  int system_errno(int code) const;

  std::string shown_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement, made at the first use and kept.
class Statement {
 public:
  Statement(Database& database, const char* sql) : database_(database), sql_(sql) {}

  /// One execution. Bound texts must live as long as it; it resets the statement as it goes, and so ends the read
  /// transaction of a select.
  class Use {
   public:
    explicit Use(Statement& statement);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    Use& operator()(std::int64_t value);
    Use& operator()(std::string_view value);
    Use& operator()(std::nullptr_t);
    Use& blob(std::string_view bytes);
    template <class T>
    Use& operator()(const std::optional<T>& value) {
      return value ? (*this)(*value) : (*this)(nullptr);
    }

    /// Steps to the next row; false when there is none.
    bool next();
    /// Steps to the end.
    void run();

    std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    /// Valid until the next step.
    std::string_view text(int column) const;
    int columns() const { return sqlite3_column_count(statement_); }
    /// One of SQLITE_INTEGER and the like.
    int type(int column) const { return sqlite3_column_type(statement_, column); }
    /// As text(), of what may be kept as bytes.
    std::string_view bytes(int column) const;
    bool null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    bool is_text(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_TEXT; }
    bool is_blob(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_BLOB; }
    bool is_integer(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_INTEGER; }

   private:
    void check(int code) const;
    Database& database_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
  };
  Use use() { return Use(*this); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Database& database_;
  const char* sql_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A long value in a row, which is written or read piece by piece.
class LongCell {
 public:
  enum class Mode { Read, Write };
  LongCell(Database& database, const char* table, const char* column, std::int64_t rowid, Mode mode);
  std::size_t size() const { return static_cast<std::size_t>(sqlite3_blob_bytes(handle_.get())); }
  /// Behind what was written before. REQUIRES: it fits.
  void write(std::string_view bytes);
  /// Of what comes behind what was read before, as much as fits into |bytes|.
  void read(std::string& bytes);

 private:
  struct Close {
    void operator()(sqlite3_blob* handle) const { sqlite3_blob_close(handle); }
  };
  Database& database_;
  std::unique_ptr<sqlite3_blob, Close> handle_;
  int at_ = 0;
};

}  // namespace flowrun
