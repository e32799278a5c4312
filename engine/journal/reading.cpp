// Reading entries and texts, and checking that they are what was written.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/journal/open.h"

namespace flowrun {

namespace {

/// A read stops at so many bytes of entries, that a thousand of them with long values do not fill the memory.
constexpr std::size_t kReadBytes = 16 << 20;

}  // namespace

std::vector<Entry> Journal::read(std::int64_t run_number, std::int64_t from, std::size_t limit) const {
  Open& open = *open_;
  if (!open.select_entries)
    open.select_entries.emplace(*open.database,
                                "SELECT id, at, kind, path, attempt, data, coalesce(entries.value, vals.value), "
                                "value_ref FROM entries LEFT JOIN vals ON vals.hash = value_ref "
                                "WHERE id >= ? AND id < ? ORDER BY id LIMIT ?");
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  auto row = open.select_entries->use();
  row(first_id(run_number) + std::max<std::int64_t>(from, 1))(first_id(run_number + 1));
  row(static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int64_t>::max())));
  while (bytes < kReadBytes && row.next()) {
    Entry& entry = entries.emplace_back();
    entry.seq = row.integer(0) - first_id(run_number);
    entry.at = from_millis(row.integer(1));
    entry.kind = row.text(2);
    entry.path = row.text(3);
    entry.attempt = static_cast<int>(row.integer(4));
    entry.data = row.text(5);
    const std::string_view value = row.text(6);
    if (row.null(6) && !row.null(7))
      throw Corruption(fmt::format("journal {}: the value of entry {} is missing: no row {} in `vals`", open.path,
                                   entry.seq, row.text(7)));
    entry.value = Value::from_text(std::string(value));
    bytes += entry.data.size() + value.size();
  }
  return entries;
}

std::int64_t Journal::newest_drive(std::int64_t run_number) const {
  Statement select(*open_->database,
                   "SELECT coalesce(max(id), ?1) FROM entries WHERE id >= ?1 AND id < ?2 "
                   "AND kind IN ('run_resumed', 'run_reopened')");
  auto row = select.use();
  row(first_id(run_number))(first_id(run_number + 1));
  return row.next() ? row.integer(0) - first_id(run_number) : 0;
}

std::vector<Entry> Journal::retries(std::int64_t run_number) const {
  std::vector<std::int64_t> numbers;
  {
    Statement select(*open_->database,
                     "SELECT id FROM entries WHERE id >= ?1 AND id < ?2 AND kind = 'run_reopened' ORDER BY id");
    auto row = select.use();
    row(first_id(run_number))(first_id(run_number + 1));
    while (row.next()) numbers.push_back(row.integer(0) - first_id(run_number));
  }
  std::vector<Entry> entries;
  for (std::int64_t number : numbers) entries.push_back(read(run_number, number, 1).front());
  return entries;
}

void Journal::check_sums(const RunRecord& run) const {
  Open& open = *open_;
  const auto wrong = [&](std::int64_t seq, const std::string& what) {
    throw Corruption(fmt::format("run {}, entry {}: {}", run.id, seq, what));
  };
  // The driver may go on writing; what its row says at one moment holds for the entries up to there.
  std::int64_t last_seq = 0, last_entry = 0;
  std::uint64_t last_sum = 0;
  {
    Statement select(*open.database,
                     "SELECT last_seq, last_sum, (SELECT max(id) FROM entries WHERE id BETWEEN ?2 AND ?3) FROM runs "
                     "WHERE number = ?1");
    auto row = select.use();
    row(run.number)(first_id(run.number))(first_id(run.number + 1) - 1);
    if (!row.next()) throw Error(Problem::Impossible, fmt::format("run {} has been deleted", run.id));
    last_seq = row.integer(0);
    last_sum = static_cast<std::uint64_t>(row.integer(1));
    last_entry = row.null(2) ? 0 : row.integer(2) - first_id(run.number);
  }
  if (last_entry > last_seq) wrong(last_seq + 1, "nobody who drove the run wrote it");

  Statement select(*open.database, "SELECT sum FROM entries WHERE id = ?");
  std::uint64_t sum = 0;
  std::int64_t next = 1;
  while (next <= last_seq) {
    const std::vector<Entry> entries = read(run.number, next);
    if (entries.empty()) wrong(next, "it is missing");
    for (const Entry& entry : entries) {
      if (entry.seq > last_seq) break;
      if (entry.seq != next) wrong(next, "it is missing");
      const std::int64_t id = first_id(run.number) + entry.seq;
      sum = entry_sum(sum, id, entry);
      auto row = select.use();
      row(id);
      if (!row.next() || static_cast<std::uint64_t>(row.integer(0)) != sum)
        wrong(entry.seq,
              fmt::format("'{}' of '{}' is not what was written: its checksum does not fit", entry.kind, entry.path));
      ++next;
    }
  }
  if (sum != last_sum) wrong(last_seq, "its checksum is not that of the run's row");
}

std::string Journal::check_file() const {
  Statement statement(*open_->database, "PRAGMA integrity_check");
  std::string found;
  for (auto row = statement.use(); row.next();) {
    if (row.text(0) == "ok") continue;
    if (!found.empty()) found += '\n';
    found += row.text(0);
  }
  return found;
}

std::string Journal::source(const std::string& hash) const {
  Statement statement(*open_->database, "SELECT text FROM sources WHERE hash = ?");
  auto row = statement.use();
  row(hash);
  if (!row.next()) throw Corruption(fmt::format("journal {}: the workflow's text {} is missing", open_->path, hash));
  return std::string(row.text(0));
}

}  // namespace flowrun
