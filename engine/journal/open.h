// What an open journal consists of. Only for the files of this room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/journal/run_lock.h"
#include "engine/journal/sqlite.h"
#include "engine/journal/wal_reserve.h"
#include "engine/model/entry_view.h"
#include "engine/model/json_text.h"

namespace flowrun {

/// Entries of run n have the ids from n << 40; a number beyond this would not fit.
constexpr int kSeqBits = 40;
constexpr std::int64_t kLastRun = (std::int64_t{1} << (63 - kSeqBits)) - 1;
constexpr std::int64_t first_id(std::int64_t run) { return run << kSeqBits; }

/// A longer value of an entry is kept in `vals`, once.
constexpr std::size_t kLongestValue = 1 << 20;
/// Likewise of a run; shorter, since its row is read and compared at every commit.
constexpr std::size_t kLongestRunValue = 16 << 10;
/// A longer one stands in `vals` as a BLOB, which is written and read in pieces: of a text SQLite has three copies.
constexpr std::size_t kLongestText = 8 << 20;

struct Journal::Open {
  Open(const std::string& given, Mode mode);
  ~Open();

  // In this order: the last thing to be given up is the share of those who write.
  std::string path;
  std::shared_ptr<LockFile> locks;  ///< of a reader: null while there is none
  std::optional<WriterShare> share;
  std::unique_ptr<WriterTurn> turn;
  std::unique_ptr<Database> database;
  std::unique_ptr<LogRoom> log_room;  ///< of who writes

  // The run that is driven.
  struct BatchEntry {
    Entry entry;
    std::int64_t id;
    std::uint64_t sum;
    std::string value_ref;  ///< of a long value
  };
  std::int64_t run = 0;  ///< its number; 0: none
  class Home;
  std::shared_ptr<Open*> self = std::make_shared<Open*>(this);  ///< null in the end, for homes that are still held
  std::shared_ptr<const TextHome> home;                         ///< of the run that was asked for last
  std::int64_t home_run = 0;
  /// Where the values of entries of run |number| are read from, as long as the journal is open.
  const std::shared_ptr<const TextHome>& home_of(std::int64_t number);
  /// The value of an entry, whether it is written already or not.
  std::string value_of(std::int64_t run_number, std::int64_t seq);
  std::int64_t last_seq = 0;
  std::uint64_t last_sum = 0;
  std::vector<BatchEntry> batch;
  std::size_t batch_bytes = 0;

  /// Not empty after a failure that allows no further commit: what it was.
  std::string broken;

  /// Carries out |work| in a transaction of its own turn; |undo| is called before the turn ends when it came to
  /// nothing. Throws DiskFull, or Error(Journal) with |broken| set.
  void write(
      const std::function<void()>& work, const std::function<void()>& undo = [] {});
  void check_writable();
  [[noreturn]] void failed(const SqliteError& error);

  /// Throws Corruption.
  [[noreturn]] void damaged(std::int64_t run_number, std::int64_t seq, const std::string& what) const;
  /// The entry of |row|, which is to be number |seq| of its run and to follow one whose sum is |sum|; that becomes its
  /// own. Throws Corruption when it is not what was written.
  EntryView checked(const Statement::Use& row, std::int64_t run_number, std::int64_t seq, std::uint64_t& sum) const;
  /// Shows |look| the entries of a run from |from| on, as long as it says true and so many; how many there were. Throws
  /// Corruption.
  std::size_t look_at(std::int64_t run_number, std::int64_t from, std::size_t limit,
                      const std::function<bool(const EntryView&)>& look);
  /// Throws Corruption when the run should have an entry |seq|.
  void check_end(std::int64_t run_number, std::int64_t seq);
  /// Mail of run |run_number| behind |after|, in order of arrival. Throws Corruption.
  std::vector<Mail> mail_of(std::int64_t run_number, std::int64_t after);
  /// Pid of who drives a run, as RunRecord says it.
  std::int64_t driver(std::int64_t number);

  // Of a commit; made once.
  std::optional<Statement> begin, commit, insert_entry, update_run, beat, select_entries, select_last, select_value,
      data_version;
  std::int64_t mail_seen_at = -1;  ///< SQLite's data_version when the mailbox was last read
};

/// The tables of texts that are kept by their hash.
enum class TextTable { Sources, Values };
/// Puts |text| there under |hash|, its hash_name. Throws Corruption when another text has that name: who can choose
/// texts could have put it there, to be read in place of this one.
void keep_text(Database& database, TextTable table, std::string_view hash, std::string_view text);

/// The same of a value of an entry or a run, as long as it may be.
void keep_value(Database& database, std::string_view hash, const Value& value);
/// hash_name of its text.
std::string hash_name(const Value& value);

/// Whether |millis| may be a date in the journal: not before 1970, and not behind 9999, so that sums of dates and
/// spans are numbers.
constexpr bool is_date(std::int64_t millis) { return millis >= 0 && millis <= kLargestNumber; }

/// Deeper values are not read: who walks them, does so by recursion. What processes and servers say is less deep.
constexpr std::size_t kDeepest = 4000;
/// Whether brackets in |json|, a column of the journal, are nested that deep.
bool too_deep(std::string_view json);

/// As the journal keeps it: nothing for null.
inline std::string_view value_text(const Value& value) {
  return value.is_null() ? std::string_view() : std::string_view(value.text());
}

/// Sum of an entry: XXH3 64 over the sum before, id, at, attempt and the lengths of kind, path, data and value, each
/// in 8 bytes, low one first, then these four texts. A null value has length 0.
std::uint64_t entry_sum(std::uint64_t before, std::int64_t id, std::string_view kind, const EntryView& entry);
inline std::uint64_t entry_sum(std::uint64_t before, std::int64_t id, std::string_view kind, const Entry& entry) {
  return entry_sum(
      before, id, kind,
      EntryView{entry.seq, entry.at, entry.kind, entry.path, entry.attempt, entry.data, value_text(entry.value)});
}

/// The same of an entry with a long value, with hash_name() of that. Nothing is put together for it.
struct LongSum {
  std::uint64_t sum;
  std::string name;
};
LongSum long_entry_sum(std::uint64_t before, std::int64_t id, const Entry& entry);

}  // namespace flowrun
