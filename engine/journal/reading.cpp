// Reading entries and texts, and checking that they are what was written.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/journal/entry_look.h"
#include "engine/journal/open.h"
#include "engine/model/path.h"

namespace flowrun {

namespace {

/// A read stops at so many bytes of entries, that a thousand of them with long values do not fill the memory.
constexpr std::size_t kReadBytes = 16 << 20;

/// Nothing is tried so often; and it can be counted on from there.
constexpr std::int64_t kMostAttempts = 1'000'000'000;

/// So many rows are looked at in one transaction: an open read keeps the file from being tidied.
constexpr std::size_t kLook = 20'000;

bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }) ||
         is_utf8(std::string(text));
}

}  // namespace

bool too_deep(std::string_view json) {
  if (json.size() <= kDeepest) return false;
  std::size_t depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') in_text = !in_text;
    if (in_text && c == '\\') ++i;
    if (in_text) continue;
    if ((c == '[' || c == '{') && ++depth > kDeepest) return true;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return false;
}

void Journal::Open::damaged(std::int64_t run_number, std::int64_t seq, const std::string& what) const {
  Statement select(*database, "SELECT id FROM runs WHERE number = ?");
  auto row = select.use();
  row(run_number);
  throw Corruption(fmt::format(
      "run {}, entry {}: {}", row.next() ? std::string(row.text(0)) : fmt::format("number {}", run_number), seq, what));
}

EntryView Journal::Open::checked(const Statement::Use& row, std::int64_t run_number, std::int64_t seq,
                                 std::uint64_t& sum) const {
  const auto wrong = [&](const std::string& what) { damaged(run_number, seq, what); };
  const std::int64_t id = row.integer(0);
  if (id != first_id(run_number) + seq)
    wrong(fmt::format("it is missing; the next one is {}", id - first_id(run_number)));
  const std::int64_t at = row.integer(1), attempt = row.integer(4);
  if (!row.is_integer(1) || !is_date(at) || !row.is_text(2) || !row.is_text(3) || !row.is_integer(4) || attempt < 0 ||
      attempt > kMostAttempts || !row.is_text(5) ||
      !(row.is_text(6) || row.null(6) || (row.is_blob(6) && row.is_text(7))) || !row.is_integer(8))
    wrong("it is not as flowrun writes it: its columns hold other things");
  if (row.null(6) && !row.null(7))
    wrong(fmt::format("its value is missing: no row {} in `vals`", row.text(7).substr(0, 40)));
  EntryView entry;
  entry.seq = seq;
  entry.at = from_millis(at);
  entry.path = row.text(3);
  entry.attempt = static_cast<int>(attempt);
  entry.data = row.text(5);
  entry.value = row.bytes(6);
  if (entry.value == "null") entry.value = {};
  const std::string_view kind = row.text(2);
  if (!is_text(kind) || !is_text(entry.path)) wrong("its kind or path is not UTF-8");
  if (!may_be_path(entry.path)) wrong("its path is longer than that of any step");
  sum = entry_sum(sum, id, kind, entry);
  if (static_cast<std::uint64_t>(row.integer(8)) != sum)
    wrong(fmt::format("'{}' of '{}' is not what was written: its checksum does not fit", kind, entry.path));
  const std::optional<EntryKind> known = entry_kind_from(kind);
  if (!known) wrong(fmt::format("no flowrun writes entries of the kind '{}'", shortened(kind, 60)));
  entry.kind = *known;
  if (too_deep(entry.data) || too_deep(entry.value)) wrong("it is nested too deep");
  return entry;
}

void Journal::Open::check_end(std::int64_t run_number, std::int64_t seq) {
  if (!select_last)
    select_last.emplace(*database,
                        "SELECT last_seq, (SELECT max(id) FROM entries WHERE id >= ?2 AND id < ?3) FROM runs "
                        "WHERE number = ?1");
  auto row = select_last->use();
  row(run_number)(first_id(run_number))(first_id(run_number + 1));
  // The driver may have gone on since: then there is such an entry by now.
  if (!row.next() || row.integer(0) < seq || (!row.null(1) && row.integer(1) >= first_id(run_number) + seq)) return;
  damaged(run_number, seq, fmt::format("it is missing; the last one should be {}", row.integer(0)));
}

