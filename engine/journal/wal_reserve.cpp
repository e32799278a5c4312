#include "engine/journal/wal_reserve.h"

#include <algorithm>
#include <array>

namespace flowrun {
namespace {

// https://www.sqlite.org/fileformat2.html, "The Write-Ahead Log"
constexpr std::int64_t kLogHeader = 32, kPageHeader = 24;
constexpr int kCheckpoint = 1000;            // pages, SQLite's own default
constexpr std::int64_t kFirst = 64 << 10;    // a short run uses less
constexpr std::int64_t kReserve = 16 << 10;  // most commits are shorter

}  // namespace

LogRoom::LogRoom(Database& database) : database_(database), page_size_(database.integer("PRAGMA page_size")) {
  sqlite3_wal_hook(database.handle(), committed, this);
}

int LogRoom::committed(void* self, sqlite3* database, const char* name, int pages) {
  auto& room = *static_cast<LogRoom*>(self);
  room.used_ = room.length(pages);
  // Not complete while somebody reads: then it is tried again after the next commit, as SQLite does.
  if (pages >= kCheckpoint) sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return SQLITE_OK;
}

std::int64_t LogRoom::length(std::int64_t pages) const { return kLogHeader + pages * (kPageHeader + page_size_); }

void LogRoom::make() {
  const std::int64_t most = length(kCheckpoint) + kFirst;
  if (made_ >= std::min(used_ + kReserve, most)) return;
  sqlite3_file* log = nullptr;
  sqlite3_int64 size = 0;
  if (sqlite3_file_control(database_.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || !log ||
      !log->pMethods || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
    return;
  const std::int64_t wanted = std::clamp(2 * used_, kFirst, most);
  static constexpr std::array<char, 16 << 10> kZeros{};
  while (size < wanted) {
    const auto bytes = static_cast<int>(std::min<std::int64_t>(kZeros.size(), wanted - size));
    if (log->pMethods->xWrite(log, kZeros.data(), bytes, size) != SQLITE_OK) break;
    size += bytes;
  }
  made_ = std::max<std::int64_t>(size, wanted);  // also when it could not be written: it is not tried again
}

}  // namespace flowrun
