// The journal: one SQLite file, many runs, several writing processes. Knows entries, not what they mean.
// flowrun-journal(5) is its public description.
#pragma once

#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/entry.h"
#include "engine/model/error.h"
#include "engine/model/run_state.h"

namespace flowrun {

/// A row of `runs`.
struct RunRecord {
  std::int64_t number = 0;  ///< from 1, never reused
  std::string id, name;
  RunState state = RunState::Running;
  std::string file;  ///< path of the workflow when it was started
  std::string source_hash;
  Instant started_at{}, alive_at{};
  std::optional<Instant> ended_at;
  Value input, output, error;
  std::int64_t last_seq = 0;
  /// Filled by find and list when a live process drives it, else 0. -1: one that has no pid here, in another container.
  std::int64_t driver_pid = 0;
};

/// Its row says that it runs, and nobody drives it. REQUIRES: |run| comes from find or list.
inline bool is_cut_off(const RunRecord& run) { return run.state == RunState::Running && run.driver_pid == 0; }
/// What is wrong with driving |run|, which another process does.
Error is_driven(const RunRecord& run);

/// Where a journal lives by default, flowrun(1) "FILES": |flag|, $FLOWRUN_JOURNAL, .flowrun/journal.db at or above the
/// working directory, the state directory. Throws Error(Usage) when there is no home to put it.
std::string journal_path(const std::string& flag);

/// A journal file: its runs, their entries, and the run that this process drives. Taking runs out is upkeep.h, mail to
/// the drivers of others mail_sender.h. One thread. Reading methods never leave a transaction open.
class Journal {
 public:
  enum class Mode { Create, ReadWrite, ReadOnly, Archive };
  /// Archive reads a file that run_archive.h wrote, of which nothing is believed. Create makes the file (and its
  /// folder, 0700) when missing; the others throw Error(Impossible) then. Throws Error(Journal) for what is not a
  /// journal of ours, newer than us, on a network file system, or not accessible.
  Journal(const std::string& path, Mode mode);
  ~Journal();
  Journal(Journal&&) noexcept;

  const std::string& path() const;
  /// The folder of a run's files, `runs/ID` next to the journal. Not created.
  std::string run_dir(const std::string& id) const;

  /// RUN of the command line: an id, a unique prefix, a unique last part, `@last`, `@last-failed`, `@last:NAME`. Throws
  /// Error(Impossible) with the candidates when ambiguous, with what to do when there is none.
  RunRecord find(const std::string& run) const;
  std::optional<RunRecord> find_exact(const std::string& id) const;
  struct Filter {
    std::optional<RunState> state;
    std::string name;
    int limit = 20;
  };
  std::vector<RunRecord> list(const Filter& filter) const;
  std::string source(const std::string& hash) const;
  /// Puts |text| into `sources`; durable on return, with its hash.
  std::string keep_source(std::string_view text);

  /// Becomes the driver of |run|: takes the lock that says so. Throws Error(Busy) naming the pid of who has it.
  void lock(const RunRecord& run);
  /// Is the driver of its run no more: another process may go on with it.
  void let_go();
  /// Writes `sources` and the row of a new run and locks it, in one transaction; fills number, and source_hash when it
  /// is empty (hash_name of the text). False when the id is taken. Its first entries come by append and commit.
  bool create(RunRecord& run, std::string_view source_text);

  /// Takes an entry into the batch: numbers it, computes its sum. Writes nothing.
  /// REQUIRES: the run is locked by us; last seq and sum are taken over from its row at lock().
  std::int64_t append(Entry entry);
  /// How much is in the batch.
  struct Pending {
    std::size_t entries, bytes;
  };
  Pending pending() const;
  /// How the row of the run changes with the batch.
  struct RunUpdate {
    std::optional<RunState> state;  ///< nothing: as it is
    std::optional<Value> output, error;
    std::optional<Instant> ended_at;
    bool reopened = false;               ///< clears ended_at, output and error
    std::vector<std::int64_t> consumed;  ///< mail that the entries of the batch bring in
  };
  /// Writes the batch in one durable transaction. Throws DiskFull (the batch is kept: call again), or
  /// Error(Journal) after which no further commit is possible.
  void commit(const RunUpdate& update, Instant now);
  /// A message to the driver of a run, by another process: a signal. It is sent by a MailSender.
  struct Mail {
    std::int64_t id = 0;
    Instant at{};
    std::string kind, name;
    std::string data = "null";  ///< JSON
    std::string sender;
  };
  /// Mail of the run that this process drives, behind |after|, in order of arrival. Costs next to nothing while no
  /// other process writes to the journal. What was read is taken out by RunUpdate::consumed.
  std::vector<Mail> mail(std::int64_t after);
  /// `runs.alive_at` = |now|.
  void beat(Instant now);

  /// Entries of a run in order from |from|, up to |limit| (fewer when they are long); empty at the end.
  /// Throws Corruption for an entry that is not what was written, by its checksum and those before it, and when there
  /// should be more of them.
  std::vector<Entry> read(std::int64_t run_number, std::int64_t from, std::size_t limit = 1000) const;
  /// The entry with which the newest drive of a run began; 0: its first.
  std::int64_t newest_drive(std::int64_t run_number) const;
  /// The facts with which the run was retried, in order.
  std::vector<Entry> retries(std::int64_t run_number) const;
  /// Recomputes the sums of all entries of a run; Corruption names the first that does not fit.
  void check_sums(const RunRecord& run) const;
  /// SQLite's own integrity_check of the whole file; empty when sound.
  std::string check_file() const;

 private:
  friend class JournalUpkeep;
  friend class EntryLook;
  friend class MailSender;
  friend class JournalSnapshot;
  friend class ArchiveWriter;
  friend class ArchiveReader;
  struct Open;
  std::unique_ptr<Open> open_;
};

/// The entries of a run in order, to be gone through once: `for (Entry& entry : entries(journal, run))`. They are read
/// a slice at a time, because an open read would keep the file from being tidied while others write. Throws as
/// Journal::read() does.
class EntryRange {
 public:
  EntryRange(const Journal& journal, std::int64_t run_number, std::int64_t from)
      : journal_(journal), run_(run_number), next_(from) {}

  class Iterator {
   public:
    explicit Iterator(EntryRange& range) : range_(range) {}
    Entry& operator*() const { return range_.slice_[range_.index_]; }
    Iterator& operator++() {
      range_.advance();
      return *this;
    }
    bool operator!=(std::default_sentinel_t) const { return range_.index_ < range_.slice_.size(); }

   private:
    EntryRange& range_;
  };
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  void advance();
  void read_slice();

  const Journal& journal_;
  const std::int64_t run_;
  std::int64_t next_;
  std::vector<Entry> slice_;
  std::size_t index_ = 0;
};

/// From entry |from| on.
inline EntryRange entries(const Journal& journal, const RunRecord& run, std::int64_t from = 1) {
  return {journal, run.number, from};
}

/// The disk is full; the batch is kept.
class DiskFull : public Error {
 public:
  explicit DiskFull(const std::string& message) : Error(Problem::Journal, message) {}
};

}  // namespace flowrun