std::size_t Journal::Open::look_at(std::int64_t run_number, std::int64_t from, std::size_t limit,
                                   const std::function<bool(const EntryView&)>& look) {
  if (!select_entries)
    select_entries.emplace(*database,
                           "SELECT id, at, kind, path, attempt, data, coalesce(entries.value, vals.value), "
                           "value_ref, sum FROM entries LEFT JOIN vals ON vals.hash = value_ref "
                           "WHERE id >= ? AND id < ? ORDER BY id LIMIT ?");
  std::size_t seen = 0;
  // The one before it begins with, for its sum.
  const std::int64_t before = from - 1;
  auto row = select_entries->use();
  row(first_id(run_number) + std::max<std::int64_t>(before, 1))(first_id(run_number + 1));
  row(static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max())) + (before > 0 ? 1 : 0));
  std::uint64_t sum = 0;
  if (before > 0 && row.next()) {
    if (row.integer(0) != first_id(run_number) + before) damaged(run_number, before, "it is missing");
    sum = static_cast<std::uint64_t>(row.integer(8));
  }
  while (row.next()) {
    const EntryView entry = checked(row, run_number, from + static_cast<std::int64_t>(seen), sum);
    ++seen;
    if (!look(entry)) break;
  }
  return seen;
}

void EntryLook::through(std::int64_t from, const std::function<bool(const EntryView&)>& look) const {
  Journal::Open& open = *journal_.open_;
  bool more = true;
  for (std::int64_t next = std::max<std::int64_t>(from, 1); more;) {
    const std::size_t seen = open.look_at(run_, next, kLook, [&](const EntryView& entry) {
      more = look(entry);
      return more;
    });
    next += static_cast<std::int64_t>(seen);
    if (seen == 0) {
      open.check_end(run_, next);
      return;
    }
  }
}

