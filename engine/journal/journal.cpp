// Writing: becoming a driver, and what a driver appends.
#include "engine/journal/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <utility>

#include "engine/journal/open.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"

namespace flowrun {

Journal::Journal(const std::string& path, Mode mode) : open_(std::make_unique<Open>(path, mode)) {}
Journal::~Journal() = default;
Journal::Journal(Journal&&) noexcept = default;

const std::string& Journal::path() const { return open_->path; }

std::string Journal::run_dir(const std::string& id) const {
  return std::filesystem::path(open_->path).parent_path() / "runs" / id;
}

void Journal::Open::check_writable() {
  assert(turn && "a journal opened for reading is not written to");
  if (!broken.empty())
    throw Error(Problem::Journal, fmt::format("nothing more is written to the journal after: {}", broken));
  // A file that was moved away still takes what is written to it, and nobody would find it there.
  int moved = 0;
  if (sqlite3_file_control(database->handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0) {
    broken = fmt::format("journal {} was moved or removed while in use", path);
    throw Error(Problem::Journal, broken);
  }
}

void Journal::Open::failed(const SqliteError& error) {
  if (error.disk_is_full()) throw DiskFull(fmt::format("the disk with the journal {} is full", path));
  // Somebody else holds the file for very long: nothing is lost, and a later try may do.
  if (error.primary() == SQLITE_BUSY)
    throw Error(
        Problem::Journal,
        fmt::format("journal {} is kept locked by another program; end what has it open, such as sqlite3", path));
  broken = error.what();
  throw error;
}

void Journal::Open::write(const std::function<void()>& work, const std::function<void()>& undo) {
  check_writable();
  WriterTurn::Hold hold(*turn);
  try {
    if (!begin) begin.emplace(*database, "BEGIN IMMEDIATE");
    if (!commit) commit.emplace(*database, "COMMIT");
    begin->use().run();
    log_room->make();
    work();
    commit->use().run();
  } catch (const SqliteError& error) {
    database->roll_back();
    undo();
    failed(error);
  } catch (...) {
    database->roll_back();
    undo();
    throw;
  }
}

void keep_text(Database& database, TextTable table, std::string_view hash, std::string_view text) {
  const bool source = table == TextTable::Sources;
  Statement insert(database, source ? "INSERT OR IGNORE INTO sources (hash, text) VALUES (?, ?)"
                                    : "INSERT OR IGNORE INTO vals (hash, value) VALUES (?, ?)");
  insert.use()(hash)(text).run();
  if (sqlite3_changes(database.handle()) > 0) return;
  Statement same(database, source ? "SELECT text = ?2 FROM sources WHERE hash = ?1"
                                  : "SELECT value = ?2 FROM vals WHERE hash = ?1");
  auto row = same.use();
  row(hash)(text);
  if (!row.next() || row.integer(0) == 0)
    throw Corruption(fmt::format("the journal has another text under the hash {}", hash));
}

std::string Journal::keep_source(std::string_view text) {
  std::string hash = hash_name(text);
  open_->write([&] { keep_text(*open_->database, TextTable::Sources, hash, text); });
  return hash;
}

bool Journal::create(RunRecord& run, std::string_view source_text) {
  if (run.source_hash.empty()) run.source_hash = hash_name(source_text);
  Open& open = *open_;
  assert(open.batch.empty());
  std::int64_t number = 0;
  bool taken = false, locked = false;
  const auto insert_and_lock = [&] {
    const std::string& input = run.input.text();
    const std::string input_ref = input.size() > kLongestRunValue ? hash_name(input) : "";
    Statement insert(*open.database,
                     "INSERT INTO runs (id, name, state, file, source_hash, started_at, alive_at, input, input_ref)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING");
    auto row = insert.use();
    row(run.id)(run.name)(to_string(run.state))(run.file)(run.source_hash);
    row(to_millis(run.started_at))(to_millis(run.alive_at));
    if (!input_ref.empty())
      row(nullptr)(input_ref);
    else if (!run.input.is_null())
      row(input)(nullptr);
    else
      row(nullptr)(nullptr);
    row.run();
    taken = sqlite3_changes(open.database->handle()) == 0;
    if (taken) return;

    number = sqlite3_last_insert_rowid(open.database->handle());
    if (number > kLastRun)
      throw Error(
          Problem::Journal,
          fmt::format("journal {} is full: run {} is the last one that fits; begin a new one with --journal FILE",
                      open.path, kLastRun));
    locked = open.locks->lock_run(number);
    if (!locked) throw Error(Problem::Busy, fmt::format("the new run {} is already driven by another process", run.id));
    if (!input_ref.empty()) keep_value(*open.database, input_ref, run.input);
    keep_text(*open.database, TextTable::Sources, run.source_hash, source_text);
  };
  // A number that was not used after all is the next one's, who must find it free.
  open.write(insert_and_lock, [&] {
    if (locked) open.locks->unlock_run(number);
  });
  if (taken) return false;
  if (open.run != 0) open.locks->unlock_run(open.run);
  open.run = run.number = number;
  open.mail_seen_at = -1;
  open.last_seq = 0;
  open.last_sum = 0;
  return true;
}

Error is_driven(const RunRecord& run) {
  return Error(Problem::Busy, fmt::format("run {} is already driven by {}; `flowrun watch` shows it, `flowrun cancel` "
                                          "ends it",
                                          run.id,
                                          run.driver_pid > 0 ? fmt::format("process {}", run.driver_pid)
                                                             : std::string("a process of another container")));
}

void Journal::let_go() {
  if (open_->run != 0) open_->locks->unlock_run(std::exchange(open_->run, 0));
}

void Journal::lock(const RunRecord& run) {
  Open& open = *open_;
  open.check_writable();
  assert(open.batch.empty());
  if (open.run == run.number) return;
  if (!open.locks->lock_run(run.number)) {
    RunRecord driven = run;
    driven.driver_pid = open.locks->driver(run.number);
    throw is_driven(driven);
  }
  try {
    // Only now: a driver that has just gone may have written after |run| was read.
    Statement select(*open.database,
                     "SELECT last_seq, last_sum, last.id, last.sum FROM runs LEFT JOIN entries AS last ON last.id = "
                     "(SELECT max(id) FROM entries WHERE id BETWEEN ?2 AND ?3) WHERE number = ?1");
    auto row = select.use();
    row(run.number)(first_id(run.number))(first_id(run.number + 1) - 1);
    if (!row.next()) throw Error(Problem::Impossible, fmt::format("run {} has been deleted", run.id));
    const std::int64_t last_seq = row.integer(0);
    const std::int64_t last_entry = row.null(2) ? 0 : row.integer(2) - first_id(run.number);
    if (last_entry != last_seq)
      throw Corruption(
          fmt::format("run {} should end with entry {}, but the journal ends with {}", run.id, last_seq, last_entry));
    if (row.integer(1) != (row.null(2) ? 0 : row.integer(3)))
      throw Corruption(
          fmt::format("run {}: the checksum of entry {}, its last, is not that of the run's row", run.id, last_seq));
    open.last_seq = last_seq;
    open.last_sum = static_cast<std::uint64_t>(row.integer(1));
  } catch (...) {
    open.locks->unlock_run(run.number);
    throw;
  }
  if (open.run != 0) open.locks->unlock_run(open.run);
  open.run = run.number;
  open.mail_seen_at = -1;  // what was seen was that of another run
}

std::int64_t Journal::append(Entry entry) {
  Open& open = *open_;
  assert(open.run != 0 && "the run is locked");
  entry.seq = ++open.last_seq;
  const std::int64_t id = first_id(open.run) + entry.seq;
  const std::size_t size = entry.value.is_null() ? 0 : entry.value.size();
  std::string ref;
  if (size > kLongestValue) {
    LongSum sum = long_entry_sum(open.last_sum, id, entry);
    open.last_sum = sum.sum;
    ref = std::move(sum.name);
  } else {
    open.last_sum = entry_sum(open.last_sum, id, to_string(entry.kind), entry);
  }
  open.batch_bytes += to_string(entry.kind).size() + entry.path.size() + entry.data.size() + size;
  entry.value.keep_at(open.home_of(open.run), entry.seq);
  open.batch.push_back({std::move(entry), id, open.last_sum, std::move(ref)});
  return open.last_seq;
}

Journal::Pending Journal::pending() const { return {open_->batch.size(), open_->batch_bytes}; }

void Journal::commit(const RunUpdate& update, Instant now) {
  Open& open = *open_;
  const bool updates =
      update.state || update.output || update.error || update.ended_at || update.reopened || !update.consumed.empty();
  if (open.batch.empty() && !updates) return;
  assert(open.run != 0 && "the run is locked");

  // Rare: once or twice in the life of a run, so not worth keeping.
  const auto set = [&](const char* sql, auto value) {
    Statement statement(*open.database, sql);
    statement.use()(value)(open.run).run();
  };

  open.write([&] {
    if (!open.insert_entry)
      open.insert_entry.emplace(*open.database,
                                "INSERT INTO entries (id, at, kind, path, attempt, sum, value_ref, data, value)"
                                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const Open::BatchEntry& pending : open.batch) {
      const Entry& entry = pending.entry;
      if (!pending.value_ref.empty()) keep_value(*open.database, pending.value_ref, entry.value);
      auto row = open.insert_entry->use();
      row(pending.id)(to_millis(entry.at))(to_string(entry.kind))(entry.path)(entry.attempt);
      row(static_cast<std::int64_t>(pending.sum));
      if (!pending.value_ref.empty())
        row(pending.value_ref)(entry.data)(nullptr);
      else if (entry.value.is_null())
        row(nullptr)(entry.data)(nullptr);
      else
        row(nullptr)(entry.data)(entry.value.text());
      try {
        row.run();
      } catch (const SqliteError& error) {
        if (error.primary() != SQLITE_CONSTRAINT) throw;
        open.broken = fmt::format("another process wrote entry {} of the run that this one drives", entry.seq);
        throw Error(Problem::Journal, fmt::format("journal {}: {}; this process stops here", open.path, open.broken));
      }
    }

    if (!open.update_run)
      open.update_run.emplace(*open.database,
                              "UPDATE runs SET last_seq = ?, last_sum = ?, alive_at = ? WHERE number = ?");
    open.update_run->use()(open.last_seq)(static_cast<std::int64_t>(open.last_sum))(to_millis(now))(open.run).run();
    if (sqlite3_changes(open.database->handle()) != 1) {
      open.broken = "another process deleted the run that this one drives";
      throw Error(Problem::Journal, fmt::format("journal {}: {}", open.path, open.broken));
    }
    for (std::int64_t mail : update.consumed) set("DELETE FROM mailbox WHERE id = ? AND run = ?", mail);
    if (update.reopened)
      set("UPDATE runs SET ended_at = ?, output = NULL, output_ref = NULL, error = NULL WHERE number = ?", nullptr);
    if (update.state) set("UPDATE runs SET state = ? WHERE number = ?", to_string(*update.state));
    if (update.ended_at) set("UPDATE runs SET ended_at = ? WHERE number = ?", to_millis(*update.ended_at));
    if (update.error && !update.error->is_null())
      set("UPDATE runs SET error = ? WHERE number = ?", std::string_view(update.error->text()));
    if (update.output && update.output->size() > kLongestRunValue) {
      // Mostly that of the last entry, which has just been kept.
      const auto kept = std::find_if(open.batch.begin(), open.batch.end(), [&](const Open::BatchEntry& pending) {
        return !pending.value_ref.empty() && pending.entry.value.is_same_as(*update.output);
      });
      const std::string hash = kept != open.batch.end() ? kept->value_ref : hash_name(*update.output);
      if (kept == open.batch.end()) keep_value(*open.database, hash, *update.output);
      set("UPDATE runs SET output_ref = ?, output = NULL WHERE number = ?", std::string_view(hash));
    } else if (update.output && !update.output->is_null()) {
      set("UPDATE runs SET output = ?, output_ref = NULL WHERE number = ?", std::string_view(update.output->text()));
    }
  });
  open.batch.clear();
  open.batch_bytes = 0;
}

std::vector<Journal::Mail> Journal::mail(std::int64_t after) {
  Open& open = *open_;
  assert(open.run != 0 && "the run is locked");
  if (!open.data_version) open.data_version.emplace(*open.database, "PRAGMA data_version");
  {
    // Changes with every commit of another process, and with none of ours.
    auto row = open.data_version->use();
    const std::int64_t version = row.next() ? row.integer(0) : 0;
    if (version == open.mail_seen_at) return {};
    open.mail_seen_at = version;
  }
  return open.mail_of(open.run, after);
}

std::vector<Journal::Mail> Journal::Open::mail_of(std::int64_t run_number, std::int64_t after) {
  Statement select(*database,
                   "SELECT id, at, kind, name, data, sender FROM mailbox WHERE run = ? AND id > ? ORDER BY id");
  auto row = select.use();
  row(run_number)(after);
  std::vector<Mail> mail;
  while (row.next()) {
    bool good = row.is_integer(1) && is_date(row.integer(1)) && is_json(row.text(4), kDeepest) && row.text(4)[0] == '{';
    for (int text : {2, 3, 4, 5}) good = good && row.is_text(text) && is_utf8(std::string(row.text(text)));
    if (!good)
      throw Corruption(
          fmt::format("journal {}: message {} in its mailbox is not as flowrun writes it; to remove it: "
                      "sqlite3 {} 'DELETE FROM mailbox WHERE id = {}'",
                      path, row.integer(0), path, row.integer(0)));
    mail.push_back({row.integer(0), from_millis(row.integer(1)), std::string(row.text(2)), std::string(row.text(3)),
                    std::string(row.text(4)), std::string(row.text(5))});
  }
  return mail;
}

void Journal::beat(Instant now) {
  Open& open = *open_;
  assert(open.run != 0 && "the run is locked");
  open.write([&] {
    if (!open.beat) open.beat.emplace(*open.database, "UPDATE runs SET alive_at = ? WHERE number = ?");
    open.beat->use()(to_millis(now))(open.run).run();
  });
}

}  // namespace flowrun
