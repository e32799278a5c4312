#include "engine/journal/upkeep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <filesystem>

#include "engine/journal/open.h"

namespace flowrun {
namespace {

constexpr int kPagesAtOnce = 2000;  // that are given back in one transaction: others wait meanwhile

std::int64_t size_of(const std::string& file) {
  std::error_code gone;
  const auto size = std::filesystem::file_size(file, gone);
  return gone ? 0 : static_cast<std::int64_t>(size);
}

/// What the journal at |path| takes, with the log that is not taken in yet.
std::int64_t size_with_log(const std::string& path) { return size_of(path) + size_of(path + "-wal"); }

}  // namespace

std::int64_t JournalUpkeep::bytes_of(const Journal& journal, const RunRecord& run) {
  Statement select(*journal.open_->database,
                   "SELECT coalesce(sum(length(kind) + length(path) + length(CAST(data AS BLOB)) + "
                   "coalesce(length(CAST(value AS BLOB)), 0) + 40), 0) FROM entries WHERE id BETWEEN ? AND ?");
  auto row = select.use();
  row(first_id(run.number))(first_id(run.number + 1) - 1);
  return row.next() ? row.integer(0) : 0;
}

std::set<std::int64_t> JournalUpkeep::remove(const std::vector<std::int64_t>& runs) {
  Journal::Open& open = *journal_.open_;
  open.check_writable();
  std::set<std::int64_t> driven;
  std::vector<std::int64_t> locked;
  for (const std::int64_t run : runs) {
    assert(open.run != run && "it is not driven here");
    if (open.locks->lock_run(run)) {
      locked.push_back(run);
    } else {
      driven.insert(run);
    }
  }
  const auto unlock = [&] {
    for (const std::int64_t run : locked) open.locks->unlock_run(run);
  };
  open.write(
      [&] {
        Statement entries(*open.database, "DELETE FROM entries WHERE id BETWEEN ? AND ?");
        Statement mail(*open.database, "DELETE FROM mailbox WHERE run = ?");
        Statement row(*open.database, "DELETE FROM runs WHERE number = ?");
        for (const std::int64_t run : locked) {
          entries.use()(first_id(run))(first_id(run + 1) - 1).run();
          mail.use()(run).run();
          row.use()(run).run();
        }
      },
      unlock);
  unlock();
  return driven;
}

std::int64_t JournalUpkeep::shrink() {
  Journal::Open& open = *journal_.open_;
  const std::int64_t before = size_with_log(open.path);
  // Whoever is about to start a run may have put its text there already, so that is done alone.
  if (open.locks->take_alone()) {
    try {
      open.write([&] {
        open.database->execute(
            "DELETE FROM vals WHERE hash NOT IN (SELECT value_ref FROM entries WHERE value_ref IS NOT NULL UNION "
            "SELECT input_ref FROM runs WHERE input_ref IS NOT NULL UNION "
            "SELECT output_ref FROM runs WHERE output_ref IS NOT NULL)");
        // The texts of sub-workflows are named in the first entry of a run.
        open.database->execute(
            "DELETE FROM sources WHERE hash NOT IN (SELECT source_hash FROM runs UNION "
            "SELECT named.value FROM runs JOIN entries ON entries.id = (runs.number << 40) + 1 "
            "JOIN json_each(entries.data, '$.sources') AS named)");
      });
    } catch (...) {
      open.locks->share_again();
      throw;
    }
    open.locks->share_again();
  }
  for (std::int64_t left = open.database->integer("PRAGMA freelist_count"); left > 0;) {
    {
      WriterTurn::Hold hold(*open.turn);
      open.database->execute(fmt::format("PRAGMA incremental_vacuum({})", kPagesAtOnce).c_str());
    }
    const std::int64_t now = open.database->integer("PRAGMA freelist_count");
    if (now >= left) break;
    left = now;
  }
  // The file gets shorter when the log is taken in; whoever reads meanwhile puts that off.
  sqlite3_wal_checkpoint_v2(open.database->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  // Who drives a run meanwhile makes it larger.
  return std::max<std::int64_t>(0, before - size_with_log(open.path));
}

}  // namespace flowrun