namespace {

/// Asks about entries from within a statement, as `is_other(id, path)`: a step out of it costs as much as all of
/// that.
class Asking {
 public:
  Asking(Database& database, std::int64_t base, const EntryLook::IsOne& is_one)
      : database_(database), base_(base), is_one_(is_one) {
    const int code = sqlite3_create_function_v2(database.handle(), kName, 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, this,
                                                &Asking::ask, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) database.fail(code);
  }
  ~Asking() {
    sqlite3_create_function_v2(database_.handle(), kName, 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, nullptr, nullptr, nullptr,
                               nullptr, nullptr);
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  /// The number behind the newest entry, of those that are asked about or others().
  std::int64_t next = 1;
  /// One was missing.
  bool gap = false;
  void see(std::int64_t seq) {
    gap = gap || seq != next;
    next = seq + 1;
  }

 private:
  static constexpr const char* kName = "is_other";

  static void ask(sqlite3_context* context, int, sqlite3_value** of) {
    auto& self = *static_cast<Asking*>(sqlite3_user_data(context));
    const std::int64_t seq = sqlite3_value_int64(of[0]) - self.base_;
    // Not as text, which would be copied to have a NUL behind it.
    const auto* path = static_cast<const char*>(sqlite3_value_blob(of[1]));
    const auto size = static_cast<std::size_t>(sqlite3_value_bytes(of[1]));
    const bool one = path && self.is_one_(seq, {path, size});
    if (one) self.see(seq);
    sqlite3_result_int(context, one ? 0 : 1);
  }

  Database& database_;
  const std::int64_t base_;
  const EntryLook::IsOne& is_one_;
};

}  // namespace

std::optional<std::vector<std::int64_t>> EntryLook::others(std::int64_t until, std::string_view data, std::size_t most,
                                                           const IsOne& is_one) const {
  Journal::Open& open = *journal_.open_;
  const std::int64_t base = first_id(run_);
  Asking asking(*open.database, base, is_one);
  Statement select(*open.database,
                   "SELECT id FROM entries WHERE id > ?1 AND id <= ?2 AND "
                   "CASE WHEN data = ?3 THEN is_other(id, path) ELSE 1 END ORDER BY id");
  std::vector<std::int64_t> numbers;
  for (std::int64_t from = -1; from != asking.next && !asking.gap;) {
    from = asking.next;
    std::int64_t to = from + static_cast<std::int64_t>(kLook);
    if (until > 0) to = std::min(to, until + 1);
    auto row = select.use();
    row(base + from - 1)(base + to - 1)(data);
    while (row.next()) {
      numbers.push_back(row.integer(0) - base);
      asking.see(numbers.back());
      if (numbers.size() > most) return std::nullopt;
    }
  }
  if (asking.gap) return std::nullopt;
  if (until == 0 || asking.next <= until) open.check_end(run_, asking.next);
  return numbers;
}

std::vector<Entry> Journal::read(std::int64_t run_number, std::int64_t from, std::size_t limit) const {
  from = std::max<std::int64_t>(from, 1);
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  try {
    const auto& home = open_->home_of(run_number);
    open_->look_at(run_number, from, limit, [&](const EntryView& entry) {
      entries.push_back(entry.copy());
      entries.back().value.keep_at(home, entry.seq);
      bytes += entry.data.size() + entry.value.size();
      return bytes < kReadBytes;
    });
  } catch (const Corruption&) {
    // Those before it are good, and who looks may want to see them: the next call begins with it.
    if (entries.empty()) throw;
    return entries;
  }
  if (entries.empty()) open_->check_end(run_number, from);
  return entries;
}

std::vector<std::int64_t> EntryLook::at(std::string_view path) const {
  Statement select(*journal_.open_->database,
                   "SELECT id FROM entries WHERE id >= ?1 AND id < ?2 AND path = ?3 ORDER BY id");
  auto row = select.use();
  row(first_id(run_))(first_id(run_ + 1))(path);
  std::vector<std::int64_t> numbers;
  while (row.next()) numbers.push_back(row.integer(0) - first_id(run_));
  return numbers;
}

std::int64_t Journal::newest_drive(std::int64_t run_number) const {
  Statement select(*open_->database,
                   "SELECT coalesce(max(id), ?1) FROM entries WHERE id >= ?1 AND id < ?2 AND kind IN (?3, ?4, ?5)");
  auto row = select.use();
  row(first_id(run_number))(first_id(run_number + 1));
  row(to_string(EntryKind::RunResumed))(to_string(EntryKind::RunReopened))(to_string(EntryKind::UndoRequested));
  return row.next() ? row.integer(0) - first_id(run_number) : 0;
}

std::vector<Entry> Journal::retries(std::int64_t run_number) const {
  std::vector<std::int64_t> numbers;
  {
    Statement select(*open_->database, "SELECT id FROM entries WHERE id >= ?1 AND id < ?2 AND kind = ?3 ORDER BY id");
    auto row = select.use();
    row(first_id(run_number))(first_id(run_number + 1))(to_string(EntryKind::RunReopened));
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

  std::int64_t last = 0;
  if (last_seq > 0)
    EntryLook(*this, run).through(1, [&](const EntryView& entry) {  // which has been checked
      last = entry.seq;
      return last < last_seq;
    });
  if (last < last_seq) wrong(last + 1, "it is missing");
  Statement select(*open.database, "SELECT sum FROM entries WHERE id = ?");
  auto row = select.use();
  row(first_id(run.number) + last_seq);
  const std::uint64_t sum = row.next() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
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

EntryRange::Iterator EntryRange::begin() {
  read_slice();
  return Iterator(*this);
}

void EntryRange::advance() {
  if (++index_ == slice_.size()) read_slice();
}

void EntryRange::read_slice() {
  index_ = 0;
  slice_ = journal_.read(run_, next_);
  if (!slice_.empty()) next_ = slice_.back().seq + 1;
}

}  // namespace flowrun
