// Room in SQLite's write-ahead log, made before it is needed. Knows no table.
//
// To sync an appended block costs twice what an overwritten one does (0.38 and 0.18 ms of a busy disk), because the
// file system has to write down that the file has grown. So the log is given zeros ahead of the commits, as many bytes
// as it has in use; from the length on at which SQLite begins it anew it is overwritten anyway.
#pragma once

#include <cstdint>

#include "engine/journal/sqlite.h"

namespace flowrun {

class LogRoom {
 public:
  /// Takes checkpoints over from SQLite, which tells only who makes them how long the log is: as its own, every 1,000
  /// pages.
  explicit LogRoom(Database& database);
  LogRoom(const LogRoom&) = delete;
  LogRoom& operator=(const LogRoom&) = delete;

  /// REQUIRES: a write transaction, so that nobody else writes to the log. Does what it can: a full disk is for the
  /// commit to find.
  void make();

 private:
  static int committed(void* self, sqlite3* database, const char* name, int pages);
  std::int64_t length(std::int64_t pages) const;

  Database& database_;
  std::int64_t page_size_;
  std::int64_t used_ = 0;  ///< bytes of the log after our last commit
  std::int64_t made_ = 0;  ///< up to here room has been made, or could not be
};

}  // namespace flowrun
