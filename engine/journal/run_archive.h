// Runs on their way from one journal to another: rows of an archive, which is an SQLite file with the tables of a
// journal and two more for files. flowrun-journal(5) is its public description. Knows rows, sums and bytes, not what
// entries mean or where files belong.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal/journal.h"

namespace flowrun {

class Database;

/// While it lives, whatever is read of |journal|, which is open for reading, is of one moment. It keeps SQLite's log
/// from being tidied, so it is to be short.
class JournalSnapshot {
 public:
  explicit JournalSnapshot(const Journal& journal);
  ~JournalSnapshot();
  JournalSnapshot(const JournalSnapshot&) = delete;
  JournalSnapshot& operator=(const JournalSnapshot&) = delete;

 private:
  const Journal& journal_;
};

/// Writes an archive. What goes wrong with its file is an Error(Journal); then it is to be thrown away.
class ArchiveWriter {
 public:
  /// |path|: a file of zero bytes that nobody else has open.
  explicit ArchiveWriter(const std::string& path);
  ~ArchiveWriter();

  /// Adds the rows of |run|; returns its number in the archive, from 1 on. Throws Corruption when they are not what was
  /// written.
  std::int64_t add(const Journal& journal, const RunRecord& run);
  /// Adds a file of the run |number|, whose bytes follow; |name| is relative to the folder of the run.
  void begin_file(std::int64_t number, std::string_view name, bool executable);
  /// At most kPart bytes.
  void append(std::string_view bytes);
  static constexpr std::size_t kPart = 1 << 20;
  /// Adds the sum of all, and makes it durable.
  void finish();

 private:
  struct Open;
  std::unique_ptr<Open> open_;
};

/// The sum over all rows of an archive but its own, which is `archive_sum` in `meta`.
std::string archive_sum(Database& archive);

struct ArchivedFile {
  std::int64_t id = 0;
  std::string name;  ///< as somebody has written it: not to be believed
  bool executable = false;
};

/// What an archive holds besides what a Journal reads.
class ArchiveReader {
 public:
  /// |archive| was opened as Mode::Archive. Throws Corruption when its pages or its sum are not what was written.
  explicit ArchiveReader(const Journal& archive);

  /// In order of their names.
  std::vector<ArchivedFile> files(std::int64_t number) const;
  /// Throws Corruption when a part is missing.
  void read(const ArchivedFile& file, const std::function<void(std::string_view)>& take) const;
  /// Takes |runs| of the archive into |journal|, which is open for writing, in one transaction. |place| is called
  /// within it when all is written, |undo| when it comes to nothing after all. False: one of the ids is taken.
  bool copy(Journal& journal, const std::vector<RunRecord>& runs, const std::function<void()>& place,
            const std::function<void()>& undo) const;

 private:
  const Journal& archive_;
};

}  // namespace flowrun
